"""The hot figures by array arithmetic; each must equal its definition, which the tests check.

Orders arrive sorted by customer and time. Customers are numbered 0, 1, … (``codes``); a set is a
sorted array of customer ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.facts.store import Store
from metrics.facts.tables import LINKS, ORDER_STATES
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Measure
from metrics.kpis.retention import END, LOST, NEW, WON_BACK
from metrics.windows import Window

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
NEVER = np.iinfo(np.int64).max


def micros(moment: datetime) -> int:
    """Return microseconds since 1970, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


@dataclass
class Orders:
    """Counted orders of known customers, sorted by customer and time.

    ids: customer ids, sorted.  codes: per order, the place of its customer in ``ids``.
    times: microseconds since 1970, UTC.  amounts: 1/10,000, 0 where in another currency.
    """

    ids: Ints
    codes: Ints
    times: Ints
    amounts: Ints

    @cached_property
    def by_time(self) -> tuple[Ints, Ints]:
        """Times ascending, and the customer's code at each."""
        order = np.argsort(self.times, kind="stable")
        return self.times[order], self.codes[order]

    @cached_property
    def starts(self) -> Ints:
        """Where each customer's orders begin."""
        return np.flatnonzero(np.diff(self.codes, prepend=-1))

    @cached_property
    def first(self) -> Ints:
        """Each customer's first time."""
        return self.times[self.starts]

    @cached_property
    def second(self) -> Ints:
        """Each customer's second time, the same instant included; NEVER without."""
        return self._times_at(self.starts + 1)

    @cached_property
    def later(self) -> Ints:
        """Each customer's first time after the first instant; NEVER without."""
        is_later = self.times > self.first[self.codes]
        candidates = np.append(np.flatnonzero(is_later), len(self.times))
        return self._times_at(candidates[np.searchsorted(candidates, self.starts)])

    def _times_at(self, places: Ints) -> Ints:
        """Times at one place per customer; NEVER where that is another customer's."""
        ends = np.append(self.starts[1:], len(self.times))[: len(self.starts)]
        times = np.append(self.times, NEVER)
        return np.where(places < ends, times[np.minimum(places, len(self.times))], NEVER)

    def active(self, look: datetime, moment: datetime) -> Flags:
        """Who has an order in ``[look, moment)``."""
        times, codes = self.by_time
        low, high = np.searchsorted(times, [micros(look), micros(moment)])
        flags = np.zeros(len(self.ids), dtype=bool)
        flags[codes[low:high]] = True
        return flags


def load_orders(store: Store, *, as_of: datetime, known_at: datetime, currency: str) -> Orders:
    """Read the orders that count at as_of, as known at known_at; as the definitions cut them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = ["customer_id", "ordered_at", "amount", "currency", "status"]
    table = store.read(ORDER_STATES, [*columns, "valid_from", "valid_until"])
    moment = pa.scalar(micros(known_at), pa.timestamp("us"))
    until = table.column("valid_until")
    keep = pc.and_(
        pc.less_equal(table.column("valid_from"), moment),
        pc.fill_null(pc.greater(until, moment), True),
    )
    cut = pa.scalar(micros(as_of), pa.timestamp("us"))
    keep = pc.and_(keep, pc.less(table.column("ordered_at"), cut))
    keep = pc.and_(keep, pc.not_equal(table.column("status").cast(pa.string()), "cancelled"))
    keep = pc.and_(keep, pc.is_valid(table.column("customer_id")))
    table = table.select(columns).filter(keep)
    customers = _persons(store, table.column("customer_id").to_numpy(), moment)
    times = table.column("ordered_at").to_numpy().astype("datetime64[us]").astype(np.int64)
    counted = pc.equal(table.column("currency").cast(pa.string()), currency)
    amounts = np.where(counted.to_numpy(), table.column("amount").to_numpy(), 0)
    order = np.lexsort((times, customers))
    ids, codes = np.unique(customers[order], return_inverse=True)
    return Orders(ids.astype(np.int64), codes.astype(np.int64), times[order], amounts[order])


def _persons(store: Store, customers: Ints, known_at: Any) -> Ints:
    """Put the person in the place of each record that was merged, as known at known_at."""
    import pyarrow.compute as pc

    links = store.read(LINKS)
    if not links.num_rows:
        return customers
    stands = pc.and_(
        pc.less_equal(links.column("linked_at"), known_at),
        pc.fill_null(pc.greater(links.column("until"), known_at), True),
    )
    links = links.filter(stands).sort_by("record_id")
    records, persons = (links.column(name).to_numpy() for name in ("record_id", "person_id"))
    if not len(records):
        return customers
    place = np.minimum(np.searchsorted(records, customers), len(records) - 1)
    return np.where(records[place] == customers, persons[place], customers)


@dataclass
class _Moves:
    start: Flags
    end: Flags
    new: Flags


def _moves(orders: Orders, window: Window) -> _Moves:
    end = orders.active(window.look_until, window.until)
    first = orders.first
    inside = (first >= micros(window.start)) & (first < micros(window.until))
    return _Moves(orders.active(window.look_start, window.start), end, end & inside)


def _measure(orders: Orders, **flags: Flags) -> Measure:
    sets = {name: orders.ids[chosen] for name, chosen in flags.items()}
    return Measure(len(sets[NUMERATOR]), len(sets[DENOMINATOR]), sets=sets)


def retention(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of the strict form, with who lapsed, came back and is new."""
    found = {}
    for window in windows:
        moves = _moves(orders, window)
        found[window.name] = _measure(
            orders,
            **{
                NUMERATOR: moves.start & moves.end,
                DENOMINATOR: moves.start,
                LOST: moves.start & ~moves.end,
                NEW: moves.new,
                WON_BACK: moves.end & ~moves.start & ~moves.new,
                END: moves.end,
            },
        )
    return found


def source_form(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of (E − N) / S."""
    found = {}
    for window in windows:
        moves = _moves(orders, window)
        found[window.name] = _measure(
            orders,
            **{
                NUMERATOR: moves.end & ~moves.new,
                DENOMINATOR: moves.start,
                WON_BACK: moves.end & ~moves.start & ~moves.new,
                NEW: moves.new,
                END: moves.end,
            },
        )
    return found


def churn(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of the lapsed share."""
    found = {}
    for window in windows:
        moves = _moves(orders, window)
        found[window.name] = _measure(
            orders, **{NUMERATOR: moves.start & ~moves.end, DENOMINATOR: moves.start}
        )
    return found


def repeat_within(orders: Orders, windows: list[Window], *, days: int) -> dict[str, Measure]:
    """Kernel of the k-day repeat rate."""
    step = days * DAY
    again = orders.later < orders.first + step
    found = {}
    for window in windows:
        mature = orders.first + step <= micros(window.until)
        found[window.name] = _measure(orders, **{NUMERATOR: mature & again, DENOMINATOR: mature})
    return found


def repeat_lifetime(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of the lifetime repeat rate."""
    found = {}
    for window in windows:
        until = micros(window.until)
        found[window.name] = _measure(
            orders, **{NUMERATOR: orders.second < until, DENOMINATOR: orders.first < until}
        )
    return found


@dataclass(frozen=True)
class Cell:
    """A cell of the cohort matrix: places of cohort and month, who bought, and for how much."""

    cohort: int
    month: int
    members: Ints
    amount: int


def cohorts(orders: Orders, months: list[Window]) -> list[Cell]:
    """Kernel of the cohort matrix; empty cells are left out. months: at least one."""
    edges = np.array([*(micros(m.start) for m in months), micros(months[-1].until)], dtype=np.int64)
    place = np.searchsorted(edges, orders.times, side="right") - 1
    cohort = (np.searchsorted(edges, orders.first, side="right") - 1)[orders.codes]
    count = len(months)
    inside = (place >= 0) & (place < count) & (cohort >= 0)
    codes, amounts = orders.codes[inside], orders.amounts[inside]
    key = cohort[inside] * count + place[inside]
    order = np.lexsort((codes, key))
    key, codes, amounts = key[order], codes[order], amounts[order]
    found = []
    for low, high in _runs(np.diff(key, prepend=-1) != 0):
        row, column = divmod(int(key[low]), count)
        found.append(
            Cell(row, column, orders.ids[np.unique(codes[low:high])], int(amounts[low:high].sum()))
        )
    return found


def cells_from_rows(rows: Any) -> list[Cell]:
    """Return the cells that a definition's rows (``cohort, month, customer_id, amount``) make."""
    cohort, month, ids, amounts = (
        rows.column(name).to_numpy() for name in ("cohort", "month", "customer_id", "amount")
    )
    order = np.lexsort((ids, month, cohort))
    cohort, month, ids, amounts = cohort[order], month[order], ids[order], amounts[order]
    change = (np.diff(cohort, prepend=-1) != 0) | (np.diff(month, prepend=-1) != 0)
    return [
        Cell(int(cohort[low]), int(month[low]), ids[low:high], int(amounts[low:high].sum()))
        for low, high in _runs(change)
    ]


def _runs(is_start: Flags) -> list[tuple[int, int]]:
    """Return begin and end of each stretch of rows; ``is_start`` marks the first of each."""
    edges = [*np.flatnonzero(is_start).tolist(), len(is_start)]
    return list(pairwise(edges))
