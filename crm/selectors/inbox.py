"""The inbox: conversations in which somebody waits, and what belongs to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts.models import User
from accounts.permissions import WRITERS
from common.errors import NotFound
from crm.models import Conversation, Interaction, LocationMembership, SavedReply

VIEWS = ("everyone", "mine", "unassigned", "team", "snoozed", "all")
WAITING_ORDER = ["waiting_since", "id"]
ORDERS: dict[str, list[str]] = {"snoozed": ["snoozed_until", "id"], "all": ["-last_at", "-id"]}


def list_inbox(
    *, view: str, user: Any, now: datetime, channel: str = ""
) -> tuple[QuerySet[Conversation], list[str]]:
    """Return open conversations and the order they come in.

    view: ``everyone``, ``mine``, ``unassigned`` and ``team`` (of one's shops) hold what waits and
        doesn't rest, longest waiting first; ``snoozed`` what rests, soonest first; ``all``
        whatever is open, newest first.
    """
    latest = Interaction.objects.filter(
        conversation=OuterRef("pk"), direction=Interaction.Direction.INBOUND
    ).order_by("-occurred_at", "-id")
    conversations = (
        Conversation.objects.filter(state=Conversation.State.OPEN)
        .select_related("customer", "assignee", "location")
        .annotate(latest_text=Subquery(latest.values("text")[:1]))
    )
    if channel:
        conversations = conversations.filter(channel=channel)
    if view == "all":
        return conversations, ORDERS["all"]
    if view == "snoozed":
        return conversations.filter(snoozed_until__gt=now), ORDERS["snoozed"]
    waiting = conversations.filter(
        Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=now), waiting_since__isnull=False
    )
    if view == "mine":
        waiting = waiting.filter(assignee_id=user.pk)
    elif view == "unassigned":
        waiting = waiting.filter(assignee__isnull=True)
    elif view == "team":
        own = LocationMembership.objects.filter(user_id=user.pk).values("location_id")
        waiting = waiting.filter(location_id__in=own)
    return waiting, WAITING_ORDER


def next_waiting(*, user: Any, now: datetime, after: Conversation) -> Conversation | None:
    """Return what to answer next: one's own longest waiting, else nobody's; two queries."""
    for view in ("mine", "unassigned"):
        conversations, order = list_inbox(view=view, user=user, now=now)
        found = conversations.exclude(pk=after.pk).order_by(*order).first()
        if found is not None:
            return found
    return None


def get_conversation(ref: str) -> Conversation:
    """Return one conversation with customer, assignee and shop.

    :raises NotFound: no such conversation, or its customer was erased.
    """
    found = (
        Conversation.objects.select_related("customer", "assignee", "location", "standing_in_for")
        .filter(Q(customer__isnull=True) | Q(customer__erased_at__isnull=True), ref=ref)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def conversation_ids_of(refs: Sequence[str]) -> list[int]:
    """Return the ids of those conversations that exist."""
    return list(Conversation.objects.filter(ref__in=refs).values_list("pk", flat=True))


def contacts_in(conversation: Conversation) -> QuerySet[Interaction]:
    """Return a conversation's contacts, to be ordered by ``-occurred_at, -id``."""
    return (
        Interaction.objects.filter(conversation=conversation)
        .select_related("author")
        .prefetch_related("attachments")
    )


def colleagues() -> QuerySet[User]:
    """Return who serves customers, by name."""
    return User.objects.filter(is_active=True, role__in=WRITERS).order_by("name", "email")


def list_saved_replies() -> QuerySet[SavedReply]:
    """Return the texts to answer with, by name."""
    return SavedReply.objects.filter(archived_at__isnull=True).order_by("name", "id")


def get_saved_reply(ref: str) -> SavedReply:
    """Return one text.

    :raises NotFound: no such text.
    """
    found = list_saved_replies().filter(ref=ref).first()
    if found is None:
        raise NotFound
    return found


def has_team(user: Any) -> bool:
    """Whether a colleague works at certain shops; one query."""
    return LocationMembership.objects.filter(user_id=user.pk).exists()
