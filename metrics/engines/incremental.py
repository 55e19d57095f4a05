"""Figures that follow new orders: only the customers who ordered are looked at again.

Every set of the hot figures depends on the orders of each customer alone, so a change of some
customers' orders changes the bits of these customers, in the windows that end after it, and
nothing else. What comes out equals what the kernels find in all orders anew.

A process that lives on keeps a :class:`Running`; another one reads the store and begins with
``Running(load_orders(…), windows, months)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from metrics.engines import kernels, kernels_money
from metrics.engines.calendar import by_month, local_month, micros
from metrics.engines.kernels_cohorts import Cell, cohort_of, cohorts
from metrics.engines.members import Ints
from metrics.engines.orders import NEVER, Block, GivenBack, Orders
from metrics.kpis.base import Measure
from metrics.windows import Window

ROOM = 4_096  # new customers there is room for until everything is worked out anew

Kernel = Callable[[Orders, list[Window]], Mapping[str, Measure]]
KERNELS: dict[str, Kernel] = {
    "retention_rate": kernels.retention,
    "retention_rate_source": kernels.source_form,
    "retention_rate_average": kernels.average_form,
    "churn_rate": kernels.churn,
    "revenue_churn_gross": kernels_money.gross_churn,
    "revenue_churn_net": kernels_money.net_churn,
    "net_revenue_retention": kernels_money.net_retention,
    "repeat_purchase_rate_90d": partial(kernels.repeat_within, days=90),
    "repeat_purchase_rate_365d": partial(kernels.repeat_within, days=365),
    "repeat_purchase_rate_lifetime": kernels.repeat_lifetime,
}


class MustStartAnew(Exception):
    """The change can't be followed; nothing was changed, but everything has to be worked out."""


@dataclass(frozen=True)
class Change:
    """Orders and refunds that came or went; each part may be None.

    added, removed: as :class:`Block`, with customer ids for codes, in any order and of any month.
    refunds: that came, of counted orders, with customer ids for codes.
    """

    added: Block | None = None
    removed: Block | None = None
    refunds: GivenBack | None = None

    @property
    def customers(self) -> Ints:
        """Whose, sorted."""
        parts = (self.added, self.removed, self.refunds)
        return np.unique(np.concatenate([part.codes for part in parts if part is not None]))

    @property
    def is_growth(self) -> bool:
        """Whether no order went."""
        return self.removed is None or not len(self.removed.codes)

    @property
    def since(self) -> int:
        """The time of the first of them: nothing before it changes."""
        parts = (self.added, self.removed, self.refunds)
        return min(int(p.times.min()) for p in parts if p is not None and len(p.times))


class Running:
    """Measures of the hot figures by key and window, and the cohort matrix, kept up to date.

    It takes ``orders`` over: nobody else may use them afterwards.
    measures: figure's key → window name → measure.  cells: (cohort, month) → cell.
    """

    def __init__(self, orders: Orders, windows: list[Window], months: list[Window]) -> None:
        self.orders = _with_room(orders)
        self.windows, self.months = windows, months
        self._known = len(orders.ids)
        self._places_of_new: dict[int, int] = {}
        self.measures: dict[str, dict[str, Measure]] = {key: {} for key in KERNELS}
        self.cells = {(cell.cohort, cell.month): cell for cell in cohorts(self.orders, months)}
        self._measure(windows)

    def follow(self, change: Change) -> list[Window]:
        """Take a change in and return the windows whose measures are others now.

        :raises MustStartAnew: too many new customers, or an order to remove isn't there.
        """
        ids, since = change.customers, change.since
        places = self._places(ids)
        in_order = np.argsort(places)
        ids, places = ids[in_order], places[in_order]
        orders = self.orders
        known = _Course.of(orders, places)
        then = known.with_added(change.added, ids) if change.is_growth else None
        if then and self._are_cohorts_equal(known, then):
            needed = self._needed_since(since)
        else:  # who was what, and when, may be quite different now
            then, needed = None, None
        old = _part(orders, places, needed)
        known.put_into(old)
        new_blocks, changed = _with_change(orders, change, self._place_of)
        refunds = _with_refunds(orders.refunds, change.refunds, self._place_of)
        orders.blocks, orders.refunds = new_blocks, refunds
        new = _part(orders, places, needed, like=old, changed=changed)
        if then:
            then.put_into(new)
        _Course.of(new).keep_in(orders, places)
        self._follow_sets(places, new, since)
        self._follow_revenue(places, new, since)
        self._follow_cells(places, old, new, changed)
        windows = [window for window in self.windows if micros(window.until) > since]
        self._measure(windows)
        return windows

    def _measure(self, windows: list[Window]) -> None:
        for key, kernel in KERNELS.items():
            self.measures[key].update(kernel(self.orders, windows))

    def _are_cohorts_equal(self, known: _Course, then: _Course) -> bool:
        was, now = (cohort_of(course.first, self.months) for course in (known, then))
        return np.array_equal(was[known.counts > 0], now[known.counts > 0])

    def _needed_since(self, since: int) -> int:
        """Return the time from which on orders matter to what a change since then changes."""
        active = (low for what, low, high in self.orders.sets if what == "active" and high > since)
        revenue = (low for low, high in self.orders.revenues if high > since)
        return min(since, *active, *revenue)

    def _follow_sets(self, places: Ints, new: Orders, since: int) -> None:
        for (what, low, high), chosen in self.orders.sets.items():
            if high > since or what == "again":
                flags = new.flags(what, low, high)
                self.orders.sets[what, low, high] = chosen.patched(places, flags)

    def _follow_revenue(self, places: Ints, new: Orders, since: int) -> None:
        revenues = self.orders.revenues
        later = {key: revenue for key, revenue in revenues.items() if key[1] > since}
        was = {key: revenue.some(places) for key, revenue in later.items()}
        now = {key: np.maximum(new.balance(*key), 0) for key in later}
        for key, revenue in later.items():
            revenues[key] = revenue.patched(places, now[key])
        for ends, kept in self.orders.kept.items():  # of revenue only
            before, after = ((micros(look), micros(moment)) for look, moment in ends)
            if after in later or before in later:
                for key in {before, after} - later.keys():
                    was[key] = now[key] = revenues[key].some(places)
                self.orders.kept[ends] = kept.patched(
                    places,
                    (was[before], was[after]),
                    (now[before], now[after]),
                    revenues[before],
                    revenues[after],
                )

    def _follow_cells(self, places: Ints, old: Orders, new: Orders, changed: set[int]) -> None:
        was, now = (cohort_of(orders.first, self.months) for orders in (old, new))
        if np.array_equal(was[old.counts > 0], now[old.counts > 0]):
            # Everybody is in the cohort they were in, so other months are as they were.
            old, new = _only(old, changed), _only(new, changed)
        went, came = ({(c.cohort, c.month): c for c in cohorts(o, self.months)} for o in (old, new))
        for key in went.keys() | came.keys():
            before, after = went.get(key), came.get(key)
            cell = self.cells.get(key) or Cell(*key, np.zeros(0, np.int64), 0)
            more = (after.amount if after else 0) - (before.amount if before else 0)
            members = _exchanged(cell.members, before, after)
            self.cells[key] = replace(cell, members=members, amount=cell.amount + more)
            if not len(members):
                del self.cells[key]

    def _places(self, ids: Ints) -> Ints:
        """Return the places of customers, a new one for who is new."""
        known = self.orders.ids[: self._known]
        place = np.minimum(np.searchsorted(known, ids), max(self._known - 1, 0))
        is_known = known[place] == ids if self._known else np.zeros(len(ids), dtype=bool)
        strangers = [one for one in ids[~is_known].tolist() if one not in self._places_of_new]
        taken = self._known + len(self._places_of_new)
        if taken + len(strangers) > len(self.orders.ids):
            raise MustStartAnew
        for number, one in enumerate(strangers, start=taken):
            self._places_of_new[one] = number
            self.orders.ids[number] = one
        place[~is_known] = [self._places_of_new[one] for one in ids[~is_known].tolist()]
        return place

    def _place_of(self, ids: Ints) -> Ints:
        return self._places(ids)


@dataclass
class _Course:
    """When some customers bought, an array each: see :class:`Orders`."""

    first: Ints
    last: Ints
    second: Ints
    later: Ints
    counts: Ints

    @classmethod
    def of(cls, orders: Orders, places: Ints | None = None) -> _Course:
        """Return it of all customers, or of some."""
        columns = [getattr(orders, one.name) for one in fields(cls)]
        return cls(*(column if places is None else column[places] for column in columns))

    def with_added(self, added: Block | None, ids: Ints) -> _Course:
        """Return it with orders that came. ids: the customers'."""
        if added is None or not len(added.codes):
            return self
        by_id = np.argsort(ids)
        codes = by_id[np.searchsorted(ids, added.codes, sorter=by_id)]
        more = Orders.of(ids=ids, codes=codes, times=added.times)
        earlier, alike = more.first < self.first, more.first == self.first
        return _Course(
            np.minimum(self.first, more.first),
            np.maximum(self.last, more.last),
            np.minimum(np.maximum(self.first, more.first), np.minimum(self.second, more.second)),
            np.where(
                earlier,
                np.minimum(self.first, more.later),
                np.minimum(self.later, np.where(alike, more.later, more.first)),
            ),
            self.counts + more.counts,
        )

    def put_into(self, orders: Orders) -> None:
        """Make it what is known of orders of which not all months are there."""
        for name in ("first", "last", "counts"):
            orders.__dict__[name] = getattr(self, name)
        orders.__dict__["_seconds"] = self.second, self.later

    def keep_in(self, orders: Orders, places: Ints) -> None:
        """Write it into that of all customers."""
        for one in fields(self):
            getattr(orders, one.name)[places] = getattr(self, one.name)


def _with_room(orders: Orders) -> Orders:
    """Return orders with room for customers who have none yet."""
    ids = np.concatenate([orders.ids, np.full(ROOM, NEVER)])
    return Orders(ids, orders.blocks, orders.refunds, orders.has_service_costs)


def _part(
    orders: Orders,
    places: Ints,
    since: int | None,
    like: Orders | None = None,
    changed: set[int] | None = None,
) -> Orders:
    """Return the orders and refunds of some customers, numbered anew.

    since: from the month of this time on.  like: as it was but for the changed months.
    """
    month = 0 if since is None else local_month(since)
    known = {block.month: block for block in like.blocks} if like else {}
    blocks = []
    for block in orders.blocks:
        if block.month < month:
            continue
        if like is not None and changed is not None and block.month not in changed:
            if block.month in known:
                blocks.append(known[block.month])
            continue
        at = np.minimum(np.searchsorted(block.visitors, places), len(block.visitors) - 1)
        mine = np.flatnonzero(block.visitors[at] == places)
        if not len(mine):
            continue
        at = at[mine]
        size = block.counts[at]
        edge = np.cumsum(size) - size
        rows = np.repeat(block.starts[at] - edge, size) + np.arange(int(size.sum()))
        part = Block(
            np.repeat(mine, size),
            block.times[rows],
            block.amounts[rows],
            block.margins[rows],
            block.is_ours[rows],
            block.is_costed[rows],
        )
        part.__dict__["month"] = block.month
        blocks.append(part)
    refunds = orders.refunds
    begin = 0 if since is None else int(np.searchsorted(refunds.times, since))
    is_theirs = np.zeros(len(orders.ids), dtype=bool)
    is_theirs[places] = True
    mine = begin + np.flatnonzero(is_theirs[refunds.codes[begin:]])
    codes = np.searchsorted(places, refunds.codes[mine])
    some = GivenBack(codes, refunds.times[mine], refunds.amounts[mine])
    return Orders(orders.ids[places], blocks, some)


def _only(orders: Orders, months: set[int]) -> Orders:
    """Return some months of orders, with everybody's first order as it is in all of them."""
    found = Orders(orders.ids, [block for block in orders.blocks if block.month in months])
    found.__dict__["first"] = orders.first
    return found


def _with_change(
    orders: Orders, change: Change, place_of: Callable[[Ints], Ints]
) -> tuple[list[Block], set[int]]:
    """Return the months with the change in them, and which ones are others."""
    blocks = {block.month: block for block in orders.blocks}
    changed = set()
    for rows, edit in ((change.removed, _without), (change.added, _with)):
        for some in _months(rows, place_of):
            blocks[some.month] = edit(blocks.get(some.month), some)
            changed.add(some.month)
    return [block for _month, block in sorted(blocks.items()) if len(block.codes)], changed


def _months(rows: Block | None, place_of: Callable[[Ints], Ints]) -> list[Block]:
    if rows is None or not len(rows.codes):
        return []
    ids, number = np.unique(rows.codes, return_inverse=True)
    columns = [getattr(rows, one.name) for one in fields(Block)[1:]]
    return [Block(*part) for part in by_month(place_of(ids)[number], *columns)]


def _with(block: Block | None, some: Block) -> Block:
    if block is None or not len(block.codes):
        return some
    place = np.searchsorted(block.codes, some.codes)
    end = np.searchsorted(block.codes, some.codes, side="right")
    last = len(block.times) - 1
    while np.any(goes_on := (place < end) & (block.times[np.minimum(place, last)] <= some.times)):
        place += goes_on
    at = place + np.arange(len(place))
    is_old = np.ones(len(block.codes) + len(at), dtype=bool)
    is_old[at] = False

    def column(name: str) -> NDArray[np.int64]:
        was = getattr(block, name)
        found = np.empty(len(is_old), dtype=was.dtype)
        found[at], found[is_old] = getattr(some, name), was
        return found

    return _columns(block, column)


def _without(block: Block | None, some: Block) -> Block:
    if block is None:
        raise MustStartAnew
    gone: set[int] = set()
    begin = np.searchsorted(block.codes, some.codes).tolist()
    for at, first in enumerate(begin):
        place = first
        while (
            place < len(block.codes)
            and block.codes[place] == some.codes[at]
            and (
                place in gone
                or block.times[place] != some.times[at]
                or block.amounts[place] != some.amounts[at]
                or block.is_ours[place] != some.is_ours[at]
            )
        ):
            place += 1
        if place == len(block.codes) or block.codes[place] != some.codes[at]:
            raise MustStartAnew
        gone.add(place)
    return _columns(block, lambda name: np.delete(getattr(block, name), sorted(gone)))


def _columns(block: Block, column: Callable[[str], NDArray[np.int64]]) -> Block:
    made = Block(*(column(one.name) for one in fields(Block)))  # type: ignore[arg-type]
    made.__dict__["month"] = block.month
    return made


def _with_refunds(
    old: GivenBack, new: GivenBack | None, place_of: Callable[[Ints], Ints]
) -> GivenBack:
    if new is None or not len(new.codes):
        return old
    order = np.argsort(new.times, kind="stable")
    ids, number = np.unique(new.codes[order], return_inverse=True)
    at = np.searchsorted(old.times, new.times[order], side="right")
    return GivenBack(
        np.insert(old.codes, at, place_of(ids)[number]),
        np.insert(old.times, at, new.times[order]),
        np.insert(old.amounts, at, new.amounts[order]),
    )


def _exchanged(members: Ints, before: Cell | None, after: Cell | None) -> Ints:
    """Return the members without those only ``before`` has, with those only ``after`` has."""
    was = set(before.members.tolist()) if before else set()
    now = set(after.members.tolist()) if after else set()
    if went := sorted(was - now):
        members = np.delete(members, np.searchsorted(members, went))
    if came := sorted(now - was):
        members = np.insert(members, np.searchsorted(members, came), came)
    return members
