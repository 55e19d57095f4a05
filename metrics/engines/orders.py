"""Orders as arrays for the kernels, a block for each local month.

The files of the store are sorted by customer and time already, and so is each block; nothing is
ever sorted across months. Customers are numbered 0, 1, … in the order of their ids: their codes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from metrics.engines.calendar import by_month, local_month, micros
from metrics.engines.members import Chosen, Flags, Ints

FEW = 8
NEVER = 2**62  # far from the edge: days can be added to it

Item = TypeVar("Item")
Found = TypeVar("Found")


def side_by_side(work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """Yield what ``work`` makes of each item, in their order; NumPy and Arrow use all cores."""
    items = list(items)
    if len(items) <= FEW:  # threads take longer to start
        yield from map(work, items)
        return
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from pool.map(work, items)


def emptied(size: int) -> Ints:
    """Return zeros in a place of the thread's own, which are there until it asks again.

    New places for millions of numbers, over and over, take the system longer than the sums.
    """
    place: Ints | None = getattr(_own, "place", None)
    if place is None or len(place) != size:
        place = _own.place = np.empty(size, dtype=np.int64)
    place.fill(0)
    return place


_own = threading.local()


@dataclass
class Block:
    """The orders of a local month, sorted by customer and time.

    codes: per order, its customer's.  times: microseconds since 1970, UTC.
    amounts: 1/10,000, 0 where in another currency.  margins: amounts less costs, 0 where in another
    currency or the cost isn't known.  is_ours: in the organisation's currency.  is_costed: ours,
    and the cost is known.
    A *visit* is what a customer did in the month: the orders from one of ``starts`` to the next.
    """

    codes: Ints
    times: Ints
    amounts: Ints
    margins: Ints
    is_ours: Flags
    is_costed: Flags

    @cached_property
    def starts(self) -> Ints:
        """Where each visit begins."""
        is_start = np.empty(len(self.codes), dtype=bool)
        is_start[:1] = True
        np.not_equal(self.codes[1:], self.codes[:-1], out=is_start[1:])
        return np.flatnonzero(is_start)

    @cached_property
    def ends(self) -> Ints:
        """Where each visit ends: the place after its last order."""
        return np.append(self.starts[1:], len(self.codes))

    @cached_property
    def visitors(self) -> Ints:
        """Whose each visit is, ascending."""
        return self.codes[self.starts]

    @cached_property
    def counts(self) -> Ints:
        """Orders of each visit."""
        return self.ends - self.starts

    @cached_property
    def first(self) -> Ints:
        """Time of each visit's first order."""
        return self.times[self.starts]

    @cached_property
    def last(self) -> Ints:
        """Time of each visit's last order."""
        return self.times[self.ends - 1]

    @cached_property
    def revenue(self) -> Ints:
        """Sum of each visit's amounts."""
        return self.sums(self.amounts)

    @cached_property
    def margin(self) -> Ints:
        """Sum of each visit's margins."""
        return self.sums(self.margins)

    @cached_property
    def ours(self) -> Ints:
        """Orders of each visit in the organisation's currency."""
        return self.counts if self.is_ours.all() else self.sums(self.is_ours.astype(np.int64))

    @cached_property
    def unpriced(self) -> Ints:
        """Whose visits had an order in the organisation's currency of unknown cost, ascending."""
        if self.is_costed.all():
            return _none()
        unknown: Ints = np.unique(self.codes[self.is_ours & ~self.is_costed])
        return unknown

    def sums(self, values: Ints) -> Ints:
        """Sum values of orders by visit."""
        running = np.cumsum(values)
        found = running[self.ends - 1]
        found[1:] -= found[:-1].copy()
        return found

    def between(self, low: int, high: int) -> Block:
        """Return the orders in ``[low, high)``, of which there may be none."""
        some = (self.times >= low) & (self.times < high)
        return Block(*(getattr(self, one.name)[some] for one in fields(self)))

    @cached_property
    def span(self) -> tuple[int, int]:
        """The first and the last time."""
        return int(self.times.min()), int(self.times.max())

    @cached_property
    def month(self) -> int:
        """The local month: 12 × year + month − 1."""
        return local_month(self.span[0])


@dataclass
class GivenBack:
    """Refunds of counted orders in the organisation's currency, sorted by time.

    codes: whose.  times: microseconds since 1970, UTC.  amounts: 1/10,000.
    """

    codes: Ints
    times: Ints
    amounts: Ints

    def between(self, low: int, high: int) -> tuple[Ints, Ints]:
        """Codes and amounts of the refunds in ``[low, high)``."""
        begin, end = np.searchsorted(self.times, [low, high])
        return self.codes[begin:end], self.amounts[begin:end]


@dataclass(frozen=True)
class Events:
    """What else happened, sorted by time.

    ids: whose, 0 where nobody is known.  codes: of those with an order, else -1.
    times: microseconds since 1970, UTC, or 0.  amounts: 1/10,000, or 0.
    """

    ids: Ints
    codes: NDArray[np.int32]
    times: Ints
    amounts: Ints

    @classmethod
    def none(cls) -> Events:
        """Return that nothing happened."""
        return cls(_none(), _none().astype(np.int32), _none(), _none())

    def slice(self, low: int, high: int) -> slice:
        """Return where those in ``[low, high)`` stand."""
        begin, end = np.searchsorted(self.times, [low, high])
        return slice(int(begin), int(end))

    def between(self, low: int, high: int) -> Events:
        """Return those in ``[low, high)``."""
        some = self.slice(low, high)
        return Events(self.ids[some], self.codes[some], self.times[some], self.amounts[some])


class NothingElseIsKnown(LookupError):
    """These orders came alone: nobody can be asked what else happened."""


def _nobody_to_ask(name: str, define: Callable[[Any], Any]) -> Events:
    raise NothingElseIsKnown(name)


@dataclass(frozen=True)
class Revenue:
    """What customers brought who brought more than nothing: codes ascending, 1/10,000."""

    codes: NDArray[np.int32]
    amounts: Ints
    size: int  # of all customers

    def of(self, codes: NDArray[Any]) -> Ints:
        """What each of some customers brought."""
        found = emptied(self.size)
        found[self.codes] = self.amounts
        some: Ints = found[codes]
        return some

    def some(self, places: Ints) -> Ints:
        """What a few customers brought."""
        if not len(self.codes):
            return np.zeros(len(places), dtype=np.int64)
        at = np.minimum(np.searchsorted(self.codes, places), len(self.codes) - 1)
        return np.where(self.codes[at] == places, self.amounts[at], 0)

    def patched(self, places: Ints, amounts: Ints) -> Revenue:
        """Return it with other amounts of the customers at some places, ascending."""
        if not len(self.codes):
            return Revenue(places[amounts > 0].astype(np.int32), amounts[amounts > 0], self.size)
        at = np.minimum(np.searchsorted(self.codes, places), len(self.codes) - 1)
        is_there, has_some = self.codes[at] == places, amounts > 0
        codes, rest = self.codes, self.amounts.copy()
        rest[at[is_there]] = amounts[is_there]
        if np.any(gone := is_there & ~has_some):
            codes, rest = np.delete(codes, at[gone]), np.delete(rest, at[gone])
        if np.any(came := has_some & ~is_there):
            at = np.searchsorted(codes, places[came])
            codes, rest = np.insert(codes, at, places[came]), np.insert(rest, at, amounts[came])
        return Revenue(codes, rest, self.size)


def _nothing_given_back() -> GivenBack:
    return GivenBack(*(np.zeros(0, dtype=np.int64) for _ in range(3)))


@dataclass
class Orders:
    """Counted orders of known customers.

    ids: ids of the customers with an order, sorted.  blocks: see :class:`Block`, oldest first.
    has_service_costs: whether serving customers may have cost something.
    events: what else is known, by a name and the ibis table that defines it.

    sets, revenues, kept: what was asked for, kept: windows that follow each other share theirs.
    """

    ids: Ints
    blocks: list[Block]
    refunds: GivenBack = field(default_factory=_nothing_given_back)
    has_service_costs: bool = False
    events: Callable[[str, Callable[[Any], Any]], Events] = _nobody_to_ask
    sets: dict[tuple[str, int, int], Chosen] = field(default_factory=dict)
    revenues: dict[tuple[int, int], Revenue] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, *, ids: Ints, codes: Ints, times: Ints, amounts: Ints | None = None) -> Orders:
        """Return orders that come in any order, cut into months; their costs aren't known."""
        amounts = np.zeros(len(codes), dtype=np.int64) if amounts is None else amounts
        is_ours = np.ones(len(codes), dtype=bool)
        rows = (codes, times, amounts, np.zeros_like(amounts), is_ours, ~is_ours)
        return cls(ids, [Block(*part) for part in by_month(*rows)])

    def forget(self) -> None:
        """Let go of what was kept for the figures asked for so far; it takes room."""
        for kept in (self.sets, self.revenues, self.kept):
            kept.clear()

    def prepare(self) -> None:
        """Work out what all figures need, on all cores."""

        def look(block: Block) -> None:
            _ = block.visitors, block.first, block.last, block.revenue, block.span

        list(side_by_side(look, [b for b in self.blocks if "span" not in b.__dict__]))
        _ = self.first

    @cached_property
    def first(self) -> Ints:
        """Each customer's first time."""
        found = np.full(len(self.ids), NEVER)
        for block in reversed(self.blocks):
            found[block.visitors] = block.first
        return found

    @cached_property
    def last(self) -> Ints:
        """Each customer's last time."""
        found = np.full(len(self.ids), -NEVER)
        for block in self.blocks:
            found[block.visitors] = block.last
        return found

    @cached_property
    def second(self) -> Ints:
        """Each customer's second time, the same instant included; NEVER without."""
        return self._seconds[0]

    @cached_property
    def later(self) -> Ints:
        """Each customer's first time after the first instant; NEVER without."""
        return self._seconds[1]

    @cached_property
    def _seconds(self) -> tuple[Ints, Ints]:
        second, later = (np.full(len(self.ids), NEVER) for _ in range(2))
        first = np.full(len(self.ids), NEVER)
        for block in reversed(self.blocks):  # what is known of a customer is of later months
            who, next_one = block.visitors, first[block.visitors]
            place = block.starts + 1
            has_more = place < block.ends
            at = np.where(has_more, block.times[np.minimum(place, len(block.times) - 1)], next_one)
            second[who] = at
            tied = np.flatnonzero(has_more & (at == block.first))
            while len(tied):  # several at the same instant
                place[tied] += 1
                more = place[tied] < block.ends[tied]
                at[tied] = next_one[tied]
                tied = tied[more]
                at[tied] = block.times[place[tied]]
                tied = tied[at[tied] == block.first[tied]]
            later[who] = at
            first[who] = block.first
        return second, later

    @cached_property
    def counts(self) -> Ints:
        """How many orders each customer has."""
        found = np.zeros(len(self.ids), dtype=np.int64)
        for block in self.blocks:
            found[block.visitors] += block.counts
        return found

    @cached_property
    def _by_customer(self) -> Ints:
        codes = np.concatenate([b.codes for b in self.blocks]) if self.blocks else _none()
        return np.argsort(codes, kind="stable")

    @cached_property
    def codes(self) -> Ints:
        """Per order, its customer's code: all orders by customer and time, for who needs gaps."""
        return np.repeat(np.arange(len(self.ids)), self.counts)

    @cached_property
    def times(self) -> Ints:
        """Times in the order of ``codes``."""
        times = np.concatenate([b.times for b in self.blocks]) if self.blocks else _none()
        return times[self._by_customer]

    @cached_property
    def starts(self) -> Ints:
        """Where each customer's orders begin in ``codes``."""
        return np.cumsum(self.counts) - self.counts

    def active(self, look: datetime, moment: datetime) -> Chosen:
        """Who has an order in ``[look, moment)``."""
        return self.chosen("active", micros(look), micros(moment))

    def new(self, start: datetime, until: datetime) -> Chosen:
        """Whose first order is in ``[start, until)``."""
        return self.chosen("new", micros(start), micros(until))

    def chosen(self, what: str, low: int, high: int) -> Chosen:
        """Return a set of customers that depends on the orders of each alone, before ``high``.

        ``active``: an order in ``[low, high)``.  ``new``: the first one is in it.  ``twice``: two
        orders before ``high``.  ``mature``: first order at least ``low`` before ``high``.
        ``again``: a later one within ``low`` of the first.
        """
        key = what, low, high
        if key not in self.sets:
            self.sets[key] = Chosen.of(self.ids, self.flags(*key))
        return self.sets[key]

    def flags(self, what: str, low: int, high: int) -> Flags:
        """Work out such a set: a flag for each customer."""
        if what == "active":
            flags = np.zeros(len(self.ids), dtype=bool)
            for visitors, _revenue in self.inside(low, high):
                flags[visitors] = True
            return flags
        if what == "new":
            return (self.first >= low) & (self.first < high)
        if what == "twice":
            return self.second < high
        if what == "mature":
            return self.first <= high - low
        return self.later - self.first < low  # again

    def revenue(self, look: datetime, moment: datetime) -> Revenue:
        """What customers brought in ``[look, moment)`` less what they got back in it."""
        key = micros(look), micros(moment)
        if key not in self.revenues:
            found = self.balance(*key)
            codes = np.flatnonzero(found > 0)
            self.revenues[key] = Revenue(codes.astype(np.int32), found[codes], len(found))
        return self.revenues[key]

    def balance(self, low: int, high: int) -> Ints:
        """Each customer's amounts less refunds in ``[low, high)``; see :func:`emptied`."""
        found = emptied(len(self.ids))
        for visitors, revenue in self.inside(low, high):
            found[visitors] += revenue
        codes, amounts = self.refunds.between(low, high)
        np.subtract.at(found, codes, amounts)
        return found

    def parts(self, low: int, high: int) -> Iterator[Block]:
        """Yield the orders in ``[low, high)`` month by month; of whole months, what is kept."""
        for block in self.blocks:
            first, last = block.span
            if low <= first and last < high:
                yield block
            elif first < high and last >= low and len((part := block.between(low, high)).codes):
                yield part

    def inside(self, low: int, high: int) -> Iterator[tuple[Ints, Ints]]:
        """Yield for each month who ordered in ``[low, high)``, once each, and for how much."""
        for block in self.blocks:
            first, last = block.span
            if last < low or first >= high:
                continue
            if low <= first and last < high:
                yield block.visitors, block.revenue
                continue
            is_inside = (block.times >= low) & (block.times < high)
            amounts = block.sums(np.where(is_inside, block.amounts, 0))
            ordered = block.sums(is_inside.astype(np.int64)) > 0
            yield block.visitors[ordered], amounts[ordered]


def _none() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)
