"""What a file says in sums, to be compared with one's own books: counts, and revenue per month."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from datetime import date
from functools import cache
from typing import Any

from django.conf import settings

from common.time import FIRST_YEAR, LAST_YEAR, start_of_day
from crm.imports.columns import stored_instant
from crm.models import Order


class SeenIds:
    """Counts different ids in an eighth of a byte each, where they stand close to each other."""

    def __init__(self) -> None:
        self._pages: defaultdict[int, bytearray] = defaultdict(lambda: bytearray(8_192))

    def add(self, number: int) -> None:
        """See an id; below zero too."""
        self._pages[number >> 16][(number & 0xFFFF) >> 3] |= 1 << (number & 7)

    def __len__(self) -> int:
        return sum(int.from_bytes(page).bit_count() for page in self._pages.values())


class FileTotals:
    """Adds up the usable records of a file of customers or orders. Memory follows the months.

    The customers of orders are those named by orders that are not cancelled.

    Orders by the organisation's month in which they were made; cancelled ones and those in foreign
    currencies are kept apart. Amounts in 1/10,000 units.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.customers = self.orders = self.cancelled = 0
        self.buyers = SeenIds()
        self.months: Counter[str] = Counter()
        self.revenue: Counter[str] = Counter()
        self.foreign: Counter[str] = Counter()
        self.foreign_revenue: Counter[str] = Counter()

    def add(self, records: list[Any]) -> None:
        """Add a portion of records, as ``Kind.gather`` returned them."""
        if self.kind == "customers":
            self.customers += len(records)
            return
        home = settings.KEEPWELL_CURRENCY
        for state in records:
            if state.status == Order.Status.CANCELLED:
                self.cancelled += 1
                continue
            self.orders += 1
            self.buyers.add(state.customer_id)
            if (state.currency or home) == home:
                month = month_of(state.ordered_at)
                self.months[month] += 1
                self.revenue[month] += state.amount
            else:
                self.foreign[state.currency] += 1
                self.foreign_revenue[state.currency] += state.amount

    def found(self) -> dict[str, Any]:
        """Return the sums as JSON holds them; months and currencies in order."""
        return {
            "customers": self.customers + len(self.buyers),
            "orders": self.orders,
            "cancelled": self.cancelled,
            "months": [
                [month, count, self.revenue[month]] for month, count in sorted(self.months.items())
            ],
            "foreign": [
                [code, count, self.foreign_revenue[code]]
                for code, count in sorted(self.foreign.items())
            ],
        }


def month_of(stored: str) -> str:
    """Return the organisation's month, as ``YYYY-MM``, of an instant as stored."""
    index = bisect_right(_month_starts(settings.KEEPWELL_TIMEZONE), stored) - 1
    return f"{FIRST_YEAR - 1 + (index + 11) // 12:04}-{(index + 11) % 12 + 1:02}"


@cache
def _month_starts(timezone: str) -> list[str]:
    """Return the instants, as stored, at which the organisation's months begin, from the first.

    timezone: the organisation's; only so that another one has another list.
    """
    first = [stored_instant(start_of_day(date(FIRST_YEAR - 1, 12, 1)))]
    return first + [
        stored_instant(start_of_day(date(year, month, 1)))
        for year in range(FIRST_YEAR, LAST_YEAR + 1)
        for month in range(1, 13)
    ]
