"""Taking contacts down: from the log form, the reply composer, and systems that post them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.validators import clean_line, clean_text
from crm.models import Channel, Conversation, Interaction, Notification, Task
from crm.selectors.promises import usually_needs_answer
from crm.services.contact_facts import note_interaction
from crm.services.conversations import link_customer, shut
from crm.services.notifications import mentioned_users, notify
from crm.services.response_clocks import settle_conversation
from crm.services.tasks import open_task
from crm.services.threads import NewContact, conversation_for, stretch
from crm.services.uniqueness import refusing_doubles

__all__ = [
    "FollowUp",
    "InteractionTaken",
    "NewContact",
    "NobodyToSendTo",
    "change_interaction",
    "post_interaction",
    "record_interaction",
]

Direction = Interaction.Direction
State = Conversation.State


class InteractionTaken(Conflict):
    """The source already posted another contact under this id."""

    code = "interaction_taken"
    message = _("This source posted another contact under this id.")


class NobodyToSendTo(InvalidInput):
    """A reply that should go out by email has no known customer to go to."""

    code = "nobody_to_send_to"
    message = _("Only a known customer can be written to from here, and only by email.")


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
    conversation, is_new = conversation_for(contact, occurred_at)
    if known := _known(contact):  # posted by another request while this one waited for the lock
        if is_new:
            conversation.delete()
        return known, False
    if conversation.customer_id is None and contact.customer_id is not None:
        # The sender turns out to be somebody we know.
        conversation = link_customer(
            conversation_id=conversation.pk,
            customer_id=contact.customer_id,
            happened_at=happened_at,
            actor=actor,
        )
        stretch(conversation, occurred_at)
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

    ``customer_id`` says whose conversation it is, where nobody was known. The response clocks of
    its conversation settle anew. What changed is recorded as an event, the texts before and after
    in its erasable side row.

    :raises TypeError: another field.
    :raises ValidationError: the text can't be used; nothing is written.
    :raises ConversationLinked: it belongs to another customer; nothing is written.
    """
    customer_id = changes.pop("customer_id", None)
    if unknown := changes.keys() - {"text", "outcome", "occurred_at", "needs_answer"}:
        raise TypeError(f"not to be changed: {sorted(unknown)}")
    found = Interaction.objects.get(pk=interaction_id)
    conversation = Conversation.objects.select_for_update().get(pk=found.conversation_id)
    if customer_id is not None and customer_id != found.customer_id:
        conversation = link_customer(
            conversation_id=conversation.pk,
            customer_id=customer_id,
            happened_at=happened_at,
            actor=actor,
        )
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
