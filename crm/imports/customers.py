"""Import of customers: who they are, how to reach them, what they agreed to.

A customer is known by the external id or, where the mapping says so, by email or phone. Then the
address identifies and changes nothing, the id is optional, and one that contradicts is refused.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext as _

from common.refs import new_refs
from crm.imports import columns as read
from crm.imports.columns import Column
from crm.imports.custom_columns import CustomColumns, Present
from crm.imports.customer_keys import Keys
from crm.imports.customer_rows import (
    PLAIN,
    Known,
    Writes,
    consent_answers,
    write_customers,
)
from crm.imports.kinds import Checked, Counts, Kind, merged, register_kind
from crm.imports.lookups import ADDRESSES, Lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.imports.standards import NEW_CUSTOMER, Standards
from crm.models import ConsentEvent, Customer, Location
from crm.services.contacts import search_terms
from crm.services.runs import Start

BLANK = ("name", "language", "country", "city", "source", "industry")  # text that is never null
SOURCE = "import"
KEYED = ("external_id",)  # what is stored beside the rest where an address is the key


@register_kind
class Customers(Kind):
    """Customers by the external id of the caller, or by an address."""

    name = "customers"
    key = "external_id"
    order = 30
    derived: ClassVar = {"location_id": "location"}
    stored: tuple[str, ...] = (*PLAIN, "email", "phone", "tags", "marketing_consent")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of customers, the business's own fields among them."""
        own = self.custom = CustomColumns(mapping)
        self.keys = Keys(self.context)
        self.standards = Standards(self.context, NEW_CUSTOMER)
        if self.keys.by:
            self.key = self.keys.column
        keyed = KEYED if self.keys.by else ()
        self.stored = (*type(self).stored, *own.names, *keyed)
        columns = [
            Column("external_id", read.line(64), is_required=not self.keys.by),
            Column("name", read.line()),
            Column("email", read.email, is_required=self.keys.by == "email"),
            Column("phone", read.phone, is_required=self.keys.by == "phone"),
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
        """Look up shops, and see whom the rows mean."""
        if not hasattr(self, "_shops"):
            self._shops = Lookup(Location, "code", _("There is no shop with this code."))
        checked.resolve("location", self._shops)
        if "location" in checked.columns:
            checked.columns["location_id"] = checked.columns["location"]
        self.keys.complete(checked)

    def settle(self, scratch: Scratch) -> None:
        """Refuse ids that the file gives to several customers."""
        self.keys.settle(scratch, self.refuse)

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return one customer made of its rows; a second id is refused."""
        if self.keys.by and len(rows) > 1:
            rows = self.keys.agreeing(rows, self.refuse)
        return key, merged(rows)

    def weight(self, rows: list[Row]) -> int:
        """A customer takes about ten rows."""
        return 10 + self.standards.weight

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert and update customers with contacts, tags, search terms and consent."""
        records, known = self.keys.know(records, self.stored, scratch, self.refuse)
        answered = consent_answers([customer.id for customer in known.values()])
        new = [key for key, _row in records if key not in known]
        ids = dict(zip(new, self.new_ids(Customer, len(new)), strict=True))
        refs = dict(zip(new, new_refs(len(new)), strict=True))
        held = self.custom.present([customer.id for customer in known.values()])
        counts, writes = Counts(created=len(new)), Writes()
        for key, row in records:
            external_id, told = self.keys.split(key, row)
            if key in known:
                customer = known[key]
                answers = answered[customer.id]
                is_changed = self._update(customer, external_id, told, answers, held, stamp, writes)
                counts.updated += is_changed
                counts.unchanged += not is_changed
                self.note(key, "updated" if is_changed else "unchanged")
            else:
                customer = Known(ids[key], external_id, _filled(told[: len(PLAIN)]))
                writes.customers.append(
                    (
                        customer.id,
                        refs[key],
                        external_id,
                        *customer.plain,
                        *self._constants(stamp),
                    )
                )
                is_changed = True
                self._update(customer, external_id, told, {}, {}, stamp, writes)
                self.note(key, "created")
            if is_changed:
                writes.terms[customer.id] = _terms(customer)
        if not self.context.is_dry_run:
            write_customers(writes, {customer.id for customer in known.values()}, self.trail)
            self.standards.start(Start(ids[key], f"customer:{refs[key]}") for key in new)
        return counts

    def _constants(self, stamp: str) -> tuple[Any, ...]:
        return (Customer.Kind.PERSON, Customer.Stage.LEAD, self.context.is_invented, stamp)

    def _update(
        self,
        customer: Known,
        external_id: str | None,
        told: Row,
        answers: dict[str, tuple[bool, str]],
        held: Present,
        stamp: str,
        writes: Writes,
    ) -> bool:
        """Note what makes a customer what the file says; return whether that is anything."""
        plain, (email, phone, tags, consent, *own) = told[: len(PLAIN)], told[len(PLAIN) :]
        is_changed = self._update_plain(customer, external_id, plain, writes)
        contacts = {"email": email, "phone": phone}
        is_changed |= self._update_contacts(customer, contacts, stamp, writes)
        names = set(tags.split("\n")) if tags else set()
        if (missing := names - customer.tags) and self._takes(
            customer, "tags", "\n".join(customer.tags)
        ):
            writes.tags += [(customer.id, name) for name in sorted(missing)]
            is_changed = True
        is_changed |= self._update_consent(customer, consent, answers, stamp, writes)
        added, altered = self.custom.changes(
            customer.id, tuple(own), held, takes=lambda name, old: self._takes(customer, name, old)
        )
        writes.custom_new += added
        writes.custom_changed += altered
        return is_changed or bool(added or altered)

    def _takes(self, customer: Known, name: str, held: Any) -> bool:
        return not customer.is_known or self.takes(name, held)

    def _update_plain(
        self, customer: Known, external_id: str | None, plain: Row, writes: Writes
    ) -> bool:
        wanted = customer.plain
        if customer.is_known:
            wanted = self.overwritten(PLAIN, customer.plain, plain)
        if (
            external_id
            and customer.external_id is None
            and self._takes(customer, "external_id", None)
        ):
            writes.external_ids.append((external_id, customer.id))
            customer.external_id = external_id
        elif wanted == customer.plain:
            return False
        if wanted != customer.plain:
            writes.plain.append((customer.id, customer.plain, wanted))
            customer.plain = wanted
        return True

    def _update_contacts(
        self, customer: Known, contacts: dict[str, str | None], stamp: str, writes: Writes
    ) -> bool:
        """The file's address becomes the primary one; the old one stays beside it.

        The one by which a customer is known identifies, and changes nothing.
        """
        is_changed = False
        for kind, value in contacts.items():
            if value is None:
                continue
            normalized = ADDRESSES[kind](value)
            row_id, is_primary = customer.contacts.get((kind, normalized), (0, False))
            if is_primary or (row_id and kind == self.keys.by):
                continue
            former = [
                (other, other_id)
                for (other_kind, other), (other_id, was_primary) in customer.contacts.items()
                if other_kind == kind and was_primary
            ]
            if not self._takes(customer, kind, former[0][0] if former else None):
                continue
            for other, other_id in former:
                customer.contacts[kind, other] = (other_id, False)
                writes.primary.append((other_id, customer.id, False))
            customer.contacts[kind, normalized] = (row_id, True)
            if row_id:
                writes.primary.append((row_id, customer.id, True))
            else:
                writes.contacts.append((customer.id, kind, value, normalized, True, stamp))
            is_changed = True
        return is_changed

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
        _granted, asked_about = answers.get(ConsentEvent.Purpose.MARKETING, (False, ""))
        is_changed = False
        for purpose in ConsentEvent.Purpose.values:
            was_granted, source = answers.get(purpose, (False, ""))
            if source not in ("", SOURCE) or was_granted == bool(consent):
                continue
            if asked_about not in ("", SOURCE):
                continue  # whoever spoke about offers is not taken to have spoken about more
            if not self._takes(customer, "marketing_consent", source):
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


def _terms(customer: Known) -> set[tuple[str, str]]:
    return search_terms(
        name=customer.plain[0], contacts=customer.contacts, external_id=customer.external_id
    )
