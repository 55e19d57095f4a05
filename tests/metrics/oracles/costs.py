"""What it costs to win and to keep."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from tests.metrics.oracles.purchases import retention_average
from tests.metrics.oracles.rows import (
    CURRENCY,
    Answer,
    Question,
    begin_of,
    day_of,
    month_of,
    next_month,
)

Month = tuple[int, int]


def spent(asked: Question, category: str) -> dict[Month, int]:
    """What each month cost."""
    found: dict[Month, int] = defaultdict(int)
    for cost in asked.costs():
        if cost.category == category:
            found[month_of(cost.month)] += cost.amount
    return found


def of_window(asked: Question, months: dict[Month, int]) -> int | None:
    """What a window cost: of each month the share of its days that had begun. None: of no month."""
    window, total, is_touched = asked.window, 0, False
    for month, amount in months.items():
        day, days, inside = day_of(begin_of(month)), 0, 0
        first, last = day_of(window.start), day_of(window.until - timedelta(microseconds=1))
        while (day.year, day.month) == month:
            days += 1
            inside += first <= day <= last
            day += timedelta(days=1)
        is_touched |= inside > 0
        total += amount * inside // days
    return total if is_touched else None


def to_acquire(asked: Question) -> Answer:
    months = spent(asked, "marketing")
    new = {
        customer
        for customer, bought in asked.orders_of().items()
        if asked.window.start <= bought[0].at < asked.window.until
        and month_of(bought[0].at) in months
    }
    return _answer(of_window(asked, months), new)


def to_retain(asked: Question) -> Answer:
    months = spent(asked, "service")
    month = max(month_of(asked.window.start), (1970, 1))
    while begin_of(month) < asked.window.until:
        if month not in months:
            return _answer(None, set())
        month = next_month(month)
    cost = of_window(asked, months)
    rewards = rewards_of(asked)
    if rewards is not None:
        cost = (cost or 0) + rewards
    return _answer(cost, retention_average(asked).sets["kept"])


def acquisition(asked: Question) -> Answer:
    recorded = {
        record.customer_id: record.acquisition_cost
        for record in asked.history.customers
        if record.recorded_at <= asked.known_at
    }
    known: dict[int | None, tuple[int, int]] = {}
    unknown = set()
    for customer, bought in asked.orders_of().items():
        if bought[0].at >= asked.window.until:
            continue
        cost = recorded.get(customer)  # of the person's own record, not of those merged into it
        if cost is None:
            unknown.add(customer)
        else:
            known[customer] = (cost, 1)
    sets = {"denominator": {one for one in known if one is not None}, "not_recorded": unknown}
    return Answer(sets=sets, amounts=known)


def rewards_of(asked: Question) -> int | None:
    """What the points used in a window cost; None: nobody used or got back any."""
    history, window = asked.history, asked.window
    total, is_touched = 0, False
    for entry in history.happened(history.points, "effective_at", asked.as_of, asked.known_at):
        is_used = entry.kind == "redeem" or (entry.kind == "restore" and entry.amount > 0)
        if entry.lot_id is None or not is_used:
            continue
        if not window.start <= entry.effective_at < window.until:
            continue
        for price in history.point_costs:
            ends = price.until
            if (
                price.currency == CURRENCY
                and price.recorded_at <= asked.known_at
                and price.since <= entry.effective_at
                and (ends is None or entry.effective_at < ends)
            ):
                total -= entry.amount * price.amount
                is_touched = True
    return total if is_touched else None


def _answer(cost: int | None, people: set[int]) -> Answer:
    amounts: dict[int | None, tuple[int, int]] = dict.fromkeys(people, (0, 1))
    if cost is not None:
        amounts[None] = (cost, 0)
    return Answer(sets={"denominator": people}, amounts=amounts)
