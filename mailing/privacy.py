"""Export and erasure of what mailing keeps about customers."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from crm.models import Task
from mailing.models import Message, MessageContent

State = Message.State


def export_messages(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return one row per message, oldest first."""
    rows = Message.objects.filter(customer_id__in=customer_ids).order_by("id")
    names = ("ref", "kind", "channel", "state", "reason", "recorded_at", "due_at", "sent_at")
    return [dict(row) for row in rows.values(*names)]


def stop_messages(customer_ids: list[int]) -> int:
    """Make sure nothing waiting goes out any more; what was sent stays as a fact without words."""
    return (
        _concerning(customer_ids)
        .filter(state=State.PENDING)
        .update(state=State.SUPPRESSED, reason="erased")
    )


def export_contents(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return the words of each message that is left."""
    rows = MessageContent.objects.filter(message__customer_id__in=customer_ids)
    names = ("message__ref", "message__template__key", "values", "address", "last_reply")
    return [dict(row) for row in rows.order_by("id").values(*names)]


def erase_contents(customer_ids: list[int]) -> int:
    """Delete the words; the message rows stay as facts."""
    contents = MessageContent.objects.filter(message__in=_concerning(customer_ids))
    return contents.delete()[0]


def _concerning(customer_ids: list[int]) -> QuerySet[Message]:
    """Messages to the customers, and those that reminded a colleague of what to do for them."""
    tasks = Task.objects.filter(customer_id__in=customer_ids)
    return Message.objects.filter(Q(customer_id__in=customer_ids) | Q(task__in=tasks))
