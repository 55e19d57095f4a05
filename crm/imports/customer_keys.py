"""By what a file of customers knows them: the external id, or an address.

An address means the person whose records hold it: the person's own record if it is among them,
else the one that was there first. That record is compared with the file and changed; the others
of a merged person stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import IntegrityError, connection
from django.utils.translation import gettext as _

from crm.imports.bulk import fetch_rows
from crm.imports.columns import Bad
from crm.imports.customer_rows import Known, known_customers
from crm.imports.forgotten import forgotten, forgotten_keys, refuse_forgotten
from crm.imports.kinds import Checked, Context
from crm.imports.lookups import (
    ADDRESSES,
    CustomerLookup,
    customer_lookup,
    records_by_address,
    several_people,
)
from crm.imports.scratch import Reject, Row, Scratch
from crm.models import ContactPoint, Customer

Refuse = Callable[[Iterable[Reject]], None]
Holder = tuple[int, str | None, int]  # record, external id, person


class Keys:
    """How the rows of one file of customers are matched. by: ``email``, ``phone``, or empty."""

    column = "matched_by"  # the address as it is compared

    def __init__(self, context: Context) -> None:
        self.by = context.mapping.match_by if context.mapping.match_by in ADDRESSES else ""
        self._lookup: CustomerLookup | None = None
        self._context = context

    def complete(self, checked: Checked) -> None:
        """See whom the rows mean; refuse those that mean several people, or somebody erased."""
        if not self.by:
            refuse_forgotten(checked, lambda places: _known_ids(checked, places))
            return
        self._lookup = lookup = self._lookup or customer_lookup(self._context.mapping)
        compared = ADDRESSES[self.by]
        cells = [
            compared(cell) if isinstance(cell, str) else None for cell in checked.columns[self.by]
        ]
        checked.columns[self.column] = list(cells)
        found = lookup.find(cells)
        for place, one in enumerate(found):
            if one is lookup.several:
                checked.spoil(self.by, place, lookup.several)
        records = {place: one for place, one in enumerate(found) if isinstance(one, int)}
        refuse_forgotten(checked, lambda places: places & records.keys())
        self._refuse_ids(checked, records)

    def _refuse_ids(self, checked: Checked, records: dict[int, int]) -> None:
        ids = {
            place: cell
            for place, cell in enumerate(checked.columns.get("external_id", ()))
            if isinstance(cell, str) and not isinstance(checked.columns[self.by][place], Bad)
        }
        if not ids:
            return
        holders = _holders("id", {records[place] for place in ids if place in records})
        owners = _holders("external_id", set(ids.values()))
        for place, external_id in ids.items():
            holder = holders.get(records.get(place, 0))
            if why := self._contradiction(external_id, holder, owners.get(external_id)):
                checked.spoil("external_id", place, why)

    def _contradiction(self, external_id: str, holder: Holder | None, owner: Holder | None) -> str:
        """Return why an id can't be that of who holds the address, if it can't.

        owner: whose id it is so far. Another record of the same person is no contradiction.
        """
        if holder is None:
            if owner is None:
                return ""
            return _("The customer with this id has another email or phone number.")
        if owner is not None:
            return "" if owner[2] == holder[2] else _("Another customer has this id.")
        return _("This customer has another id.") if holder[1] else ""

    def settle(self, scratch: Scratch, refuse: Refuse) -> None:
        """Refuse ids that the file gives to several addresses; the first one keeps it."""
        if not self.by or "external_id" not in scratch.kept:
            return
        rows = scratch.connection.execute(
            "WITH first AS (SELECT external_id AS id, MIN(line) AS line FROM line"
            " WHERE external_id IS NOT NULL GROUP BY external_id HAVING COUNT(DISTINCT key) > 1)"
            " SELECT other.line, first.id, first.line FROM first"
            " JOIN line AS begun ON begun.line = first.line"
            " JOIN line AS other ON other.external_id = first.id AND other.key <> begun.key"
        ).fetchall()
        reason = _("Line %(line)s gives this id to another customer.")
        refuse((line, "external_id", text, reason % {"line": first}) for line, text, first in rows)
        scratch.remove_lines(line for line, _text, _first in rows)

    def agreeing(self, rows: list[Row], refuse: Refuse) -> list[Row]:
        """Return the rows of one customer that don't give a second id; refuse the others."""
        first = next((row for row in rows if row[-1] is not None), rows[0])
        others = [row for row in rows if row[-1] not in (None, first[-1])]
        reason = _("Line %(line)s gives this customer another id.") % {"line": first[0]}
        refuse((row[0], "external_id", row[-1], reason) for row in others)
        return [row for row in rows if row[-1] in (None, first[-1])]

    def split(self, key: str, row: Row) -> tuple[str | None, Row]:
        """Return a record's external id and what else the file says."""
        return (row[-1], row[:-1]) if self.by else (key, row)

    def know(
        self, records: list[Any], stored: tuple[str, ...], scratch: Scratch, refuse: Refuse
    ) -> tuple[list[Any], dict[str, Known]]:
        """Return the records that can be applied, and what is known of them, locked.

        Whatever was checked before is looked at again: who was erased meanwhile is refused, and
        so is an address or id that somebody else was given.
        """
        keys = [key for key, _row in records]
        bad: dict[str, tuple[str, str]] = {}  # key → column, reason
        if self.by:
            known = self._lock(keys, bad)
            records = self._look_at_ids(records, known, bad)
        else:
            known = known_customers("external_id", keys)
        gone = forgotten_keys(
            (key, {"external_id": key} | dict(zip(stored, row, strict=True)))
            for key, row in records
            if key not in known
        )
        bad |= dict.fromkeys(gone, (self.by or "external_id", forgotten().reason))
        if not bad:
            return records, known
        for key, (column, reason) in bad.items():
            known.pop(key, None)
            refuse((line, column, "", reason) for line in scratch.lines_of([key]))
        return [(key, row) for key, row in records if key not in bad], known

    def _lock(self, addresses: list[str], bad: dict[str, tuple[str, str]]) -> dict[str, Known]:
        """Return the customers who hold the addresses.

        Until the transaction ends, nobody else is given an address: who wants to, waits. SQLite
        has one writer anyway. Customers are locked first, as everywhere.

        :raises IntegrityError: somebody was quicker; the portion is tried again.
        """
        holders = records_by_address(self.by, addresses)
        ids = {address: found[0] for address, found in holders.items() if len(found) == 1}
        by_id = known_customers("id", set(ids.values()))
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                table = connection.ops.quote_name(ContactPoint._meta.db_table)
                cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            if records_by_address(self.by, addresses) != holders:
                raise IntegrityError("addresses changed hands meanwhile")
        bad |= {
            address: (self.by, several_people(self.by))
            for address, found in holders.items()
            if len(found) > 1
        }
        return {address: by_id[record_id] for address, record_id in ids.items()}

    def _look_at_ids(
        self, records: list[Any], known: dict[str, Known], bad: dict[str, tuple[str, str]]
    ) -> list[Any]:
        """Return the records with the ids that can be given."""
        told = {key: row[-1] for key, row in records if row[-1] is not None}
        if not told:
            return records
        holders = _holders("id", {known[key].id for key in told if key in known})
        owners = _holders("external_id", set(told.values()))
        for key, external_id in told.items():
            holder = holders[known[key].id] if key in known else None
            if why := self._contradiction(external_id, holder, owners.get(external_id)):
                bad.setdefault(key, ("external_id", why))
        taken = {key for key, external_id in told.items() if external_id in owners}
        return [(key, (*row[:-1], None) if key in taken else row) for key, row in records]


def _holders(column: str, among: set[Any]) -> dict[Any, Holder]:
    rows = fetch_rows(
        Customer, (column, "id", "external_id", "person_id"), where=column, among=among
    )
    return {row[0]: (row[1], row[2], row[3] or row[1]) for row in rows}


def _known_ids(checked: Checked, places: set[int]) -> set[int]:
    """Return those of the places whose external id is a known customer's."""
    ids = checked.columns["external_id"]
    asked = {ids[place] for place in places if isinstance(ids[place], str)}
    rows = fetch_rows(Customer, ("external_id",), where="external_id", among=asked)
    known = {external_id for (external_id,) in rows}
    return {place for place in places if ids[place] in known}
