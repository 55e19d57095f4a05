"""Import of customers: who they are, how to reach them, what they agreed to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import connection
from django.utils.translation import gettext as _

from common.refs import new_refs
from common.validators import clean_email, clean_phone
from crm.imports import columns as read
from crm.imports.bulk import fetch_rows, insert_rows, update_rows
from crm.imports.columns import Column
from crm.imports.kinds import Checked, Counts, Kind
from crm.imports.lookups import Lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.models import ConsentEvent, ContactPoint, Customer, CustomerTag, Location, SearchTerm, Tag
from crm.services.customers import search_terms

PLAIN = (
    "name",
    "language",
    "country",
    "city",
    "birth_date",
    "acquired_at",
    "source",
    "industry",
    "location_id",
    "acquisition_cost",
)
BLANK = ("name", "language", "country", "city", "source", "industry")  # text that is never null
SOURCE = "import"
CONTACTS = {"email": clean_email, "phone": clean_phone}


@dataclass(slots=True)
class Known:
    """What the database holds of one customer."""

    id: int
    plain: tuple[Any, ...]
    contacts: dict[tuple[str, str], tuple[int, bool]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Writes:
    """Rows to write for one portion of customers."""

    customers: list[Row] = field(default_factory=list)
    plain: list[Row] = field(default_factory=list)
    demoted: list[Row] = field(default_factory=list)  # contacts that are no longer primary
    promoted: list[Row] = field(default_factory=list)
    contacts: list[Row] = field(default_factory=list)
    tags: list[tuple[int, str]] = field(default_factory=list)
    consents: list[Row] = field(default_factory=list)
    terms: dict[int, set[tuple[str, str]]] = field(default_factory=dict)


class Customers(Kind):
    """Customers by the external id of the caller."""

    name = "customers"
    key = "external_id"
    derived: ClassVar = {"location_id": "location"}
    stored: ClassVar = (*PLAIN, "email", "phone", "tags", "marketing_consent")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of customers."""
        return [
            Column("external_id", read.line(64), is_required=True),
            Column("name", read.line()),
            Column("email", read.email),
            Column("phone", read.phone),
            Column("language", read.language),
            Column("country", read.line(64)),
            Column("city", read.line(120)),
            Column("birth_date", read.day(mapping)),
            Column("acquired_at", read.instant(mapping)),
            Column("source", read.line(120)),
            Column("industry", read.line(120)),
            Column("location", read.line(64)),
            Column("tags", read.words),
            Column("marketing_consent", read.boolean),
            Column("acquisition_cost", read.amount(mapping)),
        ]

    def complete(self, checked: Checked) -> None:
        """Look up shops."""
        if not hasattr(self, "_shops"):
            self._shops = Lookup(Location, "code", _("There is no shop with this code."))
        checked.resolve("location", self._shops)
        if "location" in checked.columns:
            checked.columns["location_id"] = checked.columns["location"]

    def weight(self, rows: list[Row]) -> int:
        """A customer takes about ten rows."""
        return 10

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert and update customers with contacts, tags, search terms and consent."""
        known = _known([key for key, _row in records])
        answered = _answers([customer.id for customer in known.values()])
        new = [key for key, _row in records if key not in known]
        ids = dict(zip(new, self.new_ids(Customer, len(new)), strict=True))
        refs = dict(zip(new, new_refs(len(new)), strict=True))
        counts, writes = Counts(created=len(new)), Writes()
        for key, row in records:
            plain, (email, phone, tags, consent) = row[: len(PLAIN)], row[len(PLAIN) :]
            customer = known.get(key)
            contacts = {"email": email, "phone": phone}
            names = set(tags.split("\n")) if tags else set()
            if customer is None:
                customer = Known(ids[key], _filled(plain))
                writes.customers.append(
                    (customer.id, refs[key], key, *customer.plain, *self._constants(stamp))
                )
                is_changed = True
            else:
                is_changed = _update_plain(customer, plain, writes)
            is_changed |= _update_contacts(customer, contacts, stamp, writes)
            if missing := names - customer.tags:
                writes.tags += [(customer.id, name) for name in sorted(missing)]
                is_changed = True
            is_changed |= self._update_consent(
                customer, consent, answered[customer.id], stamp, writes
            )
            if key in known:
                counts.updated += is_changed
                counts.unchanged += not is_changed
            if is_changed:
                writes.terms[customer.id] = _terms(key, customer)
        if not self.context.is_dry_run:
            _write(writes, stamp, {customer.id for customer in known.values()})
        return counts

    def _constants(self, stamp: str) -> tuple[Any, ...]:
        return (Customer.Kind.PERSON, Customer.Stage.LEAD, self.context.is_invented, stamp)

    def _update_consent(
        self,
        customer: Known,
        consent: int | None,
        answers: dict[str, tuple[bool, str]],
        stamp: str,
        writes: Writes,
    ) -> bool:
        """An import changes what an import said or nobody said, never the customer's own word."""
        if consent is None:
            return False
        acquired_at = customer.plain[PLAIN.index("acquired_at")]
        is_changed = False
        for purpose in ConsentEvent.Purpose.values:
            was_granted, source = answers.get(purpose, (False, ""))
            if source not in ("", SOURCE) or was_granted == bool(consent):
                continue
            # A first yes dates from the acquisition; any later word from its import.
            occurred_at = acquired_at if acquired_at and not source else stamp
            writes.consents.append(
                (
                    customer.id,
                    purpose,
                    "email",
                    bool(consent),
                    SOURCE,
                    "",
                    self.context.actor,
                    min(occurred_at, stamp),
                    stamp,
                )
            )
            is_changed = True
        return is_changed


def _filled(plain: Row) -> Row:
    return tuple(
        "" if value is None and name in BLANK else value
        for name, value in zip(PLAIN, plain, strict=True)
    )


def _update_plain(customer: Known, plain: Row, writes: Writes) -> bool:
    wanted = tuple(
        old if value is None else value for old, value in zip(customer.plain, plain, strict=True)
    )
    if wanted == customer.plain:
        return False
    customer.plain = wanted
    writes.plain.append((*wanted, customer.id))
    return True


def _update_contacts(
    customer: Known, contacts: dict[str, str | None], stamp: str, writes: Writes
) -> bool:
    """The file's address becomes the primary one; the old one stays beside it."""
    is_changed = False
    for kind, value in contacts.items():
        if value is None:
            continue
        normalized = CONTACTS[kind](value)
        row_id, is_primary = customer.contacts.get((kind, normalized), (0, False))
        if is_primary:
            continue
        for (other_kind, other), (other_id, was_primary) in customer.contacts.items():
            if other_kind == kind and was_primary:
                customer.contacts[other_kind, other] = (other_id, False)
                writes.demoted.append((False, other_id))
        customer.contacts[kind, normalized] = (row_id, True)
        if row_id:
            writes.promoted.append((True, row_id))
        else:
            writes.contacts.append((customer.id, kind, value, normalized, True, stamp))
        is_changed = True
    return is_changed


def _terms(key: str, customer: Known) -> set[tuple[str, str]]:
    primary = {
        kind: normalized
        for (kind, normalized), (_id, is_primary) in customer.contacts.items()
        if is_primary
    }
    return search_terms(
        name=customer.plain[0],
        email=primary.get("email", ""),
        phone=primary.get("phone", ""),
        external_id=key,
    )


def _known(keys: list[str]) -> dict[str, Known]:
    rows = fetch_rows(
        Customer, ("external_id", "id", *PLAIN), where="external_id", among=keys, lock=True
    )
    known = {row[0]: Known(row[1], row[2:]) for row in rows}
    by_id = {customer.id: customer for customer in known.values()}
    for customer_id, kind, normalized, row_id, is_primary in fetch_rows(
        ContactPoint,
        ("customer_id", "kind", "normalized", "id", "is_primary"),
        where="customer_id",
        among=list(by_id),
    ):
        by_id[customer_id].contacts[kind, normalized] = (row_id, bool(is_primary))
    for customer_id, name in CustomerTag.objects.filter(customer_id__in=by_id).values_list(
        "customer_id", "tag__name"
    ):
        by_id[customer_id].tags.add(name)
    return known


def _answers(customer_ids: list[int]) -> defaultdict[int, dict[str, tuple[bool, str]]]:
    """Return, per customer and purpose, whether email consent is in force and who said so last."""
    answers: defaultdict[int, dict[str, tuple[bool, str]]] = defaultdict(dict)
    rows = fetch_rows(
        ConsentEvent,
        ("customer_id", "purpose", "channel", "is_granted", "source", "occurred_at", "id"),
        where="customer_id",
        among=customer_ids,
    )
    for customer_id, purpose, channel, is_granted, source, *_when in sorted(
        rows, key=lambda row: (row[5], row[6])
    ):
        if channel == "email":
            answers[customer_id][purpose] = (bool(is_granted), source)
    return answers


def _write(writes: Writes, stamp: str, known_ids: set[int]) -> None:
    """Write the rows; contacts first give up, then take, the place of the primary one."""
    insert_rows(
        Customer,
        ("id", "ref", "external_id", *PLAIN, "kind", "stage", "is_invented", "recorded_at"),
        writes.customers,
    )
    update_rows(Customer, PLAIN, writes.plain)
    update_rows(ContactPoint, ("is_primary",), writes.demoted)
    update_rows(ContactPoint, ("is_primary",), writes.promoted)
    insert_rows(
        ContactPoint,
        ("customer_id", "kind", "value", "normalized", "is_primary", "recorded_at"),
        writes.contacts,
    )
    _write_tags(writes.tags)
    insert_rows(
        ConsentEvent,
        (
            "customer_id",
            "purpose",
            "channel",
            "is_granted",
            "source",
            "text_version",
            "actor",
            "occurred_at",
            "recorded_at",
        ),
        writes.consents,
    )
    _write_terms(writes.terms, known_ids)


def _write_tags(tags: list[tuple[int, str]]) -> None:
    if not tags:
        return
    names = {name for _customer_id, name in tags}
    Tag.objects.bulk_create([Tag(name=name) for name in sorted(names)], ignore_conflicts=True)
    ids = dict(Tag.objects.filter(name__in=names).values_list("name", "id"))
    insert_rows(
        CustomerTag,
        ("customer_id", "tag_id"),
        [(customer_id, ids[name]) for customer_id, name in tags],
    )


def _write_terms(wanted: dict[int, set[tuple[str, str]]], known_ids: set[int]) -> None:
    present: defaultdict[int, dict[tuple[str, str], int]] = defaultdict(dict)
    for customer_id, kind, term, row_id in fetch_rows(
        SearchTerm,
        ("customer_id", "kind", "term", "id"),
        where="customer_id",
        among=[customer_id for customer_id in wanted if customer_id in known_ids],
    ):
        if kind in ("name", "email", "phone", "id"):
            present[customer_id][kind, term] = row_id
    gone = [
        (row_id,)
        for customer_id, terms in wanted.items()
        for term, row_id in present[customer_id].items()
        if term not in terms
    ]
    if gone:
        with connection.cursor() as cursor:
            cursor.executemany("DELETE FROM crm_searchterm WHERE id = %s", gone)
    insert_rows(
        SearchTerm,
        ("customer_id", "kind", "term"),
        [
            (customer_id, kind, term)
            for customer_id, terms in wanted.items()
            for kind, term in sorted(terms - present[customer_id].keys())
        ],
    )
