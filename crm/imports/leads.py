"""Import of enquiries: who asked, when, about what, and what brought them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from crm.imports import columns as read
from crm.imports.bulk import fetch_rows, insert_rows, update_rows
from crm.imports.columns import Column
from crm.imports.customers import Customers
from crm.imports.events import LiveEvents
from crm.imports.kinds import Checked, Counts, merged, register_kind
from crm.imports.lookups import Lookup, customer_lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.models import Lead, Product

OF_CUSTOMERS = ("external_id", "name", "email", "phone", "source")
TOLD = ("product_id", "enquiry_source")  # what may be corrected
CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"


@dataclass(slots=True)
class Enquiry:
    """An enquiry. id: 0 for one that is not written yet."""

    id: int
    enquired_at: str
    product_id: int | None
    source: str | None


@register_kind
class Leads(Customers):
    """Enquiries of people, who are customers by id or address as in a file of customers.

    Whoever is new is recorded with name, addresses and source. Of a known customer an enquiry adds
    what is filled in, but the source only where there is none: it says what brought them *first*.
    Enquiries are counted, not people; an enquiry stands in :class:`crm.models.Lead`.
    """

    name = "leads"
    order = 35
    derived: ClassVar = {
        **Customers.derived,
        "product_id": "product_sku",
        "enquiry_source": "source",
    }

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of enquiries."""
        columns = [one for one in super().list_columns(mapping) if one.name in OF_CUSTOMERS]
        self.aliases = {}
        self.stored = (*self.stored, "enquired_at", *TOLD)
        return [
            *columns,
            Column("enquired_at", read.instant(mapping), is_required=True),
            Column("product_sku", read.line(64)),
        ]

    def complete(self, checked: Checked) -> None:
        """Look up products, and see whom the rows mean."""
        super().complete(checked)
        if not hasattr(self, "_products"):
            self._products = Lookup(Product, "sku", _("There is no product with this SKU."))
        checked.resolve("product_sku", self._products)
        nothing = [None] * len(checked.lines)
        checked.columns["product_id"] = checked.columns.get("product_sku", nothing)
        checked.columns["enquiry_source"] = checked.columns.get("source", nothing)

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return one person and their enquiries."""
        people = [row[:-3] for row in rows]
        if self.keys.by and len(people) > 1:
            people = self.keys.agreeing(people, self.refuse)
        lines = {row[0] for row in people}
        told = [Enquiry(0, *row[-3:]) for row in rows if row[0] in lines]
        return key, (merged(people), _folded(told))

    def weight(self, rows: list[Row]) -> int:
        """A customer and the enquiries."""
        return super().weight(rows) + 2 * len(rows)

    def takes(self, name: str, held: Any) -> bool:
        """Whether a known customer takes what the file says; a source stays."""
        return not (name == "source" and held) and super().takes(name, held)

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert and update people, then their enquiries."""
        people: dict[str, str] = {}
        note = self.note
        self.note = people.__setitem__
        try:
            customers = [(key, person) for key, (person, _enquiries) in records]
            super().apply(customers, stamp=stamp, scratch=scratch)
        finally:
            self.note = note
        found = customer_lookup(self.context.mapping).find(list(people))
        # Who is not written, as in a dry run, is told apart by a number below zero.
        ids = {
            key: one if isinstance(one, int) else -place
            for place, (key, one) in enumerate(zip(people, found, strict=True), start=1)
        }
        work = _Work(self, stamp, [one for one in ids.values() if one > 0])
        counts = Counts()
        for key, (_person, (enquiries, repeated)) in records:
            if key not in people:
                continue  # refused
            outcomes = [work.take(ids[key], one) for one in enquiries]
            if people[key] == UPDATED and set(outcomes) == {UNCHANGED}:
                outcomes[0] = UPDATED  # the person changed, if not the enquiry
            outcomes += [UNCHANGED] * repeated
            for outcome in outcomes:
                setattr(counts, outcome, getattr(counts, outcome) + 1)
            note(key, next(one for one in (CREATED, UPDATED, UNCHANGED) if one in outcomes))
        if not self.context.is_dry_run:
            work.write()
        return counts


def _same(held: Sequence[Enquiry], told: Enquiry) -> Enquiry | None:
    """Return which of the enquiries of one instant is meant.

    One that names no product is whatever is there, and one that names a product is the one about
    it, or else the one that named none.
    """
    found = next((one for one in held if one.product_id == told.product_id), None)
    if found is None and told.product_id is None:
        return next(iter(held), None)
    return found or next((one for one in held if one.product_id is None), None)


def _folded(rows: list[Enquiry]) -> tuple[list[Enquiry], int]:
    """Return the enquiries that rows of one person tell, and how many rows only repeat one.

    Of several rows the last filled cell counts, so that the same file says the same again.
    """
    found: dict[str, list[Enquiry]] = {}
    for told in rows:
        held = found.setdefault(told.enquired_at, [])
        if (one := _same(held, told)) is None:
            held.append(told)
            continue
        one.product_id = told.product_id or one.product_id
        one.source = told.source or one.source
    enquiries = [one for held in found.values() for one in held]
    return enquiries, len(rows) - len(enquiries)


class _Work:
    """The enquiries of one portion."""

    def __init__(self, kind: Leads, stamp: str, customer_ids: list[int]) -> None:
        self.kind, self.stamp = kind, stamp
        self.known: dict[tuple[int, str], list[Enquiry]] = {}
        names = ("customer_id", "id", "enquired_at", "product_id", "source")
        for customer_id, *row in fetch_rows(Lead, names, where="customer_id", among=customer_ids):
            self.known.setdefault((customer_id, row[1]), []).append(Enquiry(*row))
        self.new: list[tuple[int, Enquiry]] = []
        self.changed: dict[int, Enquiry] = {}

    def take(self, customer_id: int, told: Enquiry) -> str:
        """Return what becomes of an enquiry of the file."""
        held = self.known.setdefault((customer_id, told.enquired_at), [])
        found = _same(held, told)
        if found is None:
            held.append(told)
            told.source = told.source or ""
            self.new.append((customer_id, told))
            return CREATED
        before = (found.product_id, found.source)
        wanted = self.kind.overwritten(TOLD, before, (told.product_id, told.source))
        if wanted == before:
            return UNCHANGED
        found.product_id, found.source = wanted
        if not found.id:
            return UNCHANGED  # the same person by another address of the file
        self.kind.trail.compared(
            Lead, found.id, ("product_id", "source"), before, wanted, customer_id=customer_id
        )
        self.changed[found.id] = found
        return UPDATED

    def write(self) -> None:
        """Write the rows in the caller's transaction."""
        names = ("id", "customer_id", "product_id", "source", "enquired_at")
        ids = self.kind.new_ids(Lead, len(self.new))
        insert_rows(
            Lead,
            (*names, "actor", "recorded_at"),
            [
                (
                    row_id,
                    customer_id,
                    one.product_id,
                    one.source,
                    one.enquired_at,
                    self.kind.context.actor,
                    self.stamp,
                )
                for row_id, (customer_id, one) in zip(ids, self.new, strict=True)
            ],
        )
        self.kind.trail.made(Lead, ids)
        update_rows(
            Lead,
            ("product_id", "source"),
            [(one.product_id, one.source, one.id) for one in self.changed.values()],
        )
        events = LiveEvents(self.kind.context)
        if events.is_live:
            products = {one.product_id for _customer, one in self.new}
            skus = dict(fetch_rows(Product, ("id", "sku"), where="id", among=products - {None}))
            for row_id, (customer_id, one) in zip(ids, self.new, strict=True):
                events.add(
                    "lead.recorded",
                    subject=("lead", str(row_id)),
                    customer_id=customer_id,
                    codes={"sku": skus[one.product_id]} if one.product_id else {},
                )
            events.write()
