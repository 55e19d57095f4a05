"""The ledger's promises under any mixture of orders, sweeps, cancellations and spending."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crm.models import Order
from crm.services import change_order
from loyalty.models import PointsAccount, PointsEntry, PointsLot, PointsTransaction
from loyalty.selectors import balance_of, past_balance_of, verify_ledger
from loyalty.selectors.balances import Balance
from loyalty.services import (
    OrderEarnsNothing,
    accrue_due,
    award_points,
    open_programme,
    release_due,
    reverse_award,
)
from tests.cast import ACTOR, NOON, make_customer, make_order
from tests.loyalty.ledger import spend
from tests.requirements import tries

CUSTOMERS = 2


class Ledger(RuleBasedStateMachine):
    """Two customers, points usable after three days, valid for ten."""

    clock: Any

    def __init__(self) -> None:
        super().__init__()
        self.rolled_back = transaction.atomic()
        self.rolled_back.__enter__()
        self.clock.moment = NOON
        open_programme(
            name="Sunny",
            starts_at=NOON - timedelta(days=2),
            happened_at=NOON,
            actor=ACTOR,
            pending_days=3,
            validity_days=10,
        )
        self.customers = [make_customer() for _ in range(CUSTOMERS)]
        self.orders: list[Order] = []
        self.spent = 0
        self.known: dict[tuple[int, datetime], Balance] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.rolled_back.__exit__(None, None, None)

    def balances(self) -> list[Balance]:
        return [balance_of(customer.pk, self.clock()) for customer in self.customers]

    @rule(
        who=st.integers(0, CUSTOMERS - 1),
        amount=st.integers(0, 60),
        days_ago=st.integers(0, 6),
        entry=st.sampled_from(["live", "live", "live", "history"]),
    )
    def order(self, who: int, amount: int, days_ago: int, entry: str) -> None:
        self.orders.append(
            make_order(
                customer=self.customers[who],
                amount=amount,
                ordered_at=self.clock() - timedelta(days=days_ago),
                entry=entry,
            )
        )

    @rule(everything=st.booleans())
    def accrue(self, everything: bool) -> None:
        accrue_due(self.clock(), everything=everything)
        before = PointsTransaction.objects.count()
        assert accrue_due(self.clock(), everything=True) == 0  # 8, 15
        assert PointsTransaction.objects.count() == before

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def award_one(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.orders))
        try:
            first = award_points(order_id=order.pk, happened_at=self.clock(), actor=ACTOR)
        except OrderEarnsNothing:
            order.refresh_from_db()
            start = NOON - timedelta(days=2)
            assert (
                order.entry == "history" or order.ordered_at < start or order.status != "delivered"
            )
        else:
            again = award_points(order_id=order.pk, happened_at=self.clock(), actor="user:1")
            assert again == first  # 8

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.orders))
        change_order(order_id=order.pk, status="cancelled", happened_at=self.clock(), actor=ACTOR)
        if PointsTransaction.objects.filter(order=order, points__gt=0).exists():
            first = reverse_award(order_id=order.pk, happened_at=self.clock(), actor=ACTOR)
            again = reverse_award(order_id=order.pk, happened_at=self.clock(), actor=ACTOR)
            assert again == first
            assert -first.points == first.reverses.points  # 11

    @rule()
    def release(self) -> None:
        before = self.balances()
        release_due(self.clock())
        assert self.balances() == before  # 15
        assert release_due(self.clock()) == 0

    @rule(who=st.integers(0, CUSTOMERS - 1), points=st.integers(1, 80))
    def spend(self, who: int, points: int) -> None:
        customer = self.customers[who]
        if PointsAccount.objects.filter(membership__customer=customer).exists():
            available = balance_of(customer.pk, self.clock()).available
            key = f"spend:{PointsTransaction.objects.count()}"
            spent = spend(customer.pk, points, key, self.clock())
            assert spent == min(points, available)  # 12, 17: exactly what is said to be available
            self.spent += spent

    @rule(hours=st.integers(1, 100))
    def wait(self, hours: int) -> None:
        for customer in self.customers:
            self.known[customer.pk, self.clock()] = past_balance_of(customer.pk, self.clock())
        self.clock.forward(hours=hours)

    @invariant()
    def every_sum_holds(self) -> None:
        assert verify_ledger().drifts == []  # 1, 2, 3, 4, 14

    @invariant()
    def issued_is_accounted_for(self) -> None:
        def total(bucket: str) -> int:
            return PointsEntry.objects.filter(bucket=bucket).aggregate(s=Sum("amount"))["s"] or 0

        debt = PointsAccount.objects.aggregate(s=Sum("debt"))["s"] or 0
        outstanding = (PointsLot.objects.aggregate(s=Sum("remaining"))["s"] or 0) - debt
        gone = self.spent + total("expired") + total("reversed")
        assert -total("issued") == outstanding + gone  # 6
        assert total("redeemed") == self.spent

    @invariant()
    def debt_leaves_nothing_to_spend(self) -> None:
        for balance in self.balances():
            assert min(balance.pending, balance.active, balance.available, balance.debt) >= 0
            assert balance.debt == 0 or balance.available == 0  # 7

    @invariant()
    def the_journal_tells_the_same_as_the_balances(self) -> None:
        for customer, balance in zip(self.customers, self.balances(), strict=True):
            assert past_balance_of(customer.pk, self.clock()) == balance  # 14

    @invariant()
    def the_past_stays(self) -> None:
        for (customer_id, moment), balance in self.known.items():
            assert past_balance_of(customer_id, moment) == balance  # 16


@pytest.mark.django_db
def test_the_ledger_keeps_its_promises(clock: Callable[[], datetime]) -> None:
    Ledger.clock = clock
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=tries(25),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
