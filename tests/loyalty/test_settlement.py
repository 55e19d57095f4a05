"""Settling what became of purchases: one answer for each fact, for whom, in how many statements."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.services import change_order
from crm.services.refunds import correct_refund, record_refund
from loyalty.models import PointsAccount, PointsTransaction
from loyalty.services import accrue_due
from loyalty.services.settlement import settle_batch
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.settling import bought, edit, nothing_more_to_do, refund, settled, state

pytestmark = pytest.mark.django_db


def test_several_facts_at_once_are_answered_one_by_one(programme, clock) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    for amount in (80, 120):
        change_order(order_id=order.pk, amount=Decimal(amount), happened_at=clock(), actor=ACTOR)
        clock.forward(minutes=1)
    record_refund(
        order_id=order.pk,
        amount=Decimal(50),
        refunded_at=clock(),
        happened_at=clock(),
        actor=ACTOR,
    )
    accrue_due(clock())
    assert settled() == [
        ("settle", "edited", -20),
        ("settle", "edited", 40),
        ("settle", "refunded", -50),
    ]
    assert state(customer, clock) == (70, 0, 0)
    assert nothing_more_to_do(clock)


@pytest.mark.parametrize(("status", "expected"), [("frozen", 100), ("closed", 60)])
def test_a_membership_that_is_not_open_gets_back_at_most_what_it_had(
    programme, clock, status, expected
) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    row = refund(order, clock, 40)
    PointsAccount.objects.get().membership.__class__.objects.update(status=status)
    correct_refund(refund_id=row.pk, amount=Decimal(0), happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    edit(order, clock, amount=Decimal(300))
    assert state(customer, clock) == (expected, 0, 0)
    assert nothing_more_to_do(clock)


def test_histories_are_never_settled(programme, clock) -> None:
    customer = make_customer()
    order = make_order(customer=customer, amount=80, ordered_at=clock(), entry="history")
    refund(order, clock, 20)
    edit(order, clock, amount=Decimal(90))
    assert PointsTransaction.objects.count() == 0


def test_settling_a_page_of_orders_takes_as_many_statements_as_one(programme, clock) -> None:
    orders = [bought(make_customer(), clock, 100) for _ in range(6)]
    counts = []
    for some in (orders[:1], orders[1:]):
        for order in some:
            record_refund(
                order_id=order.pk,
                amount=Decimal(10),
                refunded_at=clock(),
                happened_at=clock(),
                actor=ACTOR,
            )
        with CaptureQueriesContext(
            connection,
        ) as queries:
            ids = settle_batch(
                programme=programme,
                order_ids=[order.pk for order in some],
                happened_at=clock(),
                actor=ACTOR,
            )
        assert len(ids) == len(some)
        counts.append(len(queries))
    assert counts[1] <= counts[0]  # many rows go in by COPY, which does not show
