"""What customers leave: margins after refunds and service."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext

from tests.metrics.oracles.rows import (
    CURRENCY,
    Answer,
    Question,
    begin_of,
    days_earlier,
    month_of,
    next_month,
)

Flow = tuple[datetime, tuple[int, int], int]  # when, in which month, how much


def flows_of(asked: Question) -> dict[int, list[Flow]]:
    """What each customer left or took, one after another."""
    flows: dict[int, list[Flow]] = defaultdict(list)
    for order in asked.orders():
        if order.customer_id is not None and order.currency == CURRENCY and order.cost is not None:
            flows[order.customer_id].append(
                (order.at, month_of(order.at), order.amount - order.cost)
            )
    for refund, order in asked.refunds():
        if order.customer_id is not None and order.currency == CURRENCY:
            at = refund.refunded_at
            flows[order.customer_id].append((at, month_of(at), -refund.amount))
    for cost in asked.costs():
        if cost.category != "service":
            continue
        month = month_of(cost.month)
        buyers = {
            order.customer_id
            for order in asked.orders()
            if order.customer_id is not None
            and month_of(order.at) == month
            and cost.location_id in (None, order.location_id)
        }
        charged_at = begin_of(next_month(month)) - timedelta(microseconds=1)
        for buyer in buyers:
            flows[buyer].append((charged_at, month, -(cost.amount // len(buyers))))
    return flows


def clv(asked: Question) -> Answer:
    until = asked.window.until
    flows = flows_of(asked)
    amounts: dict[int | None, tuple[int, int]] = {}
    unknown = set()
    for customer, bought in asked.orders_of().items():
        own = [order for order in bought if order.currency == CURRENCY]
        early = [order for order in own if order.at < until]
        if not early:
            continue
        if any(order.cost is None for order in early):
            unknown.add(customer)
            continue
        first = month_of(own[0].at)
        total = 0
        for at, month, amount in flows[customer]:
            if at < until:
                later = max(0, (month[0] - first[0]) * 12 + month[1] - first[1])
                total += _worth(amount, later)
        amounts[customer] = (total, 1)
    return Answer(
        sets={"denominator": {c for c in amounts if c is not None}, "unknown_cost": unknown},
        amounts=amounts,
    )


def unprofitable(asked: Question) -> Answer:
    until = asked.window.until
    since = days_earlier(until, 365)
    flows = flows_of(asked)
    numerator, denominator, unknown = set(), set(), set()
    for customer, bought in asked.orders_of().items():
        if not bought[0].at <= since:
            continue
        recent = [o for o in bought if o.currency == CURRENCY and since <= o.at < until]
        if any(order.cost is None for order in recent):
            unknown.add(customer)
            continue
        denominator.add(customer)
        if sum(amount for at, _month, amount in flows[customer] if since <= at < until) < 0:
            numerator.add(customer)
    return Answer(
        sets={"numerator": numerator, "denominator": denominator, "unknown_cost": unknown}
    )


def _worth(amount: int, months: int) -> int:
    """An amount some months later at 10 % a year, to the nearest unit."""
    with localcontext() as context:
        context.prec = 40
        worth = Decimal(amount) / Decimal("1.1") ** (Decimal(months) / 12)
        return int((worth + Decimal("0.5")).to_integral_value(ROUND_FLOOR))
