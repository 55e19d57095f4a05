"""The ledger's seventeen promises under any mixture of what people, clocks and sweeps do.

1 every transaction sums to zero · 2 balance = lots less debt · 3 0 ≤ remaining ≤ original ·
4 what began is what is left, used, lapsed and taken back, less restored · 5 held = open holds ·
6 all that was issued is somewhere · 7 debt is paid first · 8 the same key has one effect ·
9 another request under it none · 10 a hold ends once · 11 no more back than there was ·
12 nothing is used out of its time · 13 what expires first is used first · 14 the journal rebuilds
the balances · 15 when a sweep runs changes nothing · 16 the past stays · 17 pending points can't be
used. ``verify_ledger`` looks at 1-7, 10-12 and 14 after every step; numbers below say where else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Role
from accounts.services import create_user
from common.errors import DomainError
from crm.models import Order
from crm.services import change_order
from crm.services.merges import merge_customers, undo_merge
from crm.services.refunds import record_refund
from loyalty.models import (
    Bucket,
    EarnedLine,
    Hold,
    PointsAccount,
    PointsEntry,
    PointsLot,
    PointsTransaction,
    Redemption,
    TermsVersion,
)
from loyalty.selectors import balance_of, past_balance_of, verify_ledger
from loyalty.selectors.balances import Balance
from loyalty.selectors.journal import find_account
from loyalty.services import (
    OrderEarnsNothing,
    SourceKeyReused,
    accrue_due,
    award_points,
    open_programme,
    release_due,
    reverse_award,
)
from loyalty.services.adjustments import request_adjustment
from loyalty.services.consumption import TooFewPoints
from loyalty.services.expiry import expire_due
from loyalty.services.holds import (
    HoldResolved,
    HoldTimedOut,
    capture_hold,
    hold_points,
    time_out_due,
    void_hold,
)
from loyalty.services.memberships import freeze_membership, thaw_membership
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.redemptions import redeem_reward
from loyalty.services.settlement import settle_order
from loyalty.services.spending import MembershipNotOpen, NotAMember
from tests.cast import ACTOR, NOON, make_customer, make_order
from tests.loyalty.spending import make_reward
from tests.requirements import EVERY_EXAMPLE

CUSTOMERS = 3
WHO = st.integers(0, CUSTOMERS - 1)
POINTS = st.integers(1, 80)
START = NOON - timedelta(days=2)
TERMS: list[dict[str, Any]] = [
    {"expiry": "never"},
    {"expiry": "days", "expiry_count": 4},
    {"expiry": "months", "expiry_count": 1, "expiry_end": "month"},
    {"expiry": "yearly", "expiry_month": 3, "expiry_day": 9},
    {"expiry": "inactivity", "expiry_count": 1},
]


class Ledger(RuleBasedStateMachine):
    """Three customers, points usable after three days, and lapsing in one of five ways."""

    clock: Any

    def __init__(self) -> None:
        super().__init__()
        self.rolled_back = transaction.atomic()
        self.rolled_back.__enter__()
        self.clock.moment = NOON
        self.programme = open_programme(
            name="Sunny", starts_at=START, happened_at=NOON, actor=ACTOR, pending_days=3
        )
        self.customers = [make_customer() for _ in range(CUSTOMERS)]
        self.manager = create_user(email="m@keepwell.example", role=Role.MANAGER, name="Mara")
        self.reward = make_reward("payment", points=1, starts_at=START)
        self.orders: list[Order] = []
        self.merges: list[Any] = []
        self.known: dict[tuple[int, datetime], Balance] = {}
        self.keys = 0

    @initialize(terms=st.sampled_from(TERMS))
    def choose_terms(self, terms: dict[str, Any]) -> None:
        first = TermsVersion.objects.get()
        first.pk, first.number, first.valid_from = None, 2, START - timedelta(days=1)
        for name, value in terms.items():
            setattr(first, name, value)
        first.save(force_insert=True)

    def teardown(self) -> None:
        try:
            for (customer_id, moment), balance in self.known.items():
                assert past_balance_of(customer_id, moment) == balance  # 16
        finally:
            transaction.set_rollback(True)
            self.rolled_back.__exit__(None, None, None)

    # What it looks at

    def balances(self) -> list[Balance]:
        return [balance_of(customer.pk, self.clock()) for customer in self.customers]

    def drawn(self, data: st.DataObject, model: Any) -> Any:
        return data.draw(st.sampled_from(list(model.objects.order_by("pk"))))

    def is_open(self, who: int) -> bool:
        account = find_account(self.customers[who].pk)
        return account is not None and account.membership.status == "open"

    def new_key(self) -> str:
        self.keys += 1
        return f"key:{self.keys}"

    def journal(self) -> int:
        return PointsTransaction.objects.count()

    def check_order(self, used: PointsTransaction) -> None:
        """13: whatever expires before the last lot that was used had nothing free left."""
        taken = PointsEntry.objects.filter(transaction=used, lot__isnull=False)
        last = max(_expiry(lot) for lot in PointsLot.objects.filter(entries__in=taken))
        usable = PointsLot.objects.filter(account=used.account, bucket=Bucket.ACTIVE)
        for lot in usable.filter(available_from__lte=self.clock()):
            if self.clock() < _expiry(lot)[0] and _expiry(lot) < last:
                assert lot.remaining == lot.held

    # What people do

    @rule(
        who=WHO,
        amount=st.integers(0, 60),
        days_ago=st.integers(0, 6),
        entry=st.sampled_from(["live", "live", "live", "history"]),
        at_once=st.booleans(),
    )
    def order(self, who: int, amount: int, days_ago: int, entry: str, at_once: bool) -> None:
        order = make_order(
            customer=self.customers[who],
            amount=amount,
            ordered_at=self.clock() - timedelta(days=days_ago),
            entry=entry,
        )
        self.orders.append(order)
        if at_once:
            self.award(order)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def award_one(self, data: st.DataObject) -> None:
        self.award(data.draw(st.sampled_from(self.orders)))

    def award(self, order: Order) -> None:
        try:
            first = award_points(order_id=order.pk, happened_at=self.clock(), actor=ACTOR)
        except OrderEarnsNothing:
            order.refresh_from_db()
            assert (
                order.entry == "history" or order.ordered_at < START or order.status != "delivered"
            )
        else:
            again = award_points(order_id=order.pk, happened_at=self.clock(), actor="user:1")
            assert again == first  # 8

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.orders))
        change_order(order_id=order.pk, status="cancelled", happened_at=self.clock(), actor=ACTOR)
        if PointsTransaction.objects.filter(order=order, kind="earn", points__gt=0).exists():
            first = reverse_award(order_id=order.pk, happened_at=self.clock(), actor=ACTOR)
            again = reverse_award(order_id=order.pk, happened_at=self.clock(), actor=ACTOR)
            assert again == first

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), amount=st.integers(1, 60), refund=st.booleans(), at_once=st.booleans())
    def correct(self, data: st.DataObject, amount: int, refund: bool, at_once: bool) -> None:
        """Refund a part of a purchase, or give it another amount."""
        order = data.draw(st.sampled_from(self.orders))
        now = {"happened_at": self.clock(), "actor": ACTOR, "amount": Decimal(amount)}
        try:
            if refund:
                record_refund(order_id=order.pk, refunded_at=self.clock(), **now)
            else:
                change_order(order_id=order.pk, **now)
        except DomainError:
            return  # more than was left of it
        if at_once:
            self.settle(order)

    def settle(self, order: Order) -> None:
        settle_order(order_id=order.pk, happened_at=self.clock(), actor=ACTOR)
        before = self.journal()
        assert settle_order(order_id=order.pk, happened_at=self.clock(), actor="user:1") == []  # 8
        assert self.journal() == before
        lines = EarnedLine.objects.filter(source=f"order:{order.pk}")
        if lines.exists():
            order.refresh_from_db()
            back = sum(order.refunds.values_list("amount", flat=True))
            left = 0 if order.status == "cancelled" else max(0, int(order.amount - back))
            assert sum(lines.values_list("points", flat=True)) == left  # 11: all of it, no more

    @rule(who=WHO, points=POINTS, again=st.booleans())
    def redeem(self, who: int, points: int, again: bool) -> None:
        available = balance_of(self.customers[who].pk, self.clock()).available
        key = self.new_key()

        def ask(points: int) -> Redemption:
            return redeem_reward(
                customer_id=self.customers[who].pk,
                reward_id=self.reward.pk,
                source_key=key,
                happened_at=self.clock(),
                actor=ACTOR,
                points=points,
                amount=Decimal(100),
            )

        try:
            done = ask(points)
        except NotAMember:
            assert available == 0
        except MembershipNotOpen:
            assert not self.is_open(who)
        except TooFewPoints:
            assert points > available  # 12, 17
        else:
            assert points <= available
            self.check_order(done.transaction)
            if again:
                before = self.journal()
                assert ask(points) == done  # 8
                with pytest.raises(SourceKeyReused):
                    ask(points + 1)  # 9
                assert self.journal() == before

    @precondition(lambda self: Redemption.objects.exists())
    @rule(data=st.data())
    def reverse_redemption(self, data: st.DataObject) -> None:
        chosen = self.drawn(data, Redemption)
        for _ in range(2):  # 8
            done = reverse_redemption(
                redemption_id=chosen.pk, happened_at=self.clock(), actor=ACTOR
            )
            assert done.status == "reversed"
        given_back = PointsTransaction.objects.filter(reverses=chosen.transaction, kind="restore")
        assert sum(given_back.values_list("points", flat=True)) == chosen.points  # 11

    @rule(who=WHO, points=POINTS, minutes=st.sampled_from([5, 60, 10_000]))
    def hold(self, who: int, points: int, minutes: int) -> None:
        customer = self.customers[who].pk
        before = balance_of(customer, self.clock())
        try:
            hold_points(
                customer_id=customer,
                points=points,
                source_key=self.new_key(),
                happened_at=self.clock(),
                actor=ACTOR,
                minutes=minutes,
            )
        except (NotAMember, TooFewPoints):
            assert points > before.available
            points = 0
        except MembershipNotOpen:
            assert not self.is_open(who)
            points = 0
        after = balance_of(customer, self.clock())
        assert (after.available, after.held, after.active) == (
            before.available - points,
            before.held + points,
            before.active,
        )

    @precondition(lambda self: Hold.objects.exists())
    @rule(data=st.data(), points=st.integers(0, 80))
    def end_hold(self, data: st.DataObject, points: int) -> None:
        """Void it, or capture some or all of it; none of this for the second time."""
        chosen = self.drawn(data, Hold)
        points = min(points, chosen.points)
        used = _redeemed()

        def end() -> Hold:
            what = {"hold_id": chosen.pk, "happened_at": self.clock(), "actor": ACTOR}
            return capture_hold(points=points, **what) if points else void_hold(**what)

        try:
            done = end()
        except MembershipNotOpen:
            assert chosen.account.membership.status == "frozen"
        except HoldTimedOut:
            assert chosen.expires_at <= self.clock()
            assert _redeemed() == used
        except HoldResolved:
            assert chosen.status in ("captured", "voided")  # 10
            assert _redeemed() == used
        else:
            assert done.captured == points
            assert _redeemed() - used == (points if chosen.status == "open" else 0)  # 10
            before = self.journal()
            assert end() == done  # 8
            assert self.journal() == before

    @rule(one=WHO, other=WHO)
    def merge(self, one: int, other: int) -> None:
        if one == other:
            return
        try:
            merge = merge_customers(
                person_id=self.customers[one].pk,
                record_id=self.customers[other].pk,
                source="staff",
                happened_at=self.clock(),
                actor=ACTOR,
            )
        except DomainError:
            return
        self.merges.append(merge)

    @precondition(lambda self: self.merges)
    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        merge = self.merges.pop(data.draw(st.integers(0, len(self.merges) - 1)))
        outstanding = _outstanding()
        undo_merge(merge_ref=merge.ref, happened_at=self.clock(), actor=ACTOR)
        assert _outstanding() <= outstanding  # what came back may be over by now

    @rule(who=WHO, points=st.integers(-60, 60), again=st.booleans())
    def adjust(self, who: int, points: int, again: bool) -> None:
        """By the only manager there is, so it is booked at once."""
        before = balance_of(self.customers[who].pk, self.clock())
        asked = {
            "customer_id": self.customers[who].pk,
            "points": points,
            "reason": "correction",
            "author_id": self.manager.pk,
            "source_key": self.new_key(),
            "happened_at": self.clock(),
        }
        try:
            first = request_adjustment(**asked)
        except DomainError:
            return
        after = balance_of(self.customers[who].pk, self.clock())
        assert after.outstanding - before.outstanding == points
        if again:
            assert request_adjustment(**asked) == first  # 8
            with pytest.raises(SourceKeyReused):
                request_adjustment(**asked | {"points": points + 100})  # 9
            assert balance_of(self.customers[who].pk, self.clock()) == after

    @rule(who=WHO, frozen=st.booleans())
    def freeze(self, who: int, frozen: bool) -> None:
        change = freeze_membership if frozen else thaw_membership
        before = balance_of(self.customers[who].pk, self.clock())
        try:
            change(customer_id=self.customers[who].pk, happened_at=self.clock(), actor=ACTOR)
        except NotAMember:
            return
        assert balance_of(self.customers[who].pk, self.clock()) == before

    # What time and sweeps do

    @rule(hours=st.one_of(st.integers(1, 100), st.integers(600, 900)))
    def wait(self, hours: int) -> None:
        for customer, balance in zip(self.customers, self.balances(), strict=True):
            past = past_balance_of(customer.pk, self.clock())
            self.known[customer.pk, self.clock()] = past
            if PointsLot.objects.filter(lapses=True).exists():  # the journal can't know till when
                past, balance = _without_next_expiry(past), _without_next_expiry(balance)
            assert past == balance  # 14
        self.clock.forward(hours=hours)

    @rule(everything=st.booleans())
    def accrue(self, everything: bool) -> None:
        accrue_due(self.clock(), everything=everything)
        before = self.journal()
        assert accrue_due(self.clock(), everything=True) == 0  # 8, 15
        assert self.journal() == before
        for order in self.orders if everything else ():
            self.settle(order)
        assert self.journal() == before

    @rule(sweep=st.sampled_from([release_due, expire_due, time_out_due]))
    def sweep(self, sweep: Callable[[datetime], int]) -> None:
        before = self.balances()
        sweep(self.clock())
        assert self.balances() == before  # 15
        assert sweep(self.clock()) == 0

    # What always holds

    @invariant()
    def every_sum_holds(self) -> None:
        assert verify_ledger().drifts == []

    @invariant()
    def debt_leaves_nothing_to_spend(self) -> None:
        for balance in self.balances():
            assert min(balance.pending, balance.active, balance.available, balance.debt) >= 0
            assert 0 <= balance.held <= balance.active  # 5
            assert balance.debt == 0 or balance.available == 0  # 7


def _expiry(lot: PointsLot) -> tuple[datetime, int]:
    return lot.expires_at or NOON + timedelta(days=100_000), lot.pk


def _without_next_expiry(balance: Balance) -> Balance:
    return replace(balance, next_expiry=None, next_expiry_points=0)


def _redeemed() -> int:
    entries = PointsEntry.objects.filter(bucket=Bucket.REDEEMED)
    return sum(entries.values_list("amount", flat=True))


def _outstanding() -> int:
    return sum(
        pending + active - debt
        for pending, active, debt in PointsAccount.objects.values_list("pending", "active", "debt")
    )


@pytest.mark.slow
@pytest.mark.django_db
def test_the_ledger_keeps_its_promises(clock: Callable[[], datetime]) -> None:
    Ledger.clock = clock
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=20 if EVERY_EXAMPLE else 4,
            stateful_step_count=25 if EVERY_EXAMPLE else 20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
