"""Where each customer stands on the maps of :mod:`metrics.maps`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metrics.engines.calendar import DAY, micros
from metrics.engines.kernels_customers import rfm, summary
from metrics.engines.kernels_value import is_unpriced, profit, service_of
from metrics.engines.orders import NEVER
from metrics.maps import (
    LOSS,
    LOWEST_THIRD,
    NOT_AGAIN,
    NOTHING,
    RFM,
    SECOND_DAYS,
    SECOND_ORDER,
    TENURE_DAYS,
    TENURE_PROFIT,
)
from metrics.windows import YEAR_DAYS, days_before, window_of

if TYPE_CHECKING:
    from metrics.compute import Computation

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """Who stands at a place of a map, by id, and what they add up to in 1/10,000."""

    map: str
    x: int
    y: int
    members: Ints
    amount: int


def places(computation: Computation) -> Iterator[Place]:
    """Yield the places at which there is anybody, of every map."""
    orders = computation.orders
    if not len(orders.ids):
        return
    known = summary(orders, computation.as_of)
    scored = rfm(known)
    yield from _places(RFM, orders.ids, scored.frequency, scored.recency, known.revenue)
    ids, tenure, left = _tenure_and_profit(computation)
    yield from _places(TENURE_PROFIT, ids, tenure, _profit_bands(left), left)
    second = np.searchsorted(
        np.array(SECOND_DAYS), (orders.later - orders.first) // DAY, side="right"
    )
    second = np.where(orders.later == NEVER, NOT_AGAIN, second)
    is_ripe = orders.first + YEAR_DAYS * DAY <= micros(computation.as_of)
    nothing = np.zeros(len(orders.ids), dtype=np.int64)
    yield from _places(SECOND_ORDER, orders.ids, second, is_ripe, nothing)


def _tenure_and_profit(computation: Computation) -> tuple[Ints, Any, Ints]:
    """Ids, bands of tenure and profit of the last year, of those whose costs are all known."""
    orders, as_of = computation.orders, computation.as_of
    everybody, first = orders.ids, orders.first
    window = window_of(None, as_of=as_of, known_at=computation.known_at)
    span = micros(window.year_until), micros(as_of)
    left = profit(orders, service_of(orders), *span)
    tenure = np.zeros(len(everybody), dtype=np.int64)
    for days in TENURE_DAYS:
        tenure += first <= micros(days_before(as_of, days))
    keep = ~is_unpriced(orders, *span)
    return everybody[keep], tenure[keep], left[keep]


def _profit_bands(left: Ints) -> Any:
    """A loss, nothing, or which third of those who brought something; ties take the lower one."""
    bands = np.where(left < 0, LOSS, NOTHING)
    gains = np.sort(left[left > 0])
    rank = np.searchsorted(gains, left, side="left")
    third = np.minimum(2, 3 * rank // max(len(gains), 1))
    return np.where(left > 0, LOWEST_THIRD + third, bands)


def _places(name: str, ids: Ints, x: Any, y: Any, amounts: Ints) -> Iterator[Place]:
    columns, rows = np.asarray(x, dtype=np.int64), np.asarray(y, dtype=np.int64)
    for row in np.unique(rows):
        for column in np.unique(columns[rows == row]):
            is_here = (rows == row) & (columns == column)
            members = ids[is_here]
            yield Place(name, int(column), int(row), members, int(amounts[is_here].sum()))
