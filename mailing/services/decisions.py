"""What is decided beside the sender: whether an unclear message arrived, what is not to be sent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.services import SYSTEM, record_event
from mailing.models import Message

State = Message.State


class NotUndecided(Conflict):
    """The message is in no state in which this is for an operator to say."""

    code = "not_undecided"
    message = _("Nothing is to be decided about this message any more.")


@transaction.atomic
def mark_message_sent(*, message_id: int, happened_at: datetime, actor: str) -> Message:
    """Note that an unclear message did arrive.

    :raises NotUndecided: the message isn't unclear; nothing is written.
    """
    message = Message.objects.select_for_update().get(pk=message_id)
    sent_at = message.handed_over_at or happened_at
    return _decide(
        message,
        {State.UNCERTAIN},
        "message.marked_sent",
        happened_at,
        actor,
        state=State.SENT,
        reason="operator",
        sent_at=sent_at,
    )


@transaction.atomic
def resend_message(*, message_id: int, happened_at: datetime, actor: str) -> Message:
    """Queue an unclear or failed message once more; it passes the gate again.

    Its Message-ID stays, so that many mail programs show a second copy only once.

    :raises NotUndecided: the message is neither unclear nor failed; nothing is written.
    """
    message = Message.objects.select_for_update().get(pk=message_id)
    return _decide(
        message,
        {State.UNCERTAIN, State.FAILED},
        "message.resent",
        happened_at,
        actor,
        state=State.PENDING,
        reason="",
        due_at=happened_at,
        claim="",
        handed_over_at=None,
    )


@transaction.atomic
def withdraw_messages(
    *, message_ids: Collection[int], reason: str, happened_at: datetime, actor: str = SYSTEM
) -> int:
    """Keep messages that still wait from being sent, and return how many those were.

    reason: code, for ``mailing.labels``.
    """
    waiting = Message.objects.select_for_update().filter(pk__in=message_ids, state=State.PENDING)
    found = list(waiting.order_by("pk"))
    for message in found:
        _decide(
            message,
            {State.PENDING},
            "message.suppressed",
            happened_at,
            actor,
            state=State.SUPPRESSED,
            reason=reason,
        )
    return len(found)


def _decide(
    message: Message,
    states: set[State],
    kind: str,
    happened_at: datetime,
    actor: str,
    **fields: Any,
) -> Message:
    if not Message.objects.filter(pk=message.pk, state__in=states).update(**fields):
        raise NotUndecided
    record_event(
        kind=kind,
        subject_kind="message",
        subject_ref=message.ref,
        customer_id=message.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"kind": message.kind, "was": message.state},
    )
    message.refresh_from_db()
    return message
