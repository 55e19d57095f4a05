"""Contacts: one, a customer's, their texts, and how long people waited for an answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet

from common.errors import NotFound
from crm.models import Attachment, Channel, Conversation, Interaction


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """How one channel was answered. Times are business seconds; None means no data.

    asked: contacts that needed an answer. overdue: not answered, and the promise is over.
    kept, due: answered within the promise, of those answered or overdue.
    waiting: conversations in which somebody waits at this moment, whenever they began.
    """

    channel: str
    label: str
    asked: int
    answered: int
    median_seconds: int | None
    slow_seconds: int | None  # nine of ten were answered within it
    kept: int
    due: int
    overdue: int
    waiting: int

    @property
    def kept_share(self) -> float | None:
        """The share within the promise."""
        return self.kept / self.due if self.due else None


def get_interaction(ref: str) -> Interaction:
    """Return one contact with conversation, customer and author.

    :raises NotFound: no such contact.
    """
    found = list_interactions().filter(ref=ref).first()
    if found is None:
        raise NotFound
    return found


def list_interactions(*, customer_ids: Collection[int] | None = None) -> QuerySet[Interaction]:
    """Return contacts with what a list shows of them, to be ordered by ``-occurred_at, -id``."""
    contacts = Interaction.objects.select_related(
        "conversation", "customer", "author", "location"
    ).prefetch_related("attachments")
    return contacts if customer_ids is None else contacts.filter(customer_id__in=customer_ids)


def texts_of(refs: Collection[str]) -> dict[str, str]:
    """Return ref → text of contacts, for whoever may read texts; one query."""
    return dict(Interaction.objects.filter(ref__in=refs).values_list("ref", "text"))


def get_attachment(ref: str) -> Attachment:
    """Return one file.

    :raises NotFound: no such file.
    """
    found = Attachment.objects.filter(ref=ref).first()
    if found is None:
        raise NotFound
    return found


def response_figures(*, start: datetime, end: datetime, now: datetime) -> list[ChannelFigures]:
    """Return how contacts within ``[start, end)`` were answered, by channel; three queries.

    Channels on which nobody asked anything and nobody waits are left out.
    """
    asked = Interaction.objects.filter(
        needs_answer=True, occurred_at__gte=start, occurred_at__lt=end
    )
    counts: dict[str, dict[str, Any]] = {
        row["channel"]: dict(row)
        for row in asked.order_by()
        .values("channel")
        .annotate(
            asked=Count("id"),
            answered=Count("id", filter=Q(answered_at__isnull=False)),
            kept=Count("id", filter=Q(answered_at__lte=F("due_at"))),
            overdue=Count("id", filter=Q(answered_at__isnull=True, due_at__lte=now)),
        )
    }
    spread: dict[str, list[tuple[int, int]]] = defaultdict(list)
    answered = asked.filter(response_seconds__isnull=False).order_by("channel", "response_seconds")
    for channel, seconds, count in answered.values_list("channel", "response_seconds").annotate(
        count=Count("id")
    ):
        spread[channel].append((seconds or 0, count))
    waiting = dict(
        Conversation.objects.filter(state=Conversation.State.OPEN, waiting_since__isnull=False)
        .order_by()
        .values_list("channel")
        .annotate(count=Count("id"))
    )
    return [
        ChannelFigures(
            channel=channel.value,
            label=str(channel.label),
            asked=row.get("asked", 0),
            answered=row.get("answered", 0),
            median_seconds=quantile(spread[channel], 50),
            slow_seconds=quantile(spread[channel], 90),
            kept=row.get("kept", 0),
            due=row.get("answered", 0) + row.get("overdue", 0),
            overdue=row.get("overdue", 0),
            waiting=waiting.get(channel, 0),
        )
        for channel in Channel
        if (row := counts.get(channel, {})) or channel in waiting
    ]


def quantile(counted: Iterable[tuple[int, int]], percent: int) -> int | None:
    """Return the smallest value that at least ``percent`` of the counted ones don't exceed.

    counted: (value, how often), values rising. None without any.
    """
    counted = list(counted)
    total = sum(count for _value, count in counted)
    seen = 0
    for value, count in counted:
        seen += count
        if seen * 100 >= total * percent:
            return value
    return None
