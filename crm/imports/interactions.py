"""Import of contacts: who of us and the customer were in touch, when, how, and what was said."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Max
from django.utils.translation import gettext as _

from common.errors import DomainError
from common.time import now
from common.validators import clean_text
from crm.imports import columns as read
from crm.imports.columns import Column, Stored
from crm.imports.contact_surroundings import Surroundings, conversations_of
from crm.imports.interaction_rows import (
    INBOUND,
    TOLD,
    Contact,
    Known,
    PastContacts,
    Problem,
    aware,
    known_contacts,
)
from crm.imports.kinds import Checked, Counts, Kind, register_kind
from crm.imports.lookups import customer_column, customer_lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.models import Channel, Conversation, ImportBatch, Interaction
from crm.selectors.identity import persons_of
from crm.services.interactions import NewContact, change_interaction, post_interaction

SOURCE = "import"
LIVE_WEIGHT = 200  # of a contact that goes the way of the pages: about ten statements
TEXT_A_ROW = 500  # characters that count as a table row more


@register_kind
class Interactions(Kind):
    """Contacts by the caller's id, which is unique among imported ones.

    A past contact goes into a closed conversation of its customer and channel, and nobody waits for
    an answer to it. A live one is taken down as in the pages: it joins the open conversation,
    starts or stops the response clock, and tells who is mentioned.
    """

    name = "interactions"
    key = "external_id"
    order = 60
    derived: ClassVar = {"author_name": "author"}
    stored = ("customer_id", "channel", "direction", *TOLD)

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of contacts."""
        return [
            Column("external_id", read.line(64), is_required=True),
            customer_column(mapping),
            Column("occurred_at", read.instant(mapping), is_required=True),
            Column("channel", read.choice(*Channel.values), is_required=True),
            Column("direction", read.choice(*Interaction.Direction.values)),
            Column("author", read.line(120)),
            Column("text", _text),
        ]

    @property
    def is_live(self) -> bool:
        """Whether new contacts are taken down as in the pages."""
        return self.context.entry == ImportBatch.Mode.LIVE

    def complete(self, checked: Checked) -> None:
        """Look up customers."""
        if not hasattr(self, "_customers"):
            self._customers = customer_lookup(self.context.mapping)
        checked.resolve("customer_id", self._customers)
        nothing = [None] * len(checked.lines)
        checked.columns["author_name"] = checked.columns.get("author", nothing)

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return one contact; of its rows the last filled cell counts, but they name one person."""
        first = rows[0]
        reason = _("Line %(line)s gives this contact to another customer.") % {"line": first[0]}
        self.refuse((row[0], "customer_id", "", reason) for row in rows if row[2] != first[2])
        told = list(first[2:])
        for row in rows[1:]:
            if row[2] == first[2]:
                told = [old if new is None else new for old, new in zip(told, row[2:], strict=True)]
        return key, (first[0], *told)

    def weight(self, rows: list[Row]) -> int:
        """A contact, its words, its conversation and its customer's figures."""
        text = sum(len(row[7] or "") for row in rows)
        return (LIVE_WEIGHT if self.is_live else 4) + text // TEXT_A_ROW

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Take new contacts down, and mend known ones."""
        known = known_contacts([key for key, _row in records], SOURCE)
        people = {one.customer_id for one in known.values()} | {row[1] for _key, row in records}
        persons = persons_of(people)
        work = PastContacts(self, stamp, SOURCE)
        counts = Counts()
        self._newest = Conversation.objects.aggregate(newest=Max("pk"))["newest"] or 0
        around = self._surroundings(records, known)
        for key, (line, customer_id, *told) in records:
            contact = Contact(key, customer_id, *told)
            found = known.get(key)
            if found is None:
                problem, outcome = self._take_down(contact, work), "created"
            elif problem := contact.contradicts(found, persons):
                pass
            elif (wanted := self.overwritten(TOLD, found.told, contact.told)) == found.told:
                outcome = "unchanged"
            else:
                problem, outcome = self._mend(found, wanted, work), "updated"
            if problem:
                self.refuse([(line, *problem)])
                continue
            setattr(counts, outcome, getattr(counts, outcome) + 1)
            self.note(key, outcome)
        if around:
            around.note(self.trail, stamp=stamp)
        if not self.context.is_dry_run:
            work.write()
        return counts

    def _surroundings(self, records: list[Any], known: dict[str, Known]) -> Surroundings | None:
        """Return how things stand around contacts that go the way of the pages; None for none."""
        moving = {one.conversation_id for one in known.values() if not one.is_resting}
        if self.context.is_dry_run or not (self.is_live or moving):
            return None
        customers = {row[1] for _key, row in records}
        owned = conversations_of(customers) if self.is_live else []
        return Surroundings(
            conversation_ids=moving.union(owned),
            customer_ids=customers | {one.customer_id for one in known.values()},
            clocks=True,
        )

    def _take_down(self, contact: Contact, work: PastContacts) -> Problem:
        if not self.is_live:
            work.add(contact)
            return None
        if self.context.is_dry_run:
            return None
        new = NewContact(
            channel=contact.channel,
            direction=contact.direction or INBOUND,
            customer_id=contact.customer_id,
            text=contact.text or "",
            occurred_at=aware(contact.occurred_at),
            source=SOURCE,
            external_id=contact.key,
            author_name=contact.author_name or "",
        )
        try:
            made, _is_new = post_interaction(
                contact=new, happened_at=now(), actor=self.context.actor
            )
        except DomainError as error:
            return "", "", str(error)
        self.trail.made(Interaction, [made.pk])
        if made.conversation_id > self._newest:
            self.trail.made(Conversation, [made.conversation_id])
            self._newest = made.conversation_id
        return None

    def _mend(self, found: Known, wanted: Row, work: PastContacts) -> Problem:
        """Correct a contact: a resting one with all others of the portion, else as the pages do."""
        self.trail.compared(
            Interaction, found.id, TOLD, found.told, wanted, customer_id=found.customer_id
        )
        if self.context.is_dry_run:
            return None
        if found.is_resting:
            work.mend(found, wanted)
            return None
        occurred_at, author_name, text = wanted
        try:
            change_interaction(
                interaction_id=found.id,
                happened_at=now(),
                actor=self.context.actor,
                occurred_at=aware(occurred_at),
                text=text,
            )
        except DomainError as error:
            return "", "", str(error)
        Interaction.objects.filter(pk=found.id).update(author_name=author_name)
        return None


def _text(text: str) -> Stored:
    """Words over several lines."""
    return clean_text(text) or None
