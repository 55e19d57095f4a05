"""Several workers settle at once on PostgreSQL, while people go on: each fact is answered once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection  # noqa: F401 - asked by the mark below
from django.db.models import Count, Sum

from common.time import now
from crm.models import Order, Refund
from crm.services import change_order
from crm.services.merges import merge_customers
from crm.services.refunds import record_refund
from loyalty.models import EarnedLine, PointsAccount, PointsTransaction
from loyalty.selectors import verify_ledger
from loyalty.services import accrue_due, open_programme, sweeps
from loyalty.services.members import join_programme
from loyalty.services.referrals import FriendBrought, refer_friend, referral_code_of
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.test_concurrency import at_once

pytestmark = [
    pytest.mark.system,
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="needs PostgreSQL"),
]


@pytest.fixture
def orders(db: None, monkeypatch: pytest.MonkeyPatch) -> list[Order]:
    """Twenty purchases of five members, which earned."""
    monkeypatch.setattr(sweeps, "SETTLED_BATCH", 3)
    started = now() - timedelta(days=30)
    open_programme(name="Sunny", starts_at=started, happened_at=now(), actor=ACTOR, pending_days=1)
    customers = [make_customer() for _ in range(5)]
    made = [
        make_order(customer=customers[number % 5], amount=100, ordered_at=started)
        for number in range(20)
    ]
    accrue_due(now())
    return made


def sweep() -> int:
    return accrue_due(now(), everything=True)


def refund(order: Order) -> object:
    return record_refund(
        order_id=order.pk, amount=Decimal(10), refunded_at=now(), happened_at=now(), actor=ACTOR
    )


def edit(order: Order) -> object:
    return change_order(order_id=order.pk, amount=Decimal(80), happened_at=now(), actor=ACTOR)


def merge_of(orders: list[Order]) -> Callable[[], object]:
    """Merging the buyers of the first two."""
    return partial(
        merge_customers,
        person_id=orders[0].customer_id,
        record_id=orders[1].customer_id,
        source="staff",
        happened_at=now(),
        actor=ACTOR,
    )


def problems(answers: list[object]) -> list[object]:
    return [answer for answer in answers if isinstance(answer, Exception)]


def test_sweeps_at_once_answer_each_refund_once_even_while_cards_are_merged(
    orders: list[Order],
) -> None:
    for order in orders:
        refund(order)
    answers = at_once(*[sweep] * 4, merge_of(orders))
    assert problems(answers) == []
    sweep()
    assert PointsTransaction.objects.filter(kind="settle", points=-10).count() == 20
    assert PointsTransaction.objects.filter(kind="settle").count() == Refund.objects.count()
    assert verify_ledger().drifts == []


def test_refunds_corrections_and_a_merge_under_way_are_answered_by_then_or_the_next_sweep(
    orders: list[Order],
) -> None:
    people: list[Callable[[], object]] = []
    for one, other in zip(orders[:4], orders[4:8], strict=True):
        people += [partial(refund, one), partial(edit, other), partial(edit, one), sweep]
    answers = at_once(*people, merge_of(orders))
    assert problems(answers) == []
    sweep()
    assert sweep() == 0
    nets = EarnedLine.objects.values("source").annotate(net=Sum("points"), rows=Count("pk"))
    found = {row["source"]: row["net"] for row in nets}
    expected = dict.fromkeys((f"order:{order.pk}" for order in orders), 100)
    expected |= dict.fromkeys((f"order:{order.pk}" for order in orders[:4]), 70)
    expected |= dict.fromkeys((f"order:{order.pk}" for order in orders[4:8]), 80)
    assert found == expected
    total = PointsAccount.objects.aggregate(s=Sum("active") + Sum("pending") - Sum("debt"))["s"]
    assert total == sum(expected.values())
    assert verify_ledger().drifts == []


def test_a_friend_brought_by_two_at_once_is_brought_by_one(orders: list[Order]) -> None:
    friend = make_customer()
    members = [
        join_programme(customer_id=order.customer_id or 0, happened_at=now(), actor=ACTOR)[0]
        for order in orders[:2]
    ]
    asked = [
        partial(
            refer_friend,
            code=referral_code_of(membership_id=member.pk),
            friend_id=friend.pk,
            happened_at=now(),
            actor=ACTOR,
        )
        for member in members
    ]
    answers = at_once(*asked)
    assert [type(answer) for answer in problems(answers)] == [FriendBrought]
