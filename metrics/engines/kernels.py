"""The hot figures by array arithmetic; each must equal its definition, which the tests check.

Here: who stayed and who bought again. :mod:`.kernels_purchases` has how often and for how much
people buy, :mod:`.kernels_money` revenue, :mod:`.kernels_value` and :mod:`.kernels_worth` what is
left of it, :mod:`.kernels_complaints` who complained, :mod:`.kernels_cohorts` the cohort matrix,
:mod:`.kernels_customers` what is known of each customer, :mod:`.orders` what all of them work on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.engines.calendar import DAY, micros
from metrics.engines.kernels_cohorts import Cell, cells_from_rows, cohorts
from metrics.engines.kernels_complaints import complaint_rate, complaints_per_order
from metrics.engines.kernels_money import gross_churn, lapsed, net_churn, net_retention
from metrics.engines.kernels_purchases import (
    average_order_value,
    days_between,
    identified_share,
    purchase_frequency,
)
from metrics.engines.kernels_value import (
    acquisition_cost,
    cohort_profits,
    engaged_ratio,
    unprofitable,
)
from metrics.engines.kernels_worth import worth
from metrics.engines.measures import count
from metrics.engines.members import Chosen, Ints, by_id
from metrics.engines.orders import NEVER, Orders, side_by_side
from metrics.engines.reading import load_orders
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Amounts, Measure
from metrics.kpis.retention import END, KEPT, LOST, NEW, START, WON_BACK
from metrics.windows import Window

Sets = dict[str, Chosen]


@dataclass(frozen=True)
class _Moves:
    start: Chosen
    end: Chosen
    new: Chosen

    @property
    def won_back(self) -> Chosen:
        return self.end - self.start - self.new


def _moves(orders: Orders, window: Window) -> _Moves:
    end = orders.active(window.look_until, window.until)
    new = orders.new(window.start, window.until)
    return _Moves(orders.active(window.look_start, window.start), end, end & new)


def _by_window(
    orders: Orders, windows: list[Window], sets: Callable[[Window], Sets]
) -> dict[str, Measure]:
    """Return window name → measure of the sets of people."""

    def measure(window: Window) -> Measure:
        found = Measure(sets=dict(sets(window)))
        count(found)
        return found

    orders.prepare()
    found = side_by_side(measure, windows)
    return {window.name: one for window, one in zip(windows, found, strict=True)}


def retention(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of the strict form, with who lapsed, came back and is new."""

    def sets(window: Window) -> Sets:
        moves = _moves(orders, window)
        return {
            NUMERATOR: moves.start & moves.end,
            DENOMINATOR: moves.start,
            LOST: moves.start - moves.end,
            NEW: moves.new,
            WON_BACK: moves.won_back,
            END: moves.end,
        }

    return _by_window(orders, windows, sets)


def source_form(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of (E − N) / S."""

    def sets(window: Window) -> Sets:
        moves = _moves(orders, window)
        return {
            NUMERATOR: moves.end - moves.new,
            DENOMINATOR: moves.start,
            WON_BACK: moves.won_back,
            NEW: moves.new,
            END: moves.end,
        }

    return _by_window(orders, windows, sets)


def churn(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of the lapsed share."""

    def sets(window: Window) -> Sets:
        moves = _moves(orders, window)
        return {NUMERATOR: moves.start - moves.end, DENOMINATOR: moves.start}

    return _by_window(orders, windows, sets)


def average_form(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of 2 n(S ∩ E) / (n(S) + n(E))."""

    def sets(window: Window) -> Sets:
        moves = _moves(orders, window)
        return {
            KEPT: moves.start & moves.end,
            START: moves.start,
            END: moves.end,
            LOST: moves.start - moves.end,
            NEW: moves.new,
            WON_BACK: moves.won_back,
        }

    found = _by_window(orders, windows, sets)
    for measure in found.values():
        start, end, kept = (measure.sets[name] for name in (START, END, KEPT))
        measure.numerator, measure.denominator = 2 * len(kept), len(start) + len(end)
        measure.detail = 0.0
        measure.amounts = Ends(start, end)
    return found


class Ends(Amounts):
    """Per customer at how many ends of a window they were active, and 2 for both.

    Made when somebody asks: there may be hundreds.
    """

    def __init__(self, start: Chosen, end: Chosen) -> None:
        self._either, self._both = start | end, start & end

    @property
    def ids(self) -> Ints:
        """Who was active at either end."""
        return np.asarray(self._either)

    @property
    def denominator(self) -> Ints:
        """At how many ends."""
        found = 1 + self._both.flags[self._either.flags].astype(np.int64)
        return by_id(self._either.unsorted_ids, found)

    @property
    def numerator(self) -> Ints:
        """2 for who was active at both."""
        found = 2 * self._both.flags[self._either.flags].astype(np.int64)
        return by_id(self._either.unsorted_ids, found)

    @property
    def detail(self) -> NDArray[np.float64]:
        """Nothing is needed."""
        return np.zeros(len(self._either))


def repeat_within(orders: Orders, windows: list[Window], *, days: int) -> dict[str, Measure]:
    """Kernel of the k-day repeat rate."""
    again = orders.chosen("again", days * DAY, 0)

    def sets(window: Window) -> Sets:
        mature = orders.chosen("mature", days * DAY, micros(window.until))
        return {NUMERATOR: mature & again, DENOMINATOR: mature}

    return _by_window(orders, windows, sets)


def repeat_lifetime(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of the lifetime repeat rate."""

    def sets(window: Window) -> Sets:
        until = micros(window.until)
        return {
            NUMERATOR: orders.chosen("twice", 0, until),
            DENOMINATOR: orders.chosen("new", -NEVER, until),
        }

    return _by_window(orders, windows, sets)


__all__ = [
    "NEVER",
    "Cell",
    "Orders",
    "acquisition_cost",
    "average_form",
    "average_order_value",
    "cells_from_rows",
    "churn",
    "cohort_profits",
    "cohorts",
    "complaint_rate",
    "complaints_per_order",
    "days_between",
    "engaged_ratio",
    "gross_churn",
    "identified_share",
    "lapsed",
    "load_orders",
    "micros",
    "net_churn",
    "net_retention",
    "purchase_frequency",
    "repeat_lifetime",
    "repeat_within",
    "retention",
    "source_form",
    "unprofitable",
    "worth",
]
