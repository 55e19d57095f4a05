"""Which conversation a contact belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from common.validators import clean_line
from crm.models import Conversation, Customer, Interaction
from crm.selectors.identity import siblings_of

STAFF = "staff"
Direction = Interaction.Direction
State = Conversation.State


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """A contact to take down.

    customer_id: None for a sender nobody knows; ``sender`` then says how the channel names them.
    occurred_at: aware; None means when it is recorded.
    conversation_id: where it belongs, if known; else ``thread`` of the source says so, else an
        open conversation of the customer is found, else a new one begins.
    source: ``staff`` for people, else the system that posts it; with ``external_id`` unique.
    needs_answer: None leaves it to channel and outcome, see ``usually_needs_answer``.
    keep_open: a real outbound contact closes its conversation if nobody waits any more, unless so.
    to_send: an email to a known customer that shall go out.
    request_hash: of what the source posted; the same again is the same contact.
    """

    channel: str
    direction: str
    customer_id: int | None = None
    sender: str = ""
    subject: str = ""
    text: str = ""
    outcome: str = ""
    occurred_at: datetime | None = None
    conversation_id: int | None = None
    location_id: int | None = None
    source: str = STAFF
    external_id: str | None = None
    thread: str | None = None
    author_id: int | None = None
    author_name: str = ""
    needs_answer: bool | None = None
    keep_open: bool = False
    to_send: bool = False
    request_hash: str = ""


def conversation_for(contact: NewContact, occurred_at: datetime) -> tuple[Conversation, bool]:
    """Return the conversation the contact belongs to, locked, and whether it just began."""
    found = _find(contact)
    if found is not None:
        conversation = Conversation.objects.select_for_update().get(pk=found)
        stretch(conversation, occurred_at)
        return conversation, False
    location_id = contact.location_id
    if location_id is None and contact.customer_id is not None:
        location_id = (
            Customer.objects.filter(pk=contact.customer_id)
            .values_list("location_id", flat=True)
            .first()
        )
    conversation = Conversation(
        customer_id=contact.customer_id,
        sender=clean_line(contact.sender, max_length=254),
        channel=contact.channel,
        location_id=location_id,
        subject=clean_line(contact.subject, max_length=255),
        source=contact.source,
        thread=contact.thread or None,
        last_at=occurred_at,
        opened_at=occurred_at,
    )
    try:
        with transaction.atomic():
            conversation.save()
    except IntegrityError:
        if not contact.thread:
            raise
        # The thread began meanwhile.
        return conversation_for(contact, occurred_at)
    return conversation, True


def stretch(conversation: Conversation, occurred_at: datetime) -> None:
    """Let a conversation span the time of a contact; the caller saves."""
    conversation.last_at = max(conversation.last_at, occurred_at)
    conversation.opened_at = min(conversation.opened_at, occurred_at)


def _find(contact: NewContact) -> int | None:
    conversations = Conversation.objects.values_list("pk", flat=True)
    if contact.conversation_id is not None:
        return conversations.get(pk=contact.conversation_id)
    if contact.thread:
        return conversations.filter(source=contact.source, thread=contact.thread).first()
    open_ones = conversations.filter(state=State.OPEN)
    if contact.customer_id is not None:
        own = open_ones.filter(customer_id__in=siblings_of(contact.customer_id))
        if contact.direction != Direction.INBOUND and contact.source == STAFF:
            # A colleague who calls back answers an email as well: the longest waiting comes first.
            waiting = own.filter(waiting_since__isnull=False).order_by("waiting_since", "pk")
            if (found := waiting.first()) is not None:
                return found
        own = own.filter(channel=contact.channel, thread__isnull=True)
        return own.order_by("-last_at", "-pk").first()
    if contact.sender:
        unknown = open_ones.filter(
            customer__isnull=True,
            source=contact.source,
            sender=contact.sender,
            channel=contact.channel,
            thread__isnull=True,
        )
        return unknown.order_by("-last_at", "-pk").first()
    return None
