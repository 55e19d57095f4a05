"""Import of customers: who they are, how to reach them, what they agreed to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from common.refs import new_refs
from common.validators import clean_email, clean_phone
from crm.imports import columns as read
from crm.imports.columns import Column
from crm.imports.custom_columns import CustomColumns
from crm.imports.customer_rows import (
    PLAIN,
    Known,
    Writes,
    consent_answers,
    known_customers,
    write_customers,
)
from crm.imports.forgotten import forgotten, forgotten_keys, refuse_forgotten
from crm.imports.kinds import Checked, Counts, Kind, register_kind
from crm.imports.lookups import Lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.models import ConsentEvent, Customer, Location
from crm.services.contacts import search_terms

BLANK = ("name", "language", "country", "city", "source", "industry")  # text that is never null
SOURCE = "import"
CONTACTS = {"email": clean_email, "phone": clean_phone}


@register_kind
class Customers(Kind):
    """Customers by the external id of the caller."""

    name = "customers"
    key = "external_id"
    order = 30
    derived: ClassVar = {"location_id": "location"}
    stored: tuple[str, ...] = (*PLAIN, "email", "phone", "tags", "marketing_consent")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of customers, the business's own fields among them."""
        own = self.custom = CustomColumns(mapping)
        self.stored = (*type(self).stored, *own.names)
        columns = [
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
        self.aliases = own.aliases(column.name for column in columns)
        return [*columns, *own.columns]

    def complete(self, checked: Checked) -> None:
        """Look up shops."""
        if not hasattr(self, "_shops"):
            self._shops = Lookup(Location, "code", _("There is no shop with this code."))
        checked.resolve("location", self._shops)
        if "location" in checked.columns:
            checked.columns["location_id"] = checked.columns["location"]
        refuse_forgotten(checked)

    def weight(self, rows: list[Row]) -> int:
        """A customer takes about ten rows."""
        return 10

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert and update customers with contacts, tags, search terms and consent."""
        known = known_customers([key for key, _row in records])
        records = self._without_forgotten(records, known, scratch)
        answered = consent_answers([customer.id for customer in known.values()])
        new = [key for key, _row in records if key not in known]
        ids = dict(zip(new, self.new_ids(Customer, len(new)), strict=True))
        refs = dict(zip(new, new_refs(len(new)), strict=True))
        held = self.custom.present([customer.id for customer in known.values()])
        counts, writes = Counts(created=len(new)), Writes()
        for key, row in records:
            plain, (email, phone, tags, consent, *own) = row[: len(PLAIN)], row[len(PLAIN) :]
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
            added, altered = self.custom.changes(customer.id, tuple(own), held)
            writes.custom_new += added
            writes.custom_changed += altered
            is_changed |= bool(added or altered)
            if key in known:
                counts.updated += is_changed
                counts.unchanged += not is_changed
                self.note(key, "updated" if is_changed else "unchanged")
            else:
                self.note(key, "created")
            if is_changed:
                writes.terms[customer.id] = _terms(key, customer)
        if not self.context.is_dry_run:
            write_customers(writes, {customer.id for customer in known.values()})
        return counts

    def _without_forgotten(
        self, records: list[Any], known: Collection[str], scratch: Scratch
    ) -> list[Any]:
        """Leave out who was erased after the rows were checked.

        Known customers are locked by now: an erasure under way was waited for, and is seen here.
        """
        gone = forgotten_keys(
            (key, dict(zip(self.stored, row, strict=True)))
            for key, row in records
            if key not in known
        )
        if not gone:
            return records
        reason = forgotten().reason
        self.refuse((line, self.key, "", reason) for line in scratch.lines_of(gone))
        return [(key, row) for key, row in records if key not in gone]

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
    return search_terms(name=customer.plain[0], contacts=customer.contacts, external_id=key)
