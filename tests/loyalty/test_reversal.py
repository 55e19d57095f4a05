"""A cancelled purchase takes back what it earned, as recorded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm.services import change_order
from loyalty.models import PointsAccount, PointsLot, PointsTransaction
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services import NothingToReverse, accrue_due, release_due, reverse_award
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.ledger import spend

pytestmark = pytest.mark.django_db


def cancel(order, clock) -> None:
    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)


def state(customer, clock) -> tuple[int, int, int]:
    balance = balance_of(customer.pk, clock())
    return balance.pending, balance.available, balance.debt


def test_the_sweep_takes_back_pending_points(programme, clock) -> None:
    customer = make_customer()
    order = make_order(customer=customer, amount=80, ordered_at=clock())
    accrue_due(clock())
    cancel(order, clock)
    assert accrue_due(clock()) == 1
    assert accrue_due(clock(), everything=True) == 0
    assert state(customer, clock) == (0, 0, 0)
    reversal = PointsTransaction.objects.get(kind="reversal")
    assert (reversal.points, reversal.reverses.kind) == (-80, "earn")
    assert verify_ledger().drifts == []


def test_a_released_lot_gives_its_points_back(programme, clock) -> None:
    customer = make_customer()
    order = make_order(customer=customer, amount=80, ordered_at=clock())
    accrue_due(clock())
    cancel(order, clock)
    clock.forward(days=20)  # no sweep in between
    accrue_due(clock(), everything=True)
    assert state(customer, clock) == (0, 0, 0)


def test_spent_points_become_debt_and_the_next_purchase_repays_it(open_with, clock) -> None:
    open_with(pending_days=0)
    customer = make_customer()
    order = make_order(customer=customer, amount=100, ordered_at=clock())
    accrue_due(clock())
    assert spend(customer.pk, 60, "spend", clock()) == 60
    cancel(order, clock)
    accrue_due(clock())
    assert state(customer, clock) == (0, 0, 60)
    make_order(customer=customer, amount=25, ordered_at=clock())
    accrue_due(clock())
    assert state(customer, clock) == (0, 0, 35)
    make_order(customer=customer, amount=50, ordered_at=clock())
    accrue_due(clock())
    assert state(customer, clock) == (0, 15, 0)
    assert verify_ledger().drifts == []


def test_other_lots_are_taken_soonest_expiring_first(open_with, clock) -> None:
    open_with(pending_days=0, validity_days=100)
    customer = make_customer()
    cancelled = make_order(customer=customer, amount=30, ordered_at=clock())
    accrue_due(clock())
    spend(customer.pk, 30, "spend", clock())
    late = make_order(customer=customer, amount=20, ordered_at=clock() - timedelta(days=10))
    early = make_order(customer=customer, amount=20, ordered_at=clock() - timedelta(days=50))
    accrue_due(clock())
    cancel(cancelled, clock)
    accrue_due(clock())
    remaining = {lot.transaction.order: lot.remaining for lot in PointsLot.objects.all()}
    assert remaining == {cancelled: 0, early: 0, late: 10}


def test_a_release_settles_debt_first(programme, clock) -> None:
    customer = make_customer()
    old = make_order(customer=customer, amount=100, ordered_at=clock() - timedelta(days=20))
    make_order(customer=customer, amount=70, ordered_at=clock())
    accrue_due(clock())
    spend(customer.pk, 100, "spend", clock())
    cancel(old, clock)
    accrue_due(clock())
    assert state(customer, clock) == (70, 0, 100)
    clock.forward(days=15)
    assert state(customer, clock) == (0, 0, 30)  # by the clock …
    release_due(clock())
    assert state(customer, clock) == (0, 0, 30)  # … and in the journal
    account = PointsAccount.objects.get()
    assert (account.pending, account.active, account.debt) == (0, 0, 30)


def test_it_refuses_an_order_that_stands(programme, clock) -> None:
    order = make_order(customer=make_customer(), ordered_at=clock())
    accrue_due(clock())
    with pytest.raises(NothingToReverse):
        reverse_award(order_id=order.pk, happened_at=clock(), actor=ACTOR)
    assert PointsTransaction.objects.count() == 1


def test_reversing_again_returns_the_first_reversal(programme, clock) -> None:
    order = make_order(customer=make_customer(), ordered_at=clock())
    accrue_due(clock())
    cancel(order, clock)
    first = reverse_award(order_id=order.pk, happened_at=clock(), actor=ACTOR)
    again = reverse_award(order_id=order.pk, happened_at=clock.forward(hours=1), actor="user:1")
    assert again == first
    assert PointsTransaction.objects.count() == 2


def test_an_order_cancelled_before_it_earned_earns_nothing(programme, clock) -> None:
    order = make_order(customer=make_customer(), ordered_at=clock())
    cancel(order, clock)
    assert accrue_due(clock()) == 0
    with pytest.raises(NothingToReverse):
        reverse_award(order_id=order.pk, happened_at=clock(), actor=ACTOR)
