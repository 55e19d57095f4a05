"""Revenue that stays, goes and grows, and what customers left so far, by array arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from metrics.engines.calendar import local_months, micros
from metrics.engines.measures import add_up
from metrics.engines.members import Chosen, Flags, Ints, by_id
from metrics.engines.orders import NEVER, Block, Orders, Revenue, side_by_side
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Amounts, Measure
from metrics.kpis.retention import LOST
from metrics.kpis.revenue import CONTRACTED, EXPANDED
from metrics.kpis.value import DISCOUNTS, MONTHS, UNKNOWN_COST
from metrics.windows import Window

Floats = NDArray[np.float64]
Sets = dict[str, Chosen]
WORTH = "worth"


def gross_churn(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of Σ max(0, before − after) / Σ before."""

    def measure(kept: Kept) -> Measure:
        sets = kept.sets
        amounts = Parts(kept, lambda before, after: np.maximum(before - after, 0))
        return _measure(kept, kept.lost, sets[LOST] | sets[CONTRACTED], amounts)

    return _by_window(orders, windows, measure)


def net_churn(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of Σ (before − after) / Σ before."""

    def measure(kept: Kept) -> Measure:
        moved = kept.sets[LOST] | kept.sets[CONTRACTED] | kept.sets[EXPANDED]
        amounts = Parts(kept, lambda before, after: before - after)
        return _measure(kept, kept.before_sum - kept.after_sum, moved, amounts)

    return _by_window(orders, windows, measure)


def net_retention(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of Σ after / Σ before."""

    def measure(kept: Kept) -> Measure:
        stayed = kept.sets[DENOMINATOR] - kept.sets[LOST]
        return _measure(kept, kept.after_sum, stayed, Parts(kept, lambda _before, after: after))

    return _by_window(orders, windows, measure)


def lapsed(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of Σ before of those who brought nothing after / Σ before."""

    def measure(kept: Kept) -> Measure:
        was, now = kept.before.amounts, kept.after.of(kept.before.codes)
        return Measure(
            int(was[now == 0].sum()),
            kept.before_sum,
            detail=0.0,
            sets={NUMERATOR: kept.sets[LOST], DENOMINATOR: kept.sets[DENOMINATOR]},
            amounts=Parts(kept, lambda before, after: np.where(after == 0, before, 0)),
        )

    return _by_window(orders, windows, measure)


@dataclass(frozen=True)
class Kept:
    """Revenue of a window's two ends, of those who brought some before; sums in 1/10,000."""

    ids: Ints
    before: Revenue
    after: Revenue
    before_sum: int
    after_sum: int
    lost: int
    sets: Sets

    @classmethod
    def of(cls, orders: Orders, before: Revenue, after: Revenue) -> Kept:
        """Return what is kept from one end to the other."""
        codes, was, now = before.codes, before.amounts, after.of(before.codes)
        flags = moves(was, now)
        sets = Chosen.several(orders.ids, codes, flags)
        return cls(orders.ids, before, after, *sums(was, now), sets)

    def patched(
        self,
        places: Ints,
        old: tuple[Ints, Ints],
        new: tuple[Ints, Ints],
        before: Revenue,
        after: Revenue,
    ) -> Kept:
        """Return it with other revenue of the customers at some places: new instead of old."""
        more = [now - was for now, was in zip(sums(*new), sums(*old), strict=True)]
        flags = moves(*new)
        return Kept(
            self.ids,
            before,
            after,
            self.before_sum + more[0],
            self.after_sum + more[1],
            self.lost + more[2],
            {name: one.patched(places, flags[name]) for name, one in self.sets.items()},
        )


def moves(before: Ints, after: Ints) -> dict[str, Flags]:
    """Return who had revenue before, and who of them went, brought less, and brought more."""
    had = before > 0
    return {
        DENOMINATOR: had,
        LOST: had & (after == 0),
        CONTRACTED: had & (after > 0) & (after < before),
        EXPANDED: had & (after > before),
    }


def sums(before: Ints, after: Ints) -> tuple[int, int, int]:
    """Return revenue before, after, and lost, of those who had some before."""
    after = np.where(before > 0, after, 0)
    return int(before.sum()), int(after.sum()), int(np.maximum(before - after, 0).sum())


class Parts(Amounts):
    """What each customer has of a window's sums; made when somebody asks, as there are many."""

    def __init__(self, kept: Kept, take: Callable[[Ints, Ints], Ints]) -> None:
        self._kept, self._take = kept, take

    @property
    def ids(self) -> Ints:
        """Whose they are."""
        return by_id(self._unsorted, self._unsorted)

    @property
    def _unsorted(self) -> Ints:
        return self._kept.ids[self._kept.before.codes]

    @property
    def numerator(self) -> Ints:
        """The part of each in 1/10,000."""
        before = self._kept.before
        found = self._take(before.amounts, self._kept.after.of(before.codes))
        return by_id(self._unsorted, found)

    @property
    def denominator(self) -> Ints:
        """What each brought before, in 1/10,000."""
        return by_id(self._unsorted, self._kept.before.amounts)

    @property
    def detail(self) -> Floats:
        """Nothing is needed."""
        return np.zeros(len(self._kept.before.codes))


def _measure(kept: Kept, numerator: int, people: Chosen, amounts: Parts) -> Measure:
    return Measure(
        numerator,
        kept.before_sum,
        detail=0.0,
        sets={NUMERATOR: people, **kept.sets},
        amounts=amounts,
    )


def _by_window(
    orders: Orders, windows: list[Window], measure: Callable[[Kept], Measure]
) -> dict[str, Measure]:
    """Return window name → measure; what the three figures share is kept with the orders."""

    def kept(window: Window) -> Kept:
        before = window.look_start, window.start
        after = window.look_until, window.until
        if (before, after) not in orders.kept:
            ends = orders.revenue(*before), orders.revenue(*after)
            orders.kept[before, after] = Kept.of(orders, *ends)
        found: Kept = orders.kept[before, after]
        return found

    orders.prepare()
    found = side_by_side(kept, windows)
    return {window.name: measure(one) for window, one in zip(windows, found, strict=True)}


def worth(orders: Orders, windows: list[Window]) -> dict[str, Measure] | None:
    """Kernel of what customers left so far, discounted; None where serving them had its cost."""
    if orders.has_service_costs:
        return None
    if WORTH not in orders.kept:
        orders.kept[WORTH] = Worth(orders)
    so_far, found = orders.kept[WORTH], {}
    for window in sorted(windows, key=lambda window: window.until):
        chosen, is_unknown, value = so_far.until(window.until)
        value = value[chosen]
        measure = Measure(
            sets={
                DENOMINATOR: Chosen.of(orders.ids, chosen),
                UNKNOWN_COST: Chosen.of(orders.ids, is_unknown),
            },
            amounts=Amounts(
                orders.ids[chosen],
                value,
                np.ones(len(value), dtype=np.int64),
                value.astype(np.float64) * value.astype(np.float64),
            ),
        )
        add_up(measure)
        found[window.name] = measure
    return found


class Worth:
    """What customers left until a moment, discounted; asked in order of time it goes on adding."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        orders.prepare()
        self._first_month = _first_months(orders)
        self._back = self._refund_flows()
        self._so_far = _SoFar.begin(len(orders.ids))

    def until(self, moment: datetime) -> tuple[Flags, Flags, Ints]:
        """Return who counts, who has a purchase of unknown cost, and everybody's worth then."""
        until = micros(moment)
        blocks = self._orders.blocks
        if until < self._so_far.at:
            self._so_far = _SoFar.begin(len(self._orders.ids))
        so_far = self._so_far
        over = [block for block in blocks[so_far.next :] if block.span[1] < until]
        for block, flows in zip(over, side_by_side(self._flows, over), strict=True):
            self._add(block, flows, so_far.seen, so_far.unknown, so_far.worth)
        so_far.next += len(over)
        so_far.at = until
        seen, unknown, worth = so_far.seen.copy(), so_far.unknown.copy(), so_far.worth.copy()
        if so_far.next < len(blocks) and blocks[so_far.next].span[0] < until:
            block = blocks[so_far.next].before(until)
            self._add(block, self._flows(block), seen, unknown, worth)
        codes, times, flows = self._back
        end = int(np.searchsorted(times, until))
        np.add.at(worth, codes[:end], flows[:end])
        return seen & ~unknown, unknown, worth

    def _flows(self, block: Block) -> Ints:
        """Return what each visit left, discounted."""
        later = np.clip(block.month - self._first_month[block.visitors], 0, MONTHS - 1)
        flows = discounted(block.margins, np.repeat(later, block.counts))
        return block.sums(flows)

    def _add(self, block: Block, flows: Ints, seen: Flags, unknown: Flags, worth: Ints) -> None:
        if block.is_ours.all():
            seen[block.visitors] = True
        else:
            seen[block.codes[block.is_ours]] = True
        if not block.is_costed.all():
            unknown[block.codes[block.is_ours & ~block.is_costed]] = True
        worth[block.visitors] += flows

    def _refund_flows(self) -> tuple[Ints, Ints, Ints]:
        refunds = self._orders.refunds
        later = local_months(refunds.times) - self._first_month[refunds.codes]
        flows = discounted(-refunds.amounts, np.clip(later, 0, MONTHS - 1))
        return refunds.codes, refunds.times, flows


@dataclass
class _SoFar:
    """The months before ``next`` added up. at: the moment last asked for."""

    seen: Flags
    unknown: Flags
    worth: Ints
    next: int = 0
    at: int = -NEVER

    @classmethod
    def begin(cls, size: int) -> _SoFar:
        return cls(np.zeros(size, bool), np.zeros(size, bool), np.zeros(size, np.int64))


def discounted(amounts: Ints, months_later: Ints) -> Ints:
    """Return amounts at what they were worth so many months before, to the nearest unit."""
    found = np.take(np.array(DISCOUNTS), months_later)
    found *= amounts
    found += 0.5
    whole: Ints = np.floor(found, out=found).astype(np.int64)
    return whole


def _first_months(orders: Orders) -> Ints:
    """Return the local month of each customer's first order in the organisation's currency."""
    found = np.full(len(orders.ids), 12 * 10_000)
    for block in reversed(orders.blocks):
        if block.is_ours.all():
            found[block.visitors] = block.month
        else:
            found[block.codes[block.is_ours]] = block.month
    return found
