"""What becomes of a conversation: whose it is, until when it may rest, whether it is done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from crm.models import Attachment, Conversation, Customer, Interaction
from crm.selectors.absences import stand_ins_at
from crm.services.contact_facts import note_conversation
from crm.services.notifications import notify
from crm.services.response_clocks import settle_conversation

State = Conversation.State
PLACED = ("state", "assignee_id", "standing_in_for_id", "snoozed_until", "closed_at")
Before = dict[str, Any]  # a conversation's ref and what stood in PLACED, for taking it back


class ConversationLinked(Conflict):
    """The conversation already belongs to a customer."""

    code = "conversation_linked"
    message = _("This conversation already belongs to a customer.")


class ChangedMeanwhile(Conflict):
    """Somebody went on with it meanwhile."""

    code = "changed_meanwhile"
    message = _("Somebody went on with it meanwhile, so it stays as it is.")


@transaction.atomic
def assign_conversations(
    *,
    conversation_ids: Collection[int],
    assignee_id: int | None,
    happened_at: datetime,
    actor: str,
) -> list[Before]:
    """Give conversations to a colleague, or to nobody; return what was before of those changed.

    Who is away is stood in for. The new owner is notified unless they took it themselves.
    """
    present = stand_ins_at(happened_at).get(assignee_id or 0, assignee_id)
    changed = []
    for conversation in _locked(conversation_ids):
        if conversation.assignee_id == present:
            continue
        changed.append(_before(conversation))
        place_with(conversation, assignee_id, present, happened_at=happened_at, actor=actor)
        conversation.save(update_fields=["assignee", "standing_in_for"])
    return changed


def place_with(
    conversation: Conversation,
    assignee_id: int | None,
    present_id: int | None,
    *,
    happened_at: datetime,
    actor: str,
    is_hand_over: bool = False,
) -> None:
    """Set who has a locked conversation, tell them, and record it; the caller saves.

    present_id: who really takes it: the assignee, or who stands in for them.
    """
    former = conversation.assignee_id
    conversation.assignee_id = present_id
    conversation.standing_in_for_id = assignee_id if present_id != assignee_id else None
    kind = "handed_over" if is_hand_over else "assigned"
    record_event(
        kind=f"conversation.{kind}",
        subject_kind="conversation",
        subject_ref=conversation.ref,
        customer_id=conversation.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"from": former, "to": present_id, "for": conversation.standing_in_for_id},
    )
    if present_id is not None and actor != f"user:{present_id}":
        notify(
            user_ids=[present_id],
            kind=kind,
            subject_kind="conversation",
            subject_ref=conversation.ref,
            customer_id=conversation.customer_id,
            source_key=f"{kind}:{conversation.ref}:{happened_at.timestamp():.0f}",
            happened_at=happened_at,
        )


@transaction.atomic
def snooze_conversations(
    *,
    conversation_ids: Collection[int],
    until: datetime | None,
    happened_at: datetime,
    actor: str,
) -> list[Before]:
    """Let open conversations rest until an instant; None wakes them. Return what was before.

    A new contact from the customer wakes one by itself. The response clock goes on.

    :raises InvalidInput: the instant is past; nothing is written.
    """
    if until is not None and until <= happened_at:
        raise InvalidInput(fields={"until": [str(_("This time is over already."))]})
    changed = []
    for conversation in _locked(conversation_ids):
        if conversation.state != State.OPEN or conversation.snoozed_until == until:
            continue
        changed.append(_before(conversation))
        conversation.snoozed_until = until
        conversation.save(update_fields=["snoozed_until"])
        codes = {"until": until.isoformat() if until else None}
        _record("snoozed", conversation, happened_at, actor, codes)
    return changed


@transaction.atomic
def close_conversations(
    *,
    conversation_ids: Collection[int],
    happened_at: datetime,
    actor: str,
    needs_no_answer: bool = False,
) -> list[Before]:
    """Close conversations and return what was before of those that were open.

    Whoever still waits counts as not answered, unless ``needs_no_answer``: then the contacts that
    wait needed none, and leave the figures.
    """
    changed = []
    for conversation in _locked(conversation_ids):
        if conversation.state != State.OPEN:
            continue
        before = _before(conversation)
        waiting = Interaction.objects.filter(
            conversation=conversation, needs_answer=True, answered_at__isnull=True
        )
        count = waiting.count() if conversation.waiting_since else 0
        if needs_no_answer and count:
            before["needing_none"] = list(waiting.values_list("ref", flat=True))
            waiting.update(needs_answer=False, due_at=None)
            settle_conversation(conversation)
        changed.append(before)
        shut(conversation, happened_at)
        conversation.save()
        codes = {"waiting": count, "needs_no_answer": needs_no_answer}
        _record("closed", conversation, happened_at, actor, codes)
    return changed


@transaction.atomic
def reopen_conversation(*, conversation_id: int, happened_at: datetime, actor: str) -> None:
    """Open a closed conversation again; nothing happens to an open one."""
    for conversation in _locked([conversation_id]):
        if conversation.state == State.CLOSED:
            conversation.state, conversation.closed_at = State.OPEN, None
            conversation.save(update_fields=["state", "closed_at"])
            _record("reopened", conversation, happened_at, actor, {})


@transaction.atomic
def restore_conversations(
    *, before: list[Before], after: list[Before], happened_at: datetime, actor: str
) -> None:
    """Take back what was just done to conversations.

    before, after: what the services here returned, and :func:`states_of` right afterwards.

    :raises ChangedMeanwhile: one of them is not as it was left; nothing is written.
    """
    by_ref = {one["ref"]: one for one in after}
    conversations = Conversation.objects.select_for_update().filter(ref__in=by_ref)
    found = {one.ref: one for one in conversations.order_by("pk")}
    for earlier in before:
        conversation = found[earlier["ref"]]
        if any(getattr(conversation, name) != by_ref[conversation.ref][name] for name in PLACED):
            raise ChangedMeanwhile
        for name in PLACED:
            setattr(conversation, name, earlier[name])
        if refs := earlier.get("needing_none"):
            Interaction.objects.filter(ref__in=refs).update(needs_answer=True)
            settle_conversation(conversation)
        conversation.save()
        _record("restored", conversation, happened_at, actor, {})


def states_of(changed: Collection[Before]) -> list[Before]:
    """Return how the conversations of these changes stand now; one query."""
    refs = [one["ref"] for one in changed]
    return [_before(one) for one in Conversation.objects.filter(ref__in=refs)]


@transaction.atomic
def link_customer(
    *, conversation_id: int, customer_id: int, happened_at: datetime, actor: str
) -> Conversation:
    """Say which customer a sender nobody knew is; their contacts and files become the customer's.

    :raises ConversationLinked: it belongs to somebody already; nothing is written.
    """
    [conversation] = _locked([conversation_id])
    if conversation.customer_id is not None:
        raise ConversationLinked
    customer = Customer.objects.get(pk=customer_id)
    conversation.customer = customer
    conversation.location_id = conversation.location_id or customer.location_id
    conversation.save(update_fields=["customer", "location"])
    contacts = Interaction.objects.filter(conversation=conversation, customer__isnull=True)
    count = contacts.update(customer=customer)
    Attachment.objects.filter(interaction__conversation=conversation, customer__isnull=True).update(
        customer=customer
    )
    _record("linked", conversation, happened_at, actor, {"contacts": count})
    note_conversation(conversation)
    return conversation


def shut(conversation: Conversation, at: datetime) -> None:
    """Close a locked conversation; the caller saves and records."""
    conversation.state, conversation.closed_at = State.CLOSED, at
    conversation.snoozed_until = conversation.standing_in_for_id = None


def _locked(conversation_ids: Collection[int]) -> list[Conversation]:
    """Return the conversations, locked in order of id until the transaction ends."""
    rows = Conversation.objects.select_for_update().filter(pk__in=conversation_ids)
    return list(rows.order_by("pk"))


def _before(conversation: Conversation) -> Before:
    return {"ref": conversation.ref} | {name: getattr(conversation, name) for name in PLACED}


def _record(
    what: str,
    conversation: Conversation,
    happened_at: datetime,
    actor: str,
    codes: Mapping[str, Any],
) -> None:
    record_event(
        kind=f"conversation.{what}",
        subject_kind="conversation",
        subject_ref=conversation.ref,
        customer_id=conversation.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes=dict(codes),
    )
