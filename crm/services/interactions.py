"""Taking contacts down: from the log form, the reply composer, and systems that post them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.validators import clean_line, clean_text
from crm.models import Channel, Conversation, Customer, Interaction, Notification, Task
from crm.selectors.identity import siblings_of
from crm.selectors.promises import usually_needs_answer
from crm.services.contact_facts import note_interaction
from crm.services.conversations import link_customer, shut
from crm.services.notifications import mentioned_users, notify
from crm.services.response_clocks import settle_conversation
from crm.services.tasks import open_task
from crm.services.uniqueness import refusing_doubles

Direction = Interaction.Direction
State = Conversation.State
STAFF = "staff"


class InteractionTaken(Conflict):
    """The source already posted another contact under this id."""

    code = "interaction_taken"
    message = _("This source posted another contact under this id.")


class NobodyToSendTo(InvalidInput):
    """A reply that should go out by email has no known customer to go to."""

    code = "nobody_to_send_to"
    message = _("Only a known customer can be written to from here, and only by email.")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A task that comes of a contact. assignee_id: None leaves it to the team."""

    title: str
    due_at: datetime
    assignee_id: int | None = None


@transaction.atomic
def record_interaction(
    *,
    contact: NewContact,
    happened_at: datetime,
    actor: str,
    follow_up: FollowUp | None = None,
) -> Interaction:
    """Take a contact down, with the task that comes of it, and return it.

    As :func:`post_interaction`; a refused task leaves nothing written.

    :raises InvalidInput: the task has no title, or nobody could do it.
    """
    interaction, _is_new = post_interaction(contact=contact, happened_at=happened_at, actor=actor)
    if follow_up is not None:
        open_task(
            title=follow_up.title,
            due_at=follow_up.due_at,
            assignee_id=follow_up.assignee_id,
            customer_id=interaction.customer_id,
            location_id=interaction.location_id,
            origin=Task.Origin.CONTACT,
            source_key=f"contact:{interaction.ref}",
            subject_kind="conversation",
            subject_ref=interaction.conversation.ref,
            interaction_id=interaction.pk,
            happened_at=happened_at,
            actor=actor,
        )
    return interaction


@transaction.atomic
def post_interaction(
    *, contact: NewContact, happened_at: datetime, actor: str
) -> tuple[Interaction, bool]:
    """Take a contact down; return it and whether it is new.

    The same source, external id and request hash return the first one. Starts or stops response
    clocks, tells mentioned colleagues, and remembers when the customer was last in touch. Locks
    the conversation until commit.

    :raises InteractionTaken: the source's id stands for another contact; nothing is written.
    :raises NobodyToSendTo: ``to_send`` without a known customer or by another channel.
    :raises ValidationError: a text can't be used; nothing is written.
    """
    _check(contact)
    if known := _known(contact):
        return known, False
    occurred_at = contact.occurred_at or happened_at
    conversation, is_new = _conversation_for(contact, occurred_at)
    if conversation.customer_id is None and contact.customer_id is not None:
        # The sender turns out to be somebody we know.
        conversation = link_customer(
            conversation_id=conversation.pk,
            customer_id=contact.customer_id,
            happened_at=happened_at,
            actor=actor,
        )
        _stretch(conversation, occurred_at)
    needs_answer = contact.needs_answer
    if needs_answer is None:
        needs_answer = usually_needs_answer(
            channel=contact.channel, direction=contact.direction, outcome=contact.outcome
        )
    interaction = Interaction(
        conversation=conversation,
        customer_id=contact.customer_id or conversation.customer_id,
        location_id=contact.location_id or conversation.location_id,
        channel=contact.channel,
        direction=contact.direction,
        outcome=contact.outcome,
        text=clean_text(contact.text),
        author_id=contact.author_id,
        author_name=clean_line(contact.author_name, max_length=120),
        source=clean_line(contact.source, max_length=40),
        external_id=contact.external_id,
        occurred_at=occurred_at,
        recorded_at=happened_at,
        needs_answer=needs_answer and contact.direction == Direction.INBOUND,
        to_send=contact.to_send,
        request_hash=contact.request_hash,
    )
    with refusing_doubles(lambda: _refuse_taken(contact)):
        interaction.save()
    settle_conversation(conversation, since=occurred_at)
    interaction.refresh_from_db(fields=["due_at", "answered_at", "answered_by", "response_seconds"])
    _go_on(conversation, interaction, keep_open=contact.keep_open, is_new=is_new)
    conversation.save()
    record_event(
        kind="interaction.recorded",
        subject_kind="interaction",
        subject_ref=interaction.ref,
        customer_id=interaction.customer_id,
        occurred_at=occurred_at,
        actor=actor,
        codes={
            "ref": interaction.ref,
            "channel": interaction.channel,
            "direction": interaction.direction,
            "outcome": interaction.outcome,
        },
    )
    note_interaction(interaction)
    if interaction.author_id is not None:
        _tell_mentioned(interaction, happened_at)
    return interaction, True


@transaction.atomic
def change_interaction(
    *, interaction_id: int, happened_at: datetime, actor: str, **changes: Any
) -> Interaction:
    """Mend a contact's ``text``, ``outcome``, ``occurred_at`` or ``needs_answer``, and return it.

    The response clocks of its conversation settle anew. What changed is recorded as an event, the
    texts before and after in its erasable side row.

    :raises TypeError: another field.
    :raises ValidationError: the text can't be used; nothing is written.
    """
    if unknown := changes.keys() - {"text", "outcome", "occurred_at", "needs_answer"}:
        raise TypeError(f"not to be changed: {sorted(unknown)}")
    found = Interaction.objects.get(pk=interaction_id)
    conversation = Conversation.objects.select_for_update().get(pk=found.conversation_id)
    interaction = Interaction.objects.get(pk=interaction_id)
    if "text" in changes:
        changes["text"] = clean_text(changes["text"])
    if changes.get("needs_answer") and interaction.direction != Direction.INBOUND:
        raise InvalidInput(fields={"needs_answer": [str(_("Only a customer's contact waits."))]})
    before = {name: getattr(interaction, name) for name in changes}
    changed = sorted(name for name, value in changes.items() if before[name] != value)
    if not changed:
        return interaction
    since = min(interaction.occurred_at, changes.get("occurred_at", interaction.occurred_at))
    for name in changed:
        setattr(interaction, name, changes[name])
    if changed == ["text"]:
        interaction.save(update_fields=changed)
    else:
        _settle_anew(conversation, interaction, since=since)
    record_event(
        kind="interaction.changed",
        subject_kind="interaction",
        subject_ref=interaction.ref,
        customer_id=interaction.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"fields": changed, "channel": interaction.channel},
        detail={
            name: [str(before[name]), str(getattr(interaction, name))]
            for name in changed
            if name != "text" or not interaction.is_internal
        },
    )
    interaction.refresh_from_db()
    return interaction


def _settle_anew(conversation: Conversation, interaction: Interaction, *, since: datetime) -> None:
    # Forgotten, so that the clock works it out again.
    interaction.due_at = interaction.answered_at = None
    interaction.answered_by = interaction.response_seconds = None
    interaction.save()
    was_waiting = conversation.waiting_since is not None
    settle_conversation(conversation, since=since)
    interaction.refresh_from_db(fields=["answered_at"])
    times = Interaction.objects.filter(conversation=conversation).order_by("occurred_at")
    first, last = times.first(), times.last()
    if first is not None and last is not None:
        conversation.opened_at, conversation.last_at = first.occurred_at, last.occurred_at
    _go_on(conversation, interaction, waits_again=not was_waiting)
    conversation.save()
    note_interaction(interaction)


def _check(contact: NewContact) -> None:
    for name, choices in (
        ("channel", Channel),
        ("direction", Direction),
        ("outcome", Interaction.Outcome),
    ):
        if getattr(contact, name) not in choices.values:
            raise InvalidInput(fields={name: [str(_("There is no such choice."))]})
    if contact.to_send and (
        contact.channel != Channel.EMAIL
        or contact.direction != Direction.OUTBOUND
        or contact.customer_id is None
        or not contact.text.strip()
    ):
        raise NobodyToSendTo


def _known(contact: NewContact) -> Interaction | None:
    if contact.external_id is None:
        return None
    known = Interaction.objects.filter(
        source=contact.source, external_id=contact.external_id
    ).first()
    # Erased, or imported: nothing is left to compare with, so it is what it was.
    if known and known.request_hash and known.request_hash != contact.request_hash:
        raise InteractionTaken(fields={"external_id": [str(InteractionTaken.message)]})
    return known


def _refuse_taken(contact: NewContact) -> None:
    if _known(contact) is not None:
        raise InteractionTaken(fields={"external_id": [str(InteractionTaken.message)]})


def _conversation_for(contact: NewContact, occurred_at: datetime) -> tuple[Conversation, bool]:
    """Return the conversation the contact belongs to, locked, and whether it just began."""
    found = _find_conversation(contact)
    if found is not None:
        conversation = Conversation.objects.select_for_update().get(pk=found)
        _stretch(conversation, occurred_at)
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
    except IntegrityError:  # the thread began meanwhile
        return _conversation_for(contact, occurred_at)
    return conversation, True


def _stretch(conversation: Conversation, occurred_at: datetime) -> None:
    conversation.last_at = max(conversation.last_at, occurred_at)
    conversation.opened_at = min(conversation.opened_at, occurred_at)


def _find_conversation(contact: NewContact) -> int | None:
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


def _go_on(
    conversation: Conversation,
    interaction: Interaction,
    *,
    keep_open: bool = False,
    is_new: bool = False,
    waits_again: bool = False,
) -> None:
    """Open, wake or close a settled conversation after one of its contacts came or changed.

    waits_again: nobody waited before, so that whoever waits now opens it.
    """
    waits = interaction.needs_answer and interaction.answered_at is None
    waits = waits or (waits_again and conversation.waiting_since is not None)
    joins = interaction.direction == Direction.OUTBOUND and not is_new
    if interaction.author_id and conversation.assignee_id is None and (waits or joins):
        conversation.assignee_id = interaction.author_id
    if waits:
        conversation.state, conversation.closed_at = State.OPEN, None
        conversation.snoozed_until = None
    elif conversation.waiting_since is None and not keep_open and conversation.state == State.OPEN:
        ends = interaction.direction == Direction.OUTBOUND and interaction.is_real
        if is_new or ends:
            shut(conversation, interaction.occurred_at)


def _tell_mentioned(interaction: Interaction, happened_at: datetime) -> None:
    mentioned = set(mentioned_users(interaction.text)) - {interaction.author_id}
    if mentioned:
        notify(
            user_ids=mentioned,
            kind=Notification.Kind.MENTION,
            subject_kind="conversation",
            subject_ref=interaction.conversation.ref,
            customer_id=interaction.customer_id,
            source_key=f"mention:{interaction.ref}",
            happened_at=happened_at,
        )
