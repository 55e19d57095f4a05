"""Codes of a file to database ids, a chunk at a time.

A customer is known by the external id or, where the mapping says so, by an email or phone: see
:func:`customer_column` and :func:`customer_lookup`, used by every kind that refers to customers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from common.validators import clean_email, clean_phone
from crm.imports import columns as read
from crm.imports.bulk import MOST_PARAMETERS, fetch_rows, portions
from crm.imports.columns import Bad, Column, Stored
from crm.imports.forgotten import erased_values, forgotten
from crm.imports.mapping import Mapping
from crm.models import ContactPoint, Customer, ErasedIdentity

MOST_KNOWN = 200_000  # records remembered: more than texts, since each costs a query
ADDRESSES = {"email": clean_email, "phone": clean_phone}  # what ``match_by`` may be beside the id


class Lookup:
    """Finds rows of a model by a unique text; remembers what it found."""

    def __init__(self, model: type[models.Model], name: str, unknown: str) -> None:
        """unknown: the reason given where nothing is found."""
        self.model, self.name, self.unknown = model, name, Bad(unknown)
        self.ids: dict[Stored | Bad, int | Bad | None] = {None: None}
        self.has_bad = False

    def find(self, texts: Sequence[Stored | Bad]) -> list[int | Bad | None]:
        """Return the id per text; None stays None, and what is bad stays bad."""
        if len(self.ids) > MOST_KNOWN:
            self.ids = {None: None}
        distinct = set(texts)
        new = [text for text in distinct - self.ids.keys() if isinstance(text, str)]
        if new:
            found = self.fetch(new)
            self.ids.update(found)
            self.has_bad |= any(isinstance(one, Bad) for one in found.values())
        for cell in distinct:
            if isinstance(cell, Bad):
                self.ids[cell] = cell
                self.has_bad = True
        return list(map(self.ids.__getitem__, texts))

    def fetch(self, texts: Sequence[str]) -> dict[Stored | Bad, int | Bad | None]:
        """Return the id, or why there is none, of each of the texts."""
        found = dict(fetch_rows(self.model, (self.name, "id"), where=self.name, among=texts))
        return {text: found.get(text, self.unknown) for text in texts}


class CustomerLookup(Lookup):
    """Finds customers by external id, or by an address as it is compared.

    An address is that of the person whose records hold it: the person's own record is meant if it
    is among them, else the one that was there first. One that several people have is bad, and so
    is the id or address of somebody erased whom nobody else shares it with.
    """

    def __init__(self, match_by: str, unknown: str) -> None:
        super().__init__(Customer, match_by or "external_id", unknown)
        self.forgotten = forgotten()
        self.several = Bad(several_people(self.name))

    def fetch(self, texts: Sequence[str]) -> dict[Stored | Bad, int | Bad | None]:
        """Return the id, or why there is none, of each of the texts."""
        if self.name in ADDRESSES:
            found: dict[Any, Any] = {
                address: ids[0] if len(ids) == 1 else self.several
                for address, ids in records_by_address(self.name, texts).items()
            }
        else:
            found = dict(fetch_rows(Customer, ("external_id", "id"), where=self.name, among=texts))
        unknown = [text for text in texts if text not in found]
        erased = erased_values(ErasedIdentity.Kind(self.name), unknown)
        for text in unknown:
            found[text] = self.forgotten if text in erased else self.unknown
        return found


def customer_column(
    mapping: Mapping, name: str = "customer_id", *, is_required: bool = True
) -> Column:
    """Return the column in which a file refers to a customer, by id or address as mapped.

    Its stored value is what :func:`customer_lookup` takes: an address as it is compared.
    """
    parse = ADDRESSES.get(mapping.match_by)
    return Column(name, parse or read.line(64), is_required=is_required)


def customer_lookup(mapping: Mapping) -> CustomerLookup:
    """Return what finds the customers whom cells of a :func:`customer_column` mean."""
    reasons = {
        "email": _("There is no customer with this email."),
        "phone": _("There is no customer with this phone number."),
    }
    unknown = reasons.get(mapping.match_by) or _("There is no customer with this id.")
    return CustomerLookup(mapping.match_by, unknown)


def several_people(match_by: str) -> str:
    """Return the reason why an address that several people have names nobody."""
    if match_by == "phone":
        return _("Several customers have this phone number. Give the id, or merge them first.")
    return _("Several customers have this email. Give the id, or merge them first.")


def records_by_address(kind: str, addresses: Collection[str]) -> dict[str, list[int]]:
    """Return address → one record per person who has it; addresses nobody has are left out.

    kind: ``email`` or ``phone``. addresses: as they are compared.
    Of a person's records that hold it, the person's own is meant, else the first one.
    """
    holders: dict[str, dict[int, int]] = {}
    for asked in portions(addresses, MOST_PARAMETERS):
        rows = (
            ContactPoint.objects.filter(kind=kind, normalized__in=asked)
            .order_by("customer_id")
            .values_list("normalized", "customer_id", "customer__person_id")
        )
        for address, record_id, person_id in rows:
            people = holders.setdefault(address, {})
            if person_id is None:
                people[record_id] = record_id
            else:
                people.setdefault(person_id, record_id)
    return {address: sorted(people.values()) for address, people in holders.items()}
