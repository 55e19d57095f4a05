"""What is known of each customer: summary, RFM scores, and what models of buying are fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from metrics import maps
from metrics.engines.calendar import local_days, micros
from metrics.engines.members import Ints
from metrics.engines.orders import Block, Orders, side_by_side

SEGMENTS = tuple(segment.code for segment in maps.SEGMENTS)
# By the score of R (rows) and F.
_SEGMENT_OF = np.array(
    [[SEGMENTS.index(maps.segment_of(r, f).code) for f in maps.SCORES] for r in maps.SCORES],
    dtype=np.int8,
)


@dataclass(frozen=True)
class Summary:
    """Each customer with an order, as arrays of one length; days are local, since 1970.

    revenue: amounts less refunds, 1/10,000.  days: on how many days they bought.
    first, last: instants in microseconds.
    """

    ids: Ints
    orders: Ints
    revenue: Ints
    first: Ints
    last: Ints
    first_day: Ints
    last_day: Ints
    days: Ints
    as_of_day: int

    @property
    def repeats(self) -> Ints:
        """Days with a purchase after the first one: x of BG/NBD."""
        return self.days - 1

    @property
    def recency(self) -> NDArray[np.float64]:
        """Weeks from the first to the last day with a purchase: t_x."""
        return (self.last_day - self.first_day) / 7

    @property
    def age(self) -> NDArray[np.float64]:
        """Weeks from the first day with a purchase to as_of: T."""
        return (self.as_of_day - self.first_day) / 7


def summary(orders: Orders, as_of: datetime) -> Summary:
    """Return what is known of each customer at as_of, before which all the orders are."""
    orders.prepare()
    size = len(orders.ids)
    revenue, days = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    for block, found in zip(orders.blocks, side_by_side(_days, orders.blocks), strict=True):
        revenue[block.visitors] += block.revenue
        days[block.visitors] += found
    np.subtract.at(revenue, orders.refunds.codes, orders.refunds.amounts)
    as_of_day = int(local_days(np.array([micros(as_of)]))[0])
    return Summary(
        ids=orders.ids,
        orders=orders.counts,
        revenue=revenue,
        first=orders.first,
        last=orders.last,
        first_day=local_days(orders.first),
        last_day=local_days(orders.last),
        days=days,
        as_of_day=as_of_day,
    )


def _days(block: Block) -> Ints:
    """Return on how many local days each visit bought; a month's days are in no other month."""
    day = local_days(block.times)
    is_new = np.empty(len(day), dtype=bool)
    is_new[:1] = True
    np.not_equal(day[1:], day[:-1], out=is_new[1:])
    is_new[block.starts] = True
    found: Ints = np.add.reduceat(is_new.view(np.int8), block.starts, dtype=np.int64)
    return found


@dataclass(frozen=True)
class Rfm:
    """Scores from 1 to 5 and a segment (a place in ``SEGMENTS``) of each customer of a summary.

    days_since: whole days since the last order.
    """

    days_since: Ints
    recency: NDArray[np.int8]
    frequency: NDArray[np.int8]
    monetary: NDArray[np.int8]
    segment: NDArray[np.int8]


def rfm(found: Summary) -> Rfm:
    """Return the scores of all customers against each other."""
    days_since = found.as_of_day - found.last_day
    recency, frequency, monetary = (
        scores(values) for values in (-days_since, found.orders, found.revenue)
    )
    segment = _SEGMENT_OF[recency - 1, frequency - 1] if len(recency) else recency
    return Rfm(days_since, recency, frequency, monetary, segment)


def scores(values: Ints) -> NDArray[np.int8]:
    """Return min(5, ⌊5 (rank − 1) / n⌋ + 1); equal values share the lowest rank.

    A value's rank is more than m when the m-th smallest of all is smaller than it, so four of them
    tell all scores, and nothing is sorted.
    """
    size = len(values)
    if not size:
        return np.zeros(0, dtype=np.int8)
    places = [-(-step * size // 5) - 1 for step in range(1, 5)]
    edges = np.partition(values, places)[places]
    found = np.ones(size, dtype=np.int8)
    for edge in edges:
        found += values > edge
    return found
