"""How often people buy, and whether they come back."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from tests.metrics.oracles.rows import CURRENCY, Answer, Question, day_of


def retention_average(asked: Question) -> Answer:
    window = asked.window
    orders = asked.orders_of()
    start, end, new = set(), set(), set()
    for customer, bought in orders.items():
        if any(window.look_start <= order.at < window.start for order in bought):
            start.add(customer)
        if any(window.look_until <= order.at < window.until for order in bought):
            end.add(customer)
            if window.start <= bought[0].at < window.until:
                new.add(customer)
    return Answer(
        sets={
            "kept": start & end,
            "start": start,
            "end": end,
            "lost": start - end,
            "new": new,
            "won_back": end - start - new,
        },
        amounts={
            customer: (
                2 if customer in start and customer in end else 0,
                (customer in start) + (customer in end),
            )
            for customer in start | end
        },
    )


def repeat_365d(asked: Question) -> Answer:
    year = timedelta(days=365)
    numerator, denominator = set(), set()
    for customer, bought in asked.orders_of().items():
        first = bought[0].at
        if first + year <= asked.window.until:
            denominator.add(customer)
            if any(first < order.at < first + year for order in bought):
                numerator.add(customer)
    return Answer(sets={"numerator": numerator, "denominator": denominator})


def frequency(asked: Question) -> Answer:
    counts = {}
    for customer, bought in asked.orders_of().items():
        number = sum(asked.window.start <= order.at < asked.window.until for order in bought)
        if number:
            counts[customer] = number
    return Answer(
        sets={
            "denominator": set(counts),
            "more_than_once": {customer for customer, number in counts.items() if number >= 2},
        },
        amounts={customer: (number, 1) for customer, number in counts.items()},
    )


def days_between(asked: Question) -> Answer:
    values = []
    for customer, bought in asked.orders_of().items():
        firsts = {}
        for order in reversed(bought):
            firsts[day_of(order.at)] = order.at
        days = sorted(firsts)
        for earlier, later in pairwise(days):
            if asked.window.start <= firsts[later] < asked.window.until:
                values.append((customer, float((later - earlier).days)))
    return Answer(sets={"denominator": {customer for customer, _gap in values}}, values=values)


def average_order(asked: Question) -> Answer:
    amounts: dict[int | None, tuple[int, int]] = {}
    for order in asked.orders():
        if order.currency == CURRENCY and asked.window.start <= order.at < asked.window.until:
            paid, number = amounts.get(order.customer_id, (0, 0))
            amounts[order.customer_id] = (paid + order.amount, number + 1)
    return Answer(
        sets={"denominator": {customer for customer in amounts if customer is not None}},
        amounts=amounts,
    )


def identified_share(asked: Question) -> Answer:
    amounts: dict[int | None, tuple[int, int]] = {}
    for order in asked.orders():
        if order.currency == CURRENCY and asked.window.start <= order.at < asked.window.until:
            known, everything = amounts.get(order.customer_id, (0, 0))
            mine = 0 if order.customer_id is None else order.amount
            amounts[order.customer_id] = (known + mine, everything + order.amount)
    return Answer(
        sets={"known": {customer for customer in amounts if customer is not None}},
        amounts=amounts,
    )
