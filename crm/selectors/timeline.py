"""A customer's timeline: events of every app and the orders themselves, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.functional import Promise

from common.keyset import read_cursor, write_cursor
from common.models import Event
from common.registry import EventRenderer, event_renderers
from crm.models import Order

PAGE_SIZE = 25
ORDERS = "orders"  # the filter's name for orders; kinds of events have a dot
# Orders stand for themselves, whether one was entered or a million imported.
NOT_SHOWN = ("order.recorded",)
NOT_OF_CUSTOMERS = ("product.", "location.")


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the timeline: an event with its renderer, or an order."""

    at: datetime
    event: Event | None = None
    order: Order | None = None

    @property
    def renderer(self) -> EventRenderer | None:
        """How the event is shown; None for kinds that no app registered, and for orders."""
        return event_renderers.get(self.event.kind) if self.event else None

    @property
    def label(self) -> str | Promise:
        """What happened, in the reader's language; the bare code where nobody registered one."""
        if self.event is None:
            return ""
        return self.renderer.label if self.renderer else self.event.kind

    @property
    def line(self) -> str:
        """The event's own line, from its codes."""
        return self.renderer.describe(self.event.codes) if self.renderer and self.event else ""

    @property
    def _place(self) -> tuple[datetime, int, int]:
        row: Any = self.order or self.event
        return self.at, 1 if self.order else 0, row.pk


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Some entries, and the cursor of earlier ones (empty at the beginning of time)."""

    entries: list[TimelineEntry]
    next_cursor: str


def customer_timeline(
    customer_id: int, *, kind: str = "", cursor: str = "", size: int = PAGE_SIZE
) -> TimelinePage:
    """Return a page of the timeline; two queries.

    kind: ``orders``, or a kind of event; empty for everything.
    cursor: as given by the page before; anything else means the newest.
    """
    salt = f"timeline:{customer_id}:{kind}"
    position = read_cursor(cursor, salt=salt, length=3)
    after = position[1] if position else None
    found: list[TimelineEntry] = []
    if kind in ("", ORDERS):
        orders = Order.objects.filter(_before("ordered_at", 1, after), customer_id=customer_id)
        found += (
            TimelineEntry(at=order.ordered_at, order=order)
            for order in orders.select_related("location").order_by("-ordered_at", "-id")[
                : size + 1
            ]
        )
    if kind != ORDERS:
        events = Event.objects.filter(_before("occurred_at", 0, after), customer_id=customer_id)
        events = events.filter(kind=kind) if kind else events.exclude(kind__in=NOT_SHOWN)
        found += (
            TimelineEntry(at=event.occurred_at, event=event)
            for event in events.order_by("-occurred_at", "-id")[: size + 1]
        )
    found.sort(key=lambda entry: entry._place, reverse=True)
    page, more = found[:size], len(found) > size
    return TimelinePage(
        entries=page,
        next_cursor=write_cursor("after", page[-1]._place, salt=salt) if more else "",
    )


def timeline_kinds() -> Iterable[tuple[str, str | Promise]]:
    """Return (kind, label) of what can stand in a timeline, orders apart, by label."""
    return sorted(
        (
            (renderer.kind, renderer.label)
            for renderer in event_renderers.values()
            if renderer.kind not in NOT_SHOWN and not renderer.kind.startswith(NOT_OF_CUSTOMERS)
        ),
        key=lambda pair: str(pair[1]),
    )


def _before(field: str, rank: int, after: list[Any] | None) -> Q:
    """Return the condition for rows of one source that come after a place of the merged list."""
    if after is None:
        return Q()
    at, its_rank, its_id = after
    if rank < its_rank:
        return Q(**{f"{field}__lte": at})
    if rank > its_rank:
        return Q(**{f"{field}__lt": at})
    return Q(**{f"{field}__lte": at}) & (Q(**{f"{field}__lt": at}) | Q(pk__lt=its_id))
