"""What customers left so far, discounted, by array arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from metrics.engines.calendar import local_months, micros
from metrics.engines.kernels_purchases import ByCustomer
from metrics.engines.kernels_value import NOTHING, service_of
from metrics.engines.measures import add_up
from metrics.engines.members import Chosen, Flags, Ints
from metrics.engines.orders import NEVER, Block, Events, Orders, side_by_side
from metrics.kpis.base import DENOMINATOR, Measure
from metrics.kpis.value import DISCOUNTS, MONTHS, UNKNOWN_COST
from metrics.windows import Window

WORTH = "worth"


def worth(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of what customers left so far, discounted."""
    if WORTH not in orders.kept:
        orders.kept[WORTH] = Worth(orders, service_of(orders))
    so_far, found = orders.kept[WORTH], {}
    for window in sorted(windows, key=lambda window: window.until):
        chosen, is_unknown, value = so_far.until(window.until)
        codes = np.flatnonzero(chosen)
        measure = Measure(
            sets={
                DENOMINATOR: Chosen.of(orders.ids, chosen),
                UNKNOWN_COST: Chosen.of(orders.ids, is_unknown),
            },
            amounts=ByCustomer(orders.ids, codes, value[codes], is_squared=True),
        )
        add_up(measure)
        found[window.name] = measure
    return found


class Worth:
    """What customers left until a moment, discounted; asked in order of time it goes on adding."""

    def __init__(self, orders: Orders, service: Events = NOTHING) -> None:
        self._orders = orders
        orders.prepare()
        self._first_month = _first_months(orders)
        self._spent = self._discounted_costs(service)
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
        codes, times, flows = self._spent
        spent = slice(so_far.spent, int(np.searchsorted(times, until)))
        np.add.at(so_far.worth, codes[spent], flows[spent])
        so_far.spent = spent.stop
        seen, unknown, worth = so_far.seen.copy(), so_far.unknown.copy(), so_far.worth.copy()
        if so_far.next < len(blocks) and blocks[so_far.next].span[0] < until:
            block = blocks[so_far.next].between(-NEVER, until)
            self._add(block, self._flows(block), seen, unknown, worth)
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

    def _discounted_costs(self, service: Events) -> tuple[Ints, Ints, Ints]:
        """Return codes, times and what they take away of refunds and service, sorted by time."""
        refunds = self._orders.refunds
        codes, times, amounts = (
            np.concatenate([getattr(refunds, name), getattr(service, name)])
            for name in ("codes", "times", "amounts")
        )
        if len(service.codes):
            by_time = np.argsort(times, kind="stable")
            codes, times, amounts = codes[by_time], times[by_time], amounts[by_time]
        later = local_months(times) - self._first_month[codes]
        return codes, times, discounted(-amounts, np.clip(later, 0, MONTHS - 1))


@dataclass
class _SoFar:
    """The months before ``next`` and the costs before ``spent`` added up; at: asked for last."""

    seen: Flags
    unknown: Flags
    worth: Ints
    next: int = 0
    spent: int = 0
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
