"""What contacts change around them, noted so that an import of contacts can be undone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from crm.imports.bulk import fetch_rows
from crm.imports.scratch import Row
from crm.imports.trail import Trail
from crm.models import ContactCadence, Conversation, Interaction
from crm.selectors.identity import groups_of

Watched = tuple[type[Any], str, Collection[int], tuple[str, ...]]
_SPAN = ("opened_at", "last_at", "closed_at")
_CLOCK = ("due_at", "answered_at", "answered_by_id", "response_seconds")
_COURSE = (*_SPAN, "state", "assignee_id", "waiting_since", "due_at", "snoozed_until")
_RHYTHM = ("last_contact_at", "next_due_at")


class Surroundings:
    """How conversations, response clocks and rhythms stand before a portion of contacts.

    Their rows are read again by :meth:`note`; those that were made meanwhile don't count.
    """

    def __init__(
        self, *, conversation_ids: Collection[int], customer_ids: Collection[int], clocks: bool
    ) -> None:
        """conversation_ids: that are there. clocks: whether contacts may start or stop any."""
        columns = _COURSE if clocks else _SPAN
        self._watched: list[Watched] = [(Conversation, "id", conversation_ids, columns)]
        if clocks:
            self._watched.append((Interaction, "conversation_id", conversation_ids, _CLOCK))
        if customer_ids and ContactCadence.objects.exists():
            records = {one for group in groups_of(customer_ids).values() for one in group}
            self._watched.append((ContactCadence, "customer_id", records, _RHYTHM))
        self._before = [_read(one) for one in self._watched]

    def note(self, trail: Trail, *, stamp: str) -> None:
        """Note what changed. stamp: now, as stored; a rhythm whose task was done begins anew then.

        The task that waited for the contact stays done, so there is none any more to wait for.
        """
        for watched, held in zip(self._watched, self._before, strict=True):
            model, _where, _among, names = watched
            for row_id, (customer_id, *wanted) in _read(watched).items():
                if row_id not in held:
                    continue
                before = list(held[row_id][1:])
                if model is ContactCadence and before != wanted:
                    before[1] = before[1] or stamp
                trail.compared(model, row_id, names, before, wanted, customer_id=customer_id)


def conversations_of(customer_ids: Iterable[int]) -> list[int]:
    """Return the conversations of persons, of all their records."""
    records = {one for group in groups_of(set(customer_ids)).values() for one in group}
    rows = fetch_rows(Conversation, ("id",), where="customer_id", among=sorted(records))
    return [row_id for (row_id,) in rows]


def _read(watched: Watched) -> dict[int, Row]:
    model, where, among, names = watched
    rows = fetch_rows(model, ("id", "customer_id", *names), where=where, among=sorted(among))
    return {row[0]: row[1:] for row in rows}
