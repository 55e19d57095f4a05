"""Part-payments of cancelled purchases: the points go back to where they came from, once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.sweeping import run_sweeper
from crm.models import Customer, Order
from crm.services.orders import cancel_order
from loyalty.models import Hold, PointsLot, PointsTransaction, Redemption, Reward
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services.holds import capture_hold
from loyalty.services.memberships import close_membership
from loyalty.services.part_payments import give_back_due
from loyalty.services.vouchers import use_voucher
from tests.cast import ACTOR, make_order
from tests.loyalty.spending import hold, make_member, make_reward, redeem

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(programme: Any) -> Reward:
    """A point is worth 0.01."""
    return make_reward("payment", points=1)


@pytest.fixture
def member(programme: Any, clock: Any) -> Customer:
    """Has 100 points for ten days."""
    return make_member((100, clock() + timedelta(days=10)))


def placed(member: Customer, clock: Any) -> Order:
    return make_order(
        customer=member, amount=50, ordered_at=clock(), status="placed", delivered_at=None
    )


def pay(member: Customer, payment: Reward, order: Order, clock: Any, points: int = 60) -> Hold:
    """Set 80 points aside for a purchase and use some of them."""
    kept = hold(member, 80, reward_id=payment.pk, amount=Decimal(50))
    return capture_hold(
        hold_id=kept.pk, points=points, order_id=order.pk, happened_at=clock(), actor=ACTOR
    )


def cancel(order: Order, clock: Any) -> None:
    clock.forward(minutes=1)
    cancel_order(order_id=order.pk, happened_at=clock(), actor=ACTOR)


def available(member: Customer, clock: Any) -> int:
    return balance_of(member.pk, clock()).available


@pytest.mark.parametrize("is_looked_at_lately", [False, True])
def test_a_cancelled_purchase_gives_its_part_payment_back_once(
    member, payment, clock, is_looked_at_lately
) -> None:
    if is_looked_at_lately:
        run_sweeper("loyalty.part_payments", clock())
    order = placed(member, clock)
    pay(member, payment, order, clock)
    assert (available(member, clock), give_back_due(clock())) == (40, 0)  # it stands

    cancel(order, clock)

    assert run_sweeper("loyalty.part_payments", clock()) == 1
    assert available(member, clock) == 100
    assert Redemption.objects.get().status == "reversed"
    lot = PointsLot.objects.get()  # with the time it had
    assert (lot.original, lot.remaining) == (100, 100)
    assert give_back_due(clock(), everything=True) == 0
    assert PointsTransaction.objects.filter(kind="restore").count() == 1
    assert verify_ledger().drifts == []


def test_points_whose_time_is_over_by_then_expire(member, payment, clock) -> None:
    order = placed(member, clock)
    pay(member, payment, order, clock)
    clock.forward(days=11)
    cancel(order, clock)
    assert give_back_due(clock()) == 1
    assert available(member, clock) == 0
    assert verify_ledger().drifts == []


def test_what_names_no_cancelled_purchase_stays_used(member, payment, clock) -> None:
    order, other = placed(member, clock), placed(member, clock)
    pay(member, payment, other, clock, points=10)
    voucher = redeem(member, make_reward(points=20))
    use_voucher(code=voucher.code, order_id=order.pk, happened_at=clock(), actor=ACTOR)
    cancel(order, clock)
    assert give_back_due(clock(), everything=True) == 0
    assert set(Redemption.objects.values_list("status", flat=True)) == {"used"}
    assert available(member, clock) == 70


def test_a_closed_membership_gets_nothing_back(member, payment, clock) -> None:
    order = placed(member, clock)
    pay(member, payment, order, clock)
    close_membership(customer_id=member.pk, points=40, happened_at=clock(), actor=ACTOR)
    cancel(order, clock)
    assert give_back_due(clock(), everything=True) == 0
    assert Redemption.objects.get().status == "used"
