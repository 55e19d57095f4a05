"""Contacts and their conversations as rows of the tables: what is known, and what past ones add."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db import connection
from django.utils.translation import gettext as _

from common.refs import looks_like_ref, new_refs
from crm.imports.bulk import (
    MOST_PARAMETERS,
    as_stored,
    fetch_rows,
    insert_rows,
    portions,
    update_rows,
)
from crm.imports.contact_surroundings import Surroundings
from crm.imports.scratch import Row
from crm.models import ContactCadence, Conversation, Customer, Interaction
from crm.selectors.identity import groups_of
from crm.services.cadences import contact_made
from crm.services.customer_figures import add_contacts, refresh_figures

if TYPE_CHECKING:
    from crm.imports.kinds import Kind

INBOUND, INTERNAL = Interaction.Direction.INBOUND, Interaction.Direction.INTERNAL
TOLD = ("occurred_at", "author_name", "text")  # what may be corrected
PAST = "history:"  # how threads of past conversations begin
Problem = tuple[str, str, str] | None  # column, value, reason
# An import's conversation spans its contacts, whichever were added or moved.
_SPAN = """
    UPDATE crm_conversation SET
        opened_at = (SELECT MIN(occurred_at) FROM crm_interaction
                     WHERE conversation_id = crm_conversation.id),
        last_at = (SELECT MAX(occurred_at) FROM crm_interaction
                   WHERE conversation_id = crm_conversation.id),
        closed_at = (SELECT MAX(occurred_at) FROM crm_interaction
                     WHERE conversation_id = crm_conversation.id)
    WHERE id IN ({places})
"""


@dataclass(slots=True)
class Contact:
    """A contact as the file tells it; None where it says nothing. occurred_at: as stored."""

    key: str
    customer_id: int
    channel: str
    direction: str | None
    occurred_at: str
    author_name: str | None
    text: str | None

    @property
    def told(self) -> Row:
        """Its values of ``TOLD``."""
        return self.occurred_at, self.author_name, self.text

    def contradicts(self, known: Known, persons: Mapping[int, int]) -> Problem:
        """Return why the file can't mean the contact that is known by its id.

        persons: record → person, of both customers.
        """
        if persons[self.customer_id] != persons[known.customer_id]:
            return "customer_id", "", _("This contact is another customer's.")
        if self.channel != known.channel:
            return "channel", self.channel, _("This contact is known by another channel.")
        if self.direction not in (None, known.direction):
            return "direction", self.direction or "", _("This contact went the other way.")
        return None


@dataclass(slots=True)
class Known:
    """A contact that is there. is_resting: of an import's past, so no clock depends on it."""

    id: int
    customer_id: int
    conversation_id: int
    channel: str
    direction: str
    told: Row = ()
    is_resting: bool = False


def known_contacts(keys: Sequence[str], source: str) -> dict[str, Known]:
    """Return the contacts of a source by its ids, locked."""
    names = ("id", "customer_id", "conversation_id", "channel", "direction", *TOLD)
    found: dict[str, Known] = {}
    for portion in portions(keys, MOST_PARAMETERS):
        rows = Interaction.objects.filter(source=source, external_id__in=portion)
        rows = rows.select_for_update(of=("self",)).order_by("pk")
        for row in rows.values_list("external_id", "conversation__thread", *names):
            known = Known(*row[2:7])
            known.is_resting = (row[1] or "").startswith(PAST)
            known.told = tuple(map(as_stored, row[7:]))
            found[row[0] or ""] = known
    for portion in portions([key for key in keys if looks_like_ref(key)], MOST_PARAMETERS):
        # As our own files name contacts that came another way: by their ref.
        others = Interaction.objects.filter(ref__in=portion)
        others = others.select_for_update(of=("self",)).order_by("pk")
        for row in others.values_list("ref", "author__email", *names):
            known = Known(*row[2:7])
            told = tuple(map(as_stored, row[7:]))
            known.told = (told[0], row[1] or told[1], told[2])
            found.setdefault(row[0], known)
    return found


def aware(stored: str) -> datetime:
    """Return the instant that is stored as this text."""
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


class PastContacts:
    """The past contacts of one portion: each in the closed conversation of customer and channel."""

    def __init__(self, kind: Kind, stamp: str, source: str) -> None:
        self.kind, self.stamp, self.source = kind, stamp, source
        self._new: list[Contact] = []
        self._mended: list[tuple[Known, Row]] = []

    def add(self, contact: Contact) -> None:
        """Take a contact that was not known."""
        self._new.append(contact)

    def mend(self, known: Known, wanted: Row) -> None:
        """Let a known one be what the file says."""
        self._mended.append((known, wanted))

    def write(self) -> None:
        """Write the rows in the caller's transaction, and what follows from them."""
        update_rows(Interaction, TOLD, [(*wanted, known.id) for known, wanted in self._mended])
        moved = [known for known, wanted in self._mended if known.told[0] != wanted[0]]
        found = self._known_conversations()
        touched = {known.conversation_id for known in moved} | set(found.values())
        around = Surroundings(
            conversation_ids=touched,
            customer_ids={contact.customer_id for contact in self._new},
            clocks=False,
        )
        touched |= self._insert(found)
        for ids in portions(sorted(touched), MOST_PARAMETERS):
            with connection.cursor() as cursor:
                cursor.execute(_SPAN.format(places=", ".join(["%s"] * len(ids))), ids)
        refresh_figures({known.customer_id for known in moved})
        around.note(self.kind.trail, stamp=self.stamp)

    def _known_conversations(self) -> dict[str, int]:
        """Return thread → conversation of those that are there."""
        found: dict[str, int] = {}
        for threads in portions({_thread(contact) for contact in self._new}, MOST_PARAMETERS):
            rows = Conversation.objects.filter(source=self.source, thread__in=threads)
            found.update((thread or "", pk) for thread, pk in rows.values_list("thread", "pk"))
        return found

    def _insert(self, found: Mapping[str, int]) -> set[int]:
        """Write new contacts; return their conversations. found: those that are there."""
        if not self._new:
            return set()
        customers = {contact.customer_id for contact in self._new}
        shops = dict(fetch_rows(Customer, ("id", "location_id"), where="id", among=customers))
        conversations = self._conversations(shops, found)
        ids = self.kind.new_ids(Interaction, len(self._new))
        rows = [
            (
                row_id,
                ref,
                conversations[_thread(contact)],
                contact.customer_id,
                shops[contact.customer_id],
                contact.channel,
                contact.direction or INBOUND,
                "",
                contact.text or "",
                contact.author_name or "",
                self.source,
                contact.key,
                contact.occurred_at,
                self.stamp,
                False,
            )
            for row_id, ref, contact in zip(ids, new_refs(len(ids)), self._new, strict=True)
        ]
        insert_rows(
            Interaction,
            (
                "id",
                "ref",
                "conversation_id",
                "customer_id",
                "location_id",
                "channel",
                "direction",
                "outcome",
                "text",
                "author_name",
                "source",
                "external_id",
                "occurred_at",
                "recorded_at",
                "needs_answer",
            ),
            rows,
        )
        self.kind.trail.made(Interaction, ids)
        self._keep_figures()
        return set(conversations.values())

    def _conversations(
        self, shops: Mapping[int, int | None], found: Mapping[str, int]
    ) -> dict[str, int]:
        """Return thread → conversation, making those that lack."""
        wanted = {_thread(contact): contact for contact in self._new}
        lacking = [contact for thread, contact in wanted.items() if thread not in found]
        ids = self.kind.new_ids(Conversation, len(lacking))
        rows_new = [
            (
                row_id,
                ref,
                contact.customer_id,
                shops[contact.customer_id],
                contact.channel,
                Conversation.State.CLOSED,
                self.source,
                _thread(contact),
                "",
                "",
                *[contact.occurred_at] * 3,  # they are set when its contacts stand
            )
            for row_id, ref, contact in zip(ids, new_refs(len(ids)), lacking, strict=True)
        ]
        insert_rows(
            Conversation,
            (
                "id",
                "ref",
                "customer_id",
                "location_id",
                "channel",
                "state",
                "source",
                "thread",
                "sender",
                "subject",
                "opened_at",
                "last_at",
                "closed_at",
            ),
            rows_new,
        )
        self.kind.trail.made(Conversation, ids)
        return {**found, **dict(zip(map(_thread, lacking), ids, strict=True))}

    def _keep_figures(self) -> None:
        """Remember when customers were last in touch; internal notes are no contact."""
        latest: dict[int, str] = {}
        for contact in self._new:
            if contact.direction != INTERNAL:
                before = latest.get(contact.customer_id, "")
                latest[contact.customer_id] = max(before, contact.occurred_at)
        add_contacts(latest.items())
        for customer_id in _in_a_rhythm(latest):
            contact_made(customer_id=customer_id, at=aware(latest[customer_id]))


def _thread(contact: Contact) -> str:
    return f"{PAST}{contact.customer_id}:{contact.channel}"


def _in_a_rhythm(customer_ids: Collection[int]) -> list[int]:
    """Return those of the customers who are to be contacted regularly, few are."""
    if not ContactCadence.objects.exists():
        return []
    groups = groups_of(customer_ids)
    records = {record for group in groups.values() for record in group}
    held: set[int] = set()
    for portion in portions(sorted(records), MOST_PARAMETERS):
        cadences = ContactCadence.objects.filter(customer_id__in=portion)
        held.update(cadences.values_list("customer_id", flat=True))
    return sorted(one for one, group in groups.items() if held.intersection(group))
