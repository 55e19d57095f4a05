"""Revenue that stays, goes and grows, by array arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.engines.members import Chosen, Flags, Ints, by_id
from metrics.engines.orders import Orders, Revenue, side_by_side
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Amounts, Measure
from metrics.kpis.retention import LOST
from metrics.kpis.revenue import CONTRACTED, EXPANDED
from metrics.windows import Window

Floats = NDArray[np.float64]
Sets = dict[str, Chosen]


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
