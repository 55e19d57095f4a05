"""How often and for how much people buy, by array arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.engines.calendar import local_days, micros
from metrics.engines.measures import NOBODY, add_up
from metrics.engines.members import Chosen, Ints
from metrics.engines.orders import NEVER, Block, Events, Orders, emptied, side_by_side
from metrics.kpis.base import DENOMINATOR, Amounts, Measure, Values
from metrics.kpis.frequency import KNOWN, MORE_THAN_ONCE, bought_by_strangers
from metrics.windows import Window

Floats = NDArray[np.float64]
Strangers = tuple[int, int, float]  # what nobody known adds to the sums: see Amounts
STRANGERS, GAPS = "strangers", "gaps"


class ByCustomer(Amounts):
    """Whole numbers by customer as they were counted, in less room than :class:`Amounts` takes.

    codes: of the customers, ascending.  denominator: 1 each where None.  detail: 0 each where None,
    or the square of the numerator.  strangers: what nobody known adds, if there was anybody.
    """

    def __init__(
        self,
        ids: Ints,
        codes: Ints,
        numerator: Ints,
        *,
        denominator: Ints | None = None,
        detail: Floats | None = None,
        is_squared: bool = False,
        strangers: Strangers | None = None,
    ) -> None:
        self._ids, self._codes = ids, codes.astype(np.int32)
        self._is_squared = is_squared
        self._over, self._under, self._detail = numerator, denominator, detail
        self._strangers = strangers

    @property
    def ids(self) -> Ints:
        """Whose they are."""
        found: Ints = self._with_strangers(self._ids[self._codes], NOBODY)
        return found

    @property
    def numerator(self) -> Ints:
        """The part of each."""
        found: Ints = self._with_strangers(self._over, self._strangers and self._strangers[0])
        return found

    @property
    def denominator(self) -> Ints:
        """The part of each."""
        under = np.ones(len(self._codes), np.int64) if self._under is None else self._under
        found: Ints = self._with_strangers(under, self._strangers and self._strangers[1])
        return found

    @property
    def detail(self) -> Floats:
        """The part of each."""
        detail = np.zeros(len(self._codes)) if self._detail is None else self._detail
        if self._is_squared:
            detail = self._over.astype(np.float64) ** 2
        found: Floats = self._with_strangers(detail, self._strangers and self._strangers[2])
        return found

    def _with_strangers(self, column: Any, value: Any) -> Any:
        return column if self._strangers is None else np.insert(column, 0, value)


def purchase_frequency(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of orders / customers who made them."""

    def measure(window: Window) -> Measure:
        counts = emptied(len(orders.ids))
        for part in orders.parts(micros(window.start), micros(window.until)):
            counts[part.visitors] += part.counts
        codes = np.flatnonzero(counts)
        found = Measure(
            sets={
                DENOMINATOR: Chosen.of(orders.ids, counts > 0),
                MORE_THAN_ONCE: Chosen.of(orders.ids, counts > 1),
            },
            amounts=ByCustomer(orders.ids, codes, counts[codes], is_squared=True),
        )
        add_up(found)
        return found

    return by_window(orders, windows, measure)


def average_order_value(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of revenue / orders, those of nobody known among them."""
    strangers = orders.events(STRANGERS, bought_by_strangers)
    return by_window(orders, windows, partial(_paid, orders, strangers, per_order=True))


def identified_share(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of revenue of known customers / all revenue."""
    strangers = orders.events(STRANGERS, bought_by_strangers)
    return by_window(orders, windows, partial(_paid, orders, strangers, per_order=False))


def _paid(orders: Orders, unknown: Events, window: Window, *, per_order: bool) -> Measure:
    """Return the revenue of a window: divided by orders, or what of it is of known customers."""
    span = micros(window.start), micros(window.until)
    paid, many = np.zeros(len(orders.ids), np.int64), emptied(len(orders.ids))
    squares = np.zeros(len(orders.ids)) if per_order else None
    for part in orders.parts(*span):
        paid[part.visitors] += part.revenue
        many[part.visitors] += part.ours
        if squares is not None:
            squares[part.visitors] += _squares(part)
    codes = np.flatnonzero(many)
    revenue = paid[codes]
    others = unknown.between(*span).amounts
    strangers: Strangers | None = None
    if len(others) and per_order:
        strangers = int(others.sum()), len(others), float((others.astype(np.float64) ** 2).sum())
    elif len(others):
        strangers = 0, int(others.sum()), 0.0
    found = Measure(
        sets={DENOMINATOR if per_order else KNOWN: Chosen.of(orders.ids, many > 0)},
        amounts=ByCustomer(
            orders.ids,
            codes,
            revenue,
            denominator=many[codes] if per_order else revenue,
            detail=None if squares is None else squares[codes],
            strangers=strangers,
        ),
    )
    add_up(found)
    return found


def _squares(part: Block) -> Floats:
    """Sum the squares of each visit's amounts. Not by differences: they are too large for it."""
    amounts = part.amounts.astype(np.float64)
    found: Floats = np.add.reduceat(amounts * amounts, part.starts)
    return found


@dataclass(frozen=True)
class _Gaps:
    """Of a month's days with a purchase those that are not the customer's first.

    codes: whose, ascending.  times: of the day's first purchase.  days: since the day before.
    """

    codes: NDArray[np.int32]
    times: Ints
    days: NDArray[np.int32]

    def between(self, low: int, high: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        if not len(self.times) or (low <= self.times.min() and self.times.max() < high):
            return self.codes, self.days
        some = (self.times >= low) & (self.times < high)
        return self.codes[some], self.days[some]


def days_between(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of the days from one order day to the next."""
    orders.prepare()
    gaps = _gaps(orders)

    def measure(window: Window) -> Measure:
        low, high = micros(window.start), micros(window.until)
        inside = [
            one.between(low, high)
            for block, one in zip(orders.blocks, gaps, strict=True)
            if block.span[0] < high and block.span[1] >= low
        ]
        flags = np.zeros(len(orders.ids), dtype=bool)
        for codes, _days in inside:
            flags[codes] = True
        found = Measure(sets={DENOMINATOR: Chosen.of(orders.ids, flags)})
        if inside:
            codes, days = (np.concatenate(column) for column in zip(*inside, strict=True))
            found.values = Values(orders.ids[codes], days.astype(np.float64))
        add_up(found)
        return found

    return by_window(orders, windows, measure)


def _gaps(orders: Orders) -> list[_Gaps]:
    if GAPS not in orders.kept:
        last_day = np.full(len(orders.ids), -NEVER)
        days_of = side_by_side(lambda block: local_days(block.times), orders.blocks)
        orders.kept[GAPS] = [
            _gaps_of(block, day, last_day)
            for block, day in zip(orders.blocks, days_of, strict=True)
        ]
    found: list[_Gaps] = orders.kept[GAPS]
    return found


def _gaps_of(block: Block, day: Ints, last_day: Ints) -> _Gaps:
    """Return a month's gaps. last_day: of each customer before, which is set to this month's."""
    is_new = np.empty(len(day), dtype=bool)
    np.not_equal(day[1:], day[:-1], out=is_new[1:])
    is_new[block.starts] = True
    at = np.flatnonzero(is_new)
    codes, days = block.codes[at], day[at]
    before = np.concatenate([days[:1], days[:-1]])
    is_first = np.ones(len(at), dtype=bool)  # of the customer's in this month
    np.not_equal(codes[1:], codes[:-1], out=is_first[1:])
    before[is_first] = last_day[codes[is_first]]
    last_day[block.visitors] = day[block.ends - 1]
    again = np.flatnonzero(before != -NEVER)
    return _Gaps(
        codes[again].astype(np.int32),
        block.times[at[again]],
        (days[again] - before[again]).astype(np.int32),
    )


def by_window(
    orders: Orders, windows: list[Window], measure: Callable[[Window], Measure]
) -> dict[str, Measure]:
    """Return window name → measure, worked out on all cores."""
    orders.prepare()
    found = side_by_side(measure, windows)
    return {window.name: one for window, one in zip(windows, found, strict=True)}
