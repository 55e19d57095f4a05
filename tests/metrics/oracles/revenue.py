"""What those who brought revenue bring a period later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

from tests.metrics.oracles.rows import CURRENCY, Answer, Question


def revenue_of(asked: Question, look: datetime, moment: datetime) -> dict[int, int]:
    """Revenue less refunds in [look, moment) by customer, never below 0."""
    found: dict[int, int] = defaultdict(int)
    paid = [(order, order.at, order.amount) for order in asked.orders()]
    given_back = [(order, refund.refunded_at, -refund.amount) for refund, order in asked.refunds()]
    for order, at, amount in [*paid, *given_back]:
        is_ours = order.customer_id is not None and order.currency == CURRENCY
        if is_ours and look <= at < moment:
            found[order.customer_id] += amount
    return {customer: max(0, amount) for customer, amount in found.items()}


def gross(asked: Question) -> Answer:
    return _answer(asked, lambda before, after: max(0, before - after), lambda b, a: a < b)


def net(asked: Question) -> Answer:
    return _answer(asked, lambda before, after: before - after, lambda b, a: a != b)


def kept(asked: Question) -> Answer:
    return _answer(asked, lambda _before, after: after, lambda _before, after: after > 0)


def lapsed(asked: Question) -> Answer:
    found = _answer(asked, lambda b, a: b if a == 0 else 0, lambda _before, after: after == 0)
    sets = {name: found.sets[name] for name in ("numerator", "denominator")}
    return Answer(sets=sets, amounts=found.amounts)


def _answer(
    asked: Question, numerator: Callable[[int, int], int], counts: Callable[[int, int], bool]
) -> Answer:
    window = asked.window
    before = revenue_of(asked, window.look_start, window.start)
    after = revenue_of(asked, window.look_until, window.until)
    names = ("numerator", "denominator", "lost", "contracted", "expanded")
    sets: dict[str, set[int]] = {name: set() for name in names}
    amounts: dict[int | None, tuple[int, int]] = {}
    for customer, was in before.items():
        if was <= 0:
            continue
        now = after.get(customer, 0)
        sets["denominator"].add(customer)
        if counts(was, now):
            sets["numerator"].add(customer)
        if now == 0:
            sets["lost"].add(customer)
        elif now < was:
            sets["contracted"].add(customer)
        elif now > was:
            sets["expanded"].add(customer)
        amounts[customer] = (numerator(was, now), was)
    return Answer(sets=sets, amounts=amounts)
