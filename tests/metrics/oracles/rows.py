"""What an oracle is asked and what it answers; days and months on the organisation's clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from metrics.windows import Window
from tests.metrics.histories import Bought, History, Refunded, Spent

BERLIN = ZoneInfo("Europe/Berlin")
CURRENCY = "USD"


@dataclass(frozen=True)
class Question:
    """A history as seen at a moment, and the window that is asked about."""

    history: History
    window: Window
    as_of: datetime
    known_at: datetime

    def orders(self) -> list[Bought]:
        """Orders that count, whoever made them."""
        return self.history.counted(self.as_of, self.known_at)

    def refunds(self) -> list[tuple[Refunded, Bought]]:
        """Refunds that count, with their orders."""
        return self.history.counted_refunds(self.as_of, self.known_at)

    def costs(self) -> list[Spent]:
        """What months cost, in the organisation's currency, as it was in force; 0 takes it back."""
        return [
            cost
            for cost in self.history.costs
            if cost.month < self.as_of
            and cost.currency == CURRENCY
            and cost.amount
            and cost.valid_from <= self.known_at
            and (cost.valid_until is None or self.known_at < cost.valid_until)
        ]

    def orders_of(self) -> dict[int, list[Bought]]:
        """The orders of each known customer, by time."""
        found: dict[int, list[Bought]] = defaultdict(list)
        for order in sorted(self.orders(), key=lambda order: order.at):
            if order.customer_id is not None:
                found[order.customer_id].append(order)
        return dict(found)


@dataclass
class Answer:
    """Sets of people; by customer the parts of numerator and denominator; single values."""

    sets: dict[str, set[int]] = field(default_factory=dict)
    amounts: dict[int | None, tuple[int, int]] | None = None
    values: list[tuple[int, float]] | None = None


def day_of(moment: datetime) -> date:
    """The day the organisation's calendar showed."""
    return moment.astimezone(BERLIN).date()


def month_of(moment: datetime) -> tuple[int, int]:
    """The month the organisation's calendar showed."""
    day = day_of(moment)
    return day.year, day.month


def next_month(month: tuple[int, int]) -> tuple[int, int]:
    """The month after."""
    year, number = month
    return (year + 1, 1) if number == 12 else (year, number + 1)


def begin_of(month: tuple[int, int]) -> datetime:
    """When a month begins on the organisation's clock."""
    return datetime(*month, 1, tzinfo=BERLIN)


def days_earlier(moment: datetime, days: int) -> datetime:
    """The same time on the clock some days earlier."""
    local = moment.astimezone(BERLIN)
    return local - timedelta(days=days)  # wall-clock arithmetic: the zone stays
