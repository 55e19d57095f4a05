"""What customers cost, and what those who take part bring, by array arithmetic."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from metrics.engines.calendar import micros
from metrics.engines.kernels_cohorts import cohort_of
from metrics.engines.kernels_purchases import ByCustomer, by_window
from metrics.engines.measures import add_up, count
from metrics.engines.members import Chosen, Flags, Ints
from metrics.engines.orders import NEVER, Events, Orders
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Measure
from metrics.kpis.costs import NOT_RECORDED, recorded_costs
from metrics.kpis.engaged import CAME_UP, COMPLAINED, SIGNS, SIGNS_NEEDED, signs_given
from metrics.kpis.value import SERVICE, UNKNOWN_COST, service_shares
from metrics.windows import Window

ACQUISITION = "acquisition"
NOTHING = Events.none()


def service_of(orders: Orders) -> Events:
    """Return each buyer's share of the service cost of each month, at the month's end."""
    if not orders.has_service_costs:
        return NOTHING
    return orders.events(SERVICE, lambda facts: service_shares(facts).rename(amount="share"))


def profit(orders: Orders, service: Events, low: int, high: int) -> Ints:
    """Return what each customer left in ``[low, high)``: margins less refunds and service."""
    found = np.zeros(len(orders.ids), dtype=np.int64)
    for part in orders.parts(low, high):
        found[part.visitors] += part.margin
    codes, amounts = orders.refunds.between(low, high)
    np.subtract.at(found, codes, amounts)
    spent = service.between(low, high)
    np.subtract.at(found, spent.codes, spent.amounts)
    return found


def is_unpriced(orders: Orders, low: int, high: int) -> Flags:
    """Return who has a purchase of unknown cost in ``[low, high)``."""
    found = np.zeros(len(orders.ids), dtype=bool)
    for part in orders.parts(low, high):
        found[part.unpriced] = True
    return found


def cohort_profits(orders: Orders, months: list[Window]) -> dict[tuple[int, int], int]:
    """Kernel of what the customers of each month left, month by month: places → 1/10,000."""
    orders.prepare()
    begins = np.array([micros(month.start) for month in months], dtype=np.int64)
    end = micros(months[-1].until)
    cohort_at = cohort_of(orders.first, months).astype(np.int64)
    cohort_at[is_unpriced(orders, -NEVER, NEVER)] = -1
    sums = np.zeros((len(months), len(months)), dtype=np.int64)
    is_there = np.zeros(sums.shape, dtype=bool)

    def add(codes: Any, times: Ints, amounts: Ints) -> None:
        month = np.searchsorted(begins, times, side="right") - 1
        cohort = cohort_at[codes]
        counted = (cohort >= 0) & (month >= cohort) & (times < end)
        cohort, month = cohort[counted], month[counted]
        np.add.at(sums, (cohort, month), amounts[counted])
        is_there[cohort, month] = True

    for block in orders.blocks:
        ours = np.flatnonzero(block.ours)
        # All of a month's orders are in the same one of the months.
        add(block.visitors[ours], block.first[ours], block.margin[ours])
    service = service_of(orders)
    add(orders.refunds.codes, orders.refunds.times, -orders.refunds.amounts)
    add(service.codes, service.times, -service.amounts)
    found = zip(*(places.tolist() for places in np.nonzero(is_there)), strict=True)
    return {(cohort, month): int(sums[cohort, month]) for cohort, month in found}


def unprofitable(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of margin of the last year below 0 / customers for a year or longer."""
    service = service_of(orders)

    def measure(window: Window) -> Measure:
        span = micros(window.year_until), micros(window.until)
        old = orders.chosen("new", -NEVER, span[0] + 1)
        unknown = Chosen.of(orders.ids, is_unpriced(orders, *span))
        customers = old - unknown
        loss = Chosen.of(orders.ids, profit(orders, service, *span) < 0)
        found = Measure(
            sets={
                NUMERATOR: customers & loss,
                DENOMINATOR: customers,
                UNKNOWN_COST: old & unknown,
            }
        )
        count(found)
        return found

    return by_window(orders, windows, measure)


def acquisition_cost(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of recorded cost / customers who bought and have one."""
    recorded = orders.events(ACQUISITION, recorded_costs)
    is_known = np.zeros(len(orders.ids), dtype=bool)
    cost = np.zeros(len(orders.ids), dtype=np.int64)
    bought = recorded.codes >= 0
    is_known[recorded.codes[bought]] = True
    cost[recorded.codes[bought]] = recorded.amounts[bought]
    known = Chosen.of(orders.ids, is_known)

    def measure(window: Window) -> Measure:
        so_far = orders.chosen("new", -NEVER, micros(window.until))
        counted = so_far & known
        codes = np.flatnonzero(counted.flags)
        found = Measure(
            sets={DENOMINATOR: counted, NOT_RECORDED: so_far - known},
            amounts=ByCustomer(orders.ids, codes, cost[codes], is_squared=True),
        )
        add_up(found)
        return found

    return by_window(orders, windows, measure)


def engaged_ratio(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of mean revenue of the engaged / of all who bought, in the last year."""
    given = {name: orders.events(name, partial(_sign, name)) for name in (*SIGNS, COMPLAINED)}

    def measure(window: Window) -> Measure:
        span = micros(window.year_until), micros(window.until)
        everybody = orders.active(window.year_until, window.until)
        who = {name: _who(orders, events.between(*span)) for name, events in given.items()}
        who[CAME_UP] &= ~who[COMPLAINED]
        is_here = everybody.flags
        signs = {name: who[name] & is_here for name in SIGNS}
        shown = sum(one.view(np.int8) for one in signs.values())
        is_engaged = np.asarray(shown >= SIGNS_NEEDED)
        revenue = np.maximum(orders.balance(*span), 0)
        codes = np.flatnonzero(is_here)
        brought = revenue[codes]
        found = Measure(
            sets={
                NUMERATOR: Chosen.of(orders.ids, is_engaged),
                DENOMINATOR: everybody,
                **{name: Chosen.of(orders.ids, flags) for name, flags in signs.items()},
            },
            amounts=ByCustomer(
                orders.ids, codes, np.where(is_engaged[codes], brought, 0), denominator=brought
            ),
        )
        add_up(found)
        return found

    return by_window(orders, windows, measure)


def _who(orders: Orders, events: Events) -> Flags:
    found = np.zeros(len(orders.ids), dtype=bool)
    found[events.codes[events.codes >= 0]] = True
    return found


def _sign(name: str, facts: Any) -> Any:
    return signs_given(facts)[name]
