"""What contacts keep about customers; internal notes never leave, erasure leaves codes."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from common.time import now
from crm.models import Conversation, Interaction, Notification

Rows = list[dict[str, Any]]


def export_conversations(customer_ids: list[int]) -> Rows:
    """Conversations as their channels name them."""
    rows = Conversation.objects.filter(customer_id__in=customer_ids).order_by("opened_at", "pk")
    names = ("ref", "channel", "sender", "subject", "state", "source", "opened_at", "last_at")
    return [dict(row) for row in rows.values(*names)]


@transaction.atomic
def erase_conversations(customer_ids: list[int]) -> int:
    """Forget senders, subjects and the other systems' ids; nobody waits there any more."""
    rows = Conversation.objects.filter(customer_id__in=customer_ids)
    rows.filter(state=Conversation.State.OPEN).update(
        state=Conversation.State.CLOSED, closed_at=now(), snoozed_until=None, standing_in_for=None
    )
    personal = ~Q(sender="") | ~Q(subject="") | Q(thread__isnull=False)
    return rows.filter(personal).update(sender="", subject="", thread=None)


def export_interactions(customer_ids: list[int]) -> Rows:
    """Contacts with their texts."""
    return _rows(Interaction.objects.filter(customer_id__in=customer_ids))


def export_own_interactions(customer_ids: list[int]) -> Rows:
    """The same, without internal notes, which stay among colleagues."""
    contacts = Interaction.objects.filter(customer_id__in=customer_ids)
    return _rows(contacts.exclude(direction=Interaction.Direction.INTERNAL))


def _rows(contacts: QuerySet[Interaction]) -> Rows:
    names = ("ref", "channel", "direction", "outcome", "text", "author_name", "source")
    rows = contacts.order_by("occurred_at", "pk")
    return [dict(row) for row in rows.values(*names, "external_id", "occurred_at", "answered_at")]


def erase_interactions(customer_ids: list[int]) -> int:
    """Forget texts, names and other systems' ids; codes and times stay for the figures.

    The source's id of a contact stays, so that the same post again brings nothing back.
    """
    rows = Interaction.objects.filter(customer_id__in=customer_ids)
    personal = ~Q(text="") | ~Q(author_name="") | ~Q(request_hash="")
    return rows.filter(personal).update(text="", author_name="", request_hash="", to_send=False)


def export_notifications(customer_ids: list[int]) -> Rows:
    """Nothing: what a colleague was told about is told by the other tables."""
    return []


def erase_notifications(customer_ids: list[int]) -> int:
    """Forget that colleagues were pointed to the customer."""
    return Notification.objects.filter(customer_id__in=customer_ids).delete()[0]
