"""A customer's own figures, read straight from the orders for one page, never for a report."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from statistics import median

from django.db.models import Count, Max, QuerySet, Sum

from common.time import local_date
from crm.models import Order

MOST_ROWS = 1000  # beyond, the database adds up
RHYTHM_ORDERS = 200  # the latest ones tell the present rhythm
RHYTHM_GAPS = 3  # fewer tell nothing
LATE = 1.5  # times the usual gap
PAUSE_DAYS = 90  # without a purchase is a pause


@dataclass(slots=True)
class PurchaseFigures:
    """What a customer bought; cancelled orders don't count.

    revenue: currency → amount, since different money can't be added.
    back_after_days: length of the latest pause of 90 days or more that ended; read by
        :func:`history_of` only.
    """

    orders: int = 0
    last_at: datetime | None = None
    revenue: dict[str, Decimal] = field(default_factory=dict)
    back_after_days: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often somebody buys, and how long ago the last time was; in whole local days."""

    usual_days: float
    days_since: int

    @property
    def usual_whole_days(self) -> int:
        """The usual gap in whole days, half a day up."""
        return int(self.usual_days + 0.5)

    @property
    def is_late(self) -> bool:
        """Whether the last purchase is longer ago than usual."""
        return self.days_since > self.usual_days * LATE


def purchase_figures(customer_ids: Collection[int]) -> dict[int, PurchaseFigures]:
    """Return customer id → figures, for everybody asked for; one query."""
    figures = {customer_id: PurchaseFigures() for customer_id in customer_ids}
    rows = (
        _counted(Order.objects.filter(customer_id__in=customer_ids))
        .values_list("customer_id", "currency")
        .annotate(Count("id"), Sum("amount"), Max("ordered_at"))
        .order_by("customer_id", "currency")
    )
    for customer_id, currency, orders, amount, last_at in rows:
        entry = figures[customer_id]
        entry.orders += orders
        entry.revenue[currency] = amount
        entry.last_at = max(entry.last_at, last_at) if entry.last_at else last_at
    return figures


def history_of(*customer_ids: int, now: datetime) -> tuple[PurchaseFigures, Rhythm | None]:
    """Return the figures of one person, and the median gap between purchase days.

    customer_ids: all records of the person.
    One query, or two for the rare person with more than 1,000 orders. The rhythm is None when
    fewer than four different days up to now are known.
    """
    latest = list(
        _counted(Order.objects.filter(customer_id__in=customer_ids))
        .order_by("-ordered_at", "-id")
        .values_list("ordered_at", "currency", "amount")[: MOST_ROWS + 1]
    )
    if len(latest) > MOST_ROWS:
        figures = _added(purchase_figures(customer_ids).values())
    else:
        figures = PurchaseFigures(orders=len(latest), last_at=latest[0][0] if latest else None)
        for _at, currency, amount in latest:
            figures.revenue[currency] = figures.revenue.get(currency, Decimal(0)) + amount
    past = [instant for instant, _currency, _amount in latest if instant <= now]
    pauses = ((later - earlier).days for later, earlier in pairwise(past))
    figures.back_after_days = next((days for days in pauses if days >= PAUSE_DAYS), None)
    return figures, _rhythm(past[:RHYTHM_ORDERS], now)


def _added(parts: Iterable[PurchaseFigures]) -> PurchaseFigures:
    total = PurchaseFigures()
    for part in parts:
        total.orders += part.orders
        for currency, amount in part.revenue.items():
            total.revenue[currency] = total.revenue.get(currency, Decimal(0)) + amount
        if part.last_at:
            total.last_at = max(total.last_at, part.last_at) if total.last_at else part.last_at
    return total


def _rhythm(instants: list[datetime], now: datetime) -> Rhythm | None:
    days = sorted({local_date(instant) for instant in instants})
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    if len(gaps) < RHYTHM_GAPS:
        return None
    return Rhythm(usual_days=median(gaps), days_since=(local_date(now) - days[-1]).days)


def _counted(orders: QuerySet[Order]) -> QuerySet[Order]:
    return orders.exclude(status=Order.Status.CANCELLED)
