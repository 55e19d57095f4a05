"""Purchases of one person earned at once, and edited while they earn, on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection  # noqa: F401 - named by the mark below
from django.db.models import Sum

from common.time import now
from crm.models import OrderVersion
from crm.services.orders import change_order
from loyalty.models import EarnedLine, PointsTransaction
from loyalty.selectors import verify_ledger
from loyalty.services import add_rule, award_points, open_programme
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.test_concurrency import at_once

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="needs PostgreSQL"),
]
STARTED = timedelta(days=30)


def add(kind: str, **fields) -> int:
    started = now() - STARTED
    when = {"valid_from": started, "happened_at": started, "actor": ACTOR}
    return add_rule(kind=kind, name=kind, **when, **fields).pk


def award(order_id: int) -> PointsTransaction:
    return award_points(order_id=order_id, happened_at=now(), actor=ACTOR)


@pytest.fixture
def orders(db) -> list[int]:
    """Eight purchases of 10.00 of one person, made at one instant."""
    open_programme(name="Sunny", starts_at=now() - STARTED, happened_at=now(), actor=ACTOR)
    customer, at = make_customer(), now()
    return [make_order(customer=customer, amount=10, ordered_at=at).pk for _ in range(8)]


def test_what_is_paid_once_or_up_to_a_limit_stays_so(orders) -> None:
    first = add("first", points=100)
    limited = add("bonus", points=30, caps={"per_member": 100})
    answers = at_once(*[partial(award, order) for order in orders])
    assert {type(one) for one in answers} == {PointsTransaction}
    rows = EarnedLine.objects.values_list("rule_version__rule").annotate(total=Sum("points"))
    totals = dict(rows.order_by())
    assert (totals[first], totals[limited]) == (100, 100)
    assert EarnedLine.objects.exclude(once=None).count() == 1
    assert verify_ledger().drifts == []


def test_a_purchase_edited_while_it_earns_is_seen_before_or_after_never_between(orders) -> None:
    edits = [
        partial(
            change_order,
            order_id=order,
            amount=Decimal(25),
            happened_at=now(),
            actor=ACTOR,
        )
        for order in orders
    ]
    awards = [partial(award, order) for order in orders]
    answers = at_once(*[one for pair in zip(edits, awards, strict=True) for one in pair])
    assert not [one for one in answers if isinstance(one, Exception)]
    for order in orders:
        earned = PointsTransaction.objects.get(order=order)
        edited_at = OrderVersion.objects.get(order=order).recorded_until
        base = EarnedLine.objects.get(transaction=earned).base
        assert base == (10 if earned.recorded_at < edited_at else 25)
