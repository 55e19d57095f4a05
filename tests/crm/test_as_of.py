"""What was known at any past moment is what a replay of the history in plain Python knows."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import DomainError
from crm.models import Cost, ExchangeRate, Order, OrderLine, Refund
from crm.selectors.as_of import LINE, STATE
from crm.selectors.facts import (
    cancel_request_facts,
    cost_facts,
    customer_facts,
    interaction_facts,
    offer_facts,
    order_facts,
    order_line_facts,
    product_facts,
    rate_facts,
    refund_facts,
    run_facts,
)
from crm.services import NewLine, change_order
from crm.services.cancel_requests import decide_cancel_request, open_cancel_request
from crm.services.costs import record_cost
from crm.services.offers import answer_offer, record_offer
from crm.services.rates import record_rate
from crm.services.refunds import correct_refund, record_refund
from tests.cast import ACTOR, NOON, make_customer, make_order, make_product
from tests.requirements import tries

pytestmark = [pytest.mark.django_db]

FACTS = (
    order_facts,
    order_line_facts,
    refund_facts,
    customer_facts,
    product_facts,
    offer_facts,
    cancel_request_facts,
    cost_facts,
    rate_facts,
    interaction_facts,
    run_facts,
)
FAR = datetime(2100, 1, 1, tzinfo=UTC)

step = st.fixed_dictionaries(
    {
        "do": st.sampled_from(
            ["order", "lines", "amount", "status", "move", "refund", "correct", "cost", "rate"]
        ),
        "which": st.integers(0, 3),
        "number": st.integers(0, 6),
        "other": st.integers(1, 5),
        "minutes": st.integers(0, 2),  # within one instant, too
    }
)


def everything_now() -> dict[str, Any]:
    """The present, read row by row from the tables: what a replay has to remember."""
    orders = {
        row["pk"]: {name: row[name] for name in STATE} for row in Order.objects.values("pk", *STATE)
    }
    replaced = set(Refund.objects.exclude(replaces=None).values_list("replaces_id", flat=True))
    costs: dict[Any, Any] = {}
    for row in Cost.objects.order_by("id"):
        costs[row.month, row.category, row.location_id] = (row.amount, row.currency)
    rates: dict[Any, int] = {}
    for rate in ExchangeRate.objects.order_by("id"):
        rates[rate.currency, rate.date] = rate.rate
    return {
        "orders": orders,
        "lines": sorted(OrderLine.objects.values_list(*LINE)),
        "refunds": {
            row.pk: (row.order_id, row.line_id, row.quantity, row.amount)
            for row in Refund.objects.all()
            if row.pk not in replaced and row.amount
        },
        "costs": {key: value for key, value in costs.items() if value[0]},
        "rates": rates,
    }


def everything_known(at: datetime) -> dict[str, Any]:
    """The same as the selectors answer it."""
    when = {"as_of": FAR, "known_at": at}
    return {
        "orders": {row["key"]: {name: row[name] for name in STATE} for row in order_facts(**when)},
        "lines": sorted(tuple(row[name] for name in LINE) for row in order_line_facts(**when)),
        "refunds": {
            row["key"]: (row["order_id"], row["line_id"], row["quantity"], row["amount"])
            for row in refund_facts(**when)
        },
        "costs": {
            (row["month"], row["category"], row["location_id"]): (row["amount"], row["currency"])
            for row in cost_facts(**when)
        },
        "rates": {(row["currency"], row["date"]): row["units"] for row in rate_facts(**when)},
    }


def act(one: dict[str, Any], at: datetime, products: list[Any]) -> None:
    """One step of a history; what the rules refuse changes nothing."""
    do, number, other = one["do"], one["number"], one["other"]
    happening = {"happened_at": at, "actor": ACTOR}
    if do == "order":
        lines = [
            NewLine(products[n % 3].pk, Decimal(n % 3 + 1), Decimal(other)) for n in range(number)
        ]
        make_order(
            ordered_at=NOON, lines=lines, amount=None if lines else Decimal(other), actor=ACTOR
        )
        return
    if do == "cost":
        record_cost(
            month=NOON.date(), category=["marketing", "service"][one["which"] % 2],
            amount=Decimal(number), **happening,
        )  # fmt: skip
        return
    if do == "rate":
        record_rate(currency="GBP", date=NOON.date(), rate=Decimal(other), **happening)
        return
    orders = list(Order.objects.order_by("id"))
    if not orders:
        return
    order = orders[one["which"] % len(orders)]
    if do == "refund":
        record_refund(order_id=order.pk, amount=Decimal(other), refunded_at=NOON, **happening)
    elif do == "correct":
        refund = Refund.objects.filter(order=order).order_by("-id").first()
        if refund:
            correct_refund(refund_id=refund.pk, amount=Decimal(number), **happening)
    elif do == "lines":
        lines = [
            NewLine(products[(n + other) % 3].pk, Decimal(other), Decimal(number + n + 1))
            for n in range(number % 4 + 1)
        ]
        change_order(order_id=order.pk, lines=lines, **happening)
    else:
        changes: dict[str, Any] = {
            "amount": {"amount": Decimal(number * other)},
            "status": {"status": Order.Status.values[number % 3]},
            "move": {"ordered_at": NOON - timedelta(days=number)},
        }[do]
        change_order(order_id=order.pk, **changes, **happening)


@settings(
    max_examples=tries(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(step, min_size=1, max_size=14))
def test_known_at_any_past_moment_equals_a_replay(steps: Any, clock: Any, settings: Any) -> None:
    settings.KEEPWELL_CURRENCY = "EUR"
    sid = transaction.savepoint()
    try:
        products = [make_product() for _number in range(3)]
        remembered = []
        for one in steps:
            with suppress(DomainError), transaction.atomic():
                act(one, clock(), products)
            if one["minutes"]:
                # Rows of the same instant are recorded one microsecond apart, at most one a step.
                remembered.append((clock() + timedelta(seconds=1), everything_now()))
                clock.forward(minutes=one["minutes"])
        for at, known in remembered:
            assert everything_known(at) == known
    finally:
        transaction.savepoint_rollback(sid)


def test_orders_made_later_are_cut_off_by_as_of() -> None:
    early, late = make_order(ordered_at=NOON), make_order(ordered_at=NOON + timedelta(days=1))

    def keys(as_of: datetime) -> set[int]:
        return {row["key"] for row in order_facts(as_of=as_of, known_at=FAR)}

    assert keys(NOON) == set()  # half-open
    assert keys(NOON + timedelta(seconds=1)) == {early.pk}
    assert keys(FAR) == {early.pk, late.pk}


def test_answers_and_outcomes_are_as_they_were_known(clock: Any) -> None:
    customer = make_customer()
    happening = {"happened_at": clock(), "actor": ACTOR}
    offer = record_offer(customer_id=customer.pk, text="A month", made_at=clock(), **happening)
    request = open_cancel_request(customer_id=customer.pk, requested_at=clock(), **happening)
    before = clock.forward(days=1)
    answer_offer(offer_id=offer.pk, state="declined", answered_at=clock(), **happening)
    decide_cancel_request(request_id=request.pk, outcome="stayed", decided_at=clock(), **happening)
    between = clock.forward(days=1)
    answer_offer(offer_id=offer.pk, state="accepted", answered_at=clock(), **happening)
    decide_cancel_request(request_id=request.pk, outcome="left", decided_at=clock(), **happening)
    clock.forward(days=1)

    def told(known_at: datetime) -> tuple[Any, ...]:
        [told_offer] = offer_facts(as_of=FAR, known_at=known_at)
        [told_request] = cancel_request_facts(as_of=FAR, known_at=known_at)
        return (
            told_offer["answer"],
            told_offer["answered"],
            told_request["outcome_known"],
            told_request["decided"],
        )

    instant = timedelta(microseconds=1)
    assert told(before - instant) == ("made", None, "open", None)
    assert told(between - instant) == ("declined", before, "stayed", before)
    assert told(clock()) == ("accepted", between, "left", between)


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.__name__)
def test_each_says_what_a_row_is_and_takes_one_statement(
    facts: Any, django_assert_num_queries: Any
) -> None:
    assert "Grain: " in facts.__doc__
    with django_assert_num_queries(1):
        assert list(facts(as_of=FAR, known_at=FAR)) == []
