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
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from common.errors import DomainError
from crm.models import Order
from crm.services import change_order
from crm.services.merges import merge_customers, undo_merge
from crm.services.refunds import record_refund
from loyalty.models import (
    EarnedLine,
    Hold,
    Membership,
    PointsTransaction,
    Redemption,
)
from loyalty.selectors import balance_of
from loyalty.selectors.journal import find_account
from loyalty.selectors.memberships import closing_of
from loyalty.services import OrderEarnsNothing, SourceKeyReused, award_points, reverse_award
from loyalty.services.adjustments import request_adjustment
from loyalty.services.bonus_reversal import take_back_bonus
from loyalty.services.bonuses import award_bonus
from loyalty.services.consumption import TooFewPoints
from loyalty.services.holds import HoldResolved, HoldTimedOut, capture_hold, hold_points, void_hold
from loyalty.services.memberships import (
    ClosingChanged,
    MembershipClosed,
    close_membership,
    freeze_membership,
    thaw_membership,
)
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.redemptions import redeem_reward
from loyalty.services.settlement import settle_order
from loyalty.services.spending import MembershipNotOpen, NotAMember
from tests.cast import ACTOR, make_order
from tests.loyalty.world import (
    BONUSES,
    CUSTOMERS,
    POINTS,
    START,
    WHO,
    World,
    all_outstanding,
    redeemed,
)
from tests.requirements import EVERY_EXAMPLE, tries


class Ledger(World):
    """What people do in this world."""

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
        now = {"happened_at": self.clock(), "actor": ACTOR}
        try:
            change_order(order_id=order.pk, status="cancelled", **now)
        except DomainError:
            return  # some of it was refunded
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
            points = sum(lines.values_list("points", flat=True))
            assert 0 <= points <= left  # 11
            assert points == left or not self.all_were_open

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
            with self.tiers_stay():
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
        again = {"redemption_id": chosen.pk, "happened_at": self.clock(), "actor": ACTOR}
        try:
            with self.tiers_stay():
                reverse_redemption(**again)
        except MembershipNotOpen:
            assert Membership.objects.filter(status="closed").exists()
            return
        assert reverse_redemption(**again).status == "reversed"  # 8
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
        used = redeemed()

        def end() -> Hold:
            what = {"hold_id": chosen.pk, "happened_at": self.clock(), "actor": ACTOR}
            return capture_hold(points=points, **what) if points else void_hold(**what)

        try:
            with self.tiers_stay():
                done = end()
        except MembershipNotOpen:
            assert chosen.account.membership.status != "open"
        except HoldTimedOut:
            assert chosen.expires_at <= self.clock()
            assert redeemed() == used
        except HoldResolved:
            assert chosen.status in ("captured", "voided")  # 10
            assert redeemed() == used
        else:
            assert done.captured == points
            assert redeemed() - used == (points if chosen.status == "open" else 0)  # 10
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
        outstanding = all_outstanding()
        undo_merge(merge_ref=merge.ref, happened_at=self.clock(), actor=ACTOR)
        assert all_outstanding() <= outstanding  # what came back may be over by now

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

    @rule(number=st.integers(0, 8), kind=st.sampled_from(BONUSES))
    def bonus(self, number: int, kind: str) -> None:
        """Pay for something that happens once: the same number is the same thing."""
        customer = self.customers[number % CUSTOMERS]
        asked = {"customer_id": customer.pk, "happened_at": self.clock(), "actor": ACTOR}
        before = balance_of(customer.pk, self.clock()).outstanding
        journal = PointsTransaction.objects.filter(source_key=f"bonus:thing:{number}")
        is_new = not journal.exists()
        try:
            paid = award_bonus(kind=kind, source=f"thing:{number}", **asked)
        except SourceKeyReused:
            assert not is_new  # 9
            assert balance_of(customer.pk, self.clock()).outstanding == before
            return
        if paid is None:
            assert find_account(customer.pk) is None
            return
        assert paid.points == (15 if self.is_open(number % CUSTOMERS) else 0) or not is_new
        after = balance_of(customer.pk, self.clock()).outstanding
        assert after - before == (paid.points if is_new else 0)
        before = self.journal()
        assert award_bonus(kind=kind, source=f"thing:{number}", **asked) == paid  # 8
        assert self.journal() == before

    @rule(number=st.integers(0, 8))
    def take_back(self, number: int) -> None:
        back = {"source": f"thing:{number}", "happened_at": self.clock(), "actor": ACTOR}
        done = take_back_bonus(**back)
        assert take_back_bonus(**back) == done  # 8
        paid = PointsTransaction.objects.filter(source_key=f"bonus:thing:{number}", points__gt=0)
        if done is None:
            assert not paid.exists()
        else:
            assert done.points == -paid.get().points  # 11
            lines = EarnedLine.objects.filter(source=f"thing:{number}")
            assert sum(lines.values_list("points", flat=True)) == 0

    @rule(who=WHO, frozen=st.booleans())
    def freeze(self, who: int, frozen: bool) -> None:
        change = freeze_membership if frozen else thaw_membership
        before = balance_of(self.customers[who].pk, self.clock())
        try:
            change(customer_id=self.customers[who].pk, happened_at=self.clock(), actor=ACTOR)
        except NotAMember:
            return
        except MembershipClosed:
            assert not self.is_open(who)
        else:
            self.all_were_open = False
        assert balance_of(self.customers[who].pk, self.clock()) == before

    @rule(who=WHO, too_many=st.sampled_from([1, 7, 30, 0]))
    def close(self, who: int, too_many: int) -> None:
        """Only in the knowledge of what is lost, as it ends the member's part in this."""
        customer = self.customers[who].pk
        shown, before = closing_of(customer, self.clock()), balance_of(customer, self.clock())
        now = {"customer_id": customer, "happened_at": self.clock(), "actor": ACTOR}
        if shown is None:
            with pytest.raises(NotAMember):
                close_membership(points=0, **now)
        elif too_many and shown.membership.status != "closed":
            with pytest.raises(ClosingChanged):
                close_membership(points=shown.points + too_many, **now)
            assert balance_of(customer, self.clock()) == before
        else:
            with self.tiers_stay():
                closed = close_membership(points=shown.points, **now)
            self.all_were_open = False
            after = balance_of(customer, self.clock())
            assert (after.pending, after.active, after.held) == (0, 0, 0)
            assert after.debt <= before.debt  # what holds let go of pays
            journal = self.journal()
            assert close_membership(points=0, **now) == closed  # 8
            assert self.journal() == journal


@pytest.mark.slow
@pytest.mark.django_db
def test_the_ledger_keeps_its_promises(clock: Callable[[], datetime]) -> None:
    Ledger.clock = clock
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=tries(20) if EVERY_EXAMPLE else 3,
            stateful_step_count=25 if EVERY_EXAMPLE else 20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
