"""Points set aside for a purchase under way: captured, let go or timed out, once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from common.errors import DomainError, InvalidInput, NotFound
from crm.services import change_order
from loyalty.models import (
    Hold,
    HoldAllocation,
    Membership,
    PointsEntry,
    PointsLot,
    PointsTransaction,
    Redemption,
    TermsVersion,
)
from loyalty.selectors import balance_of, verify_ledger
from loyalty.selectors.holds import due_holds, find_hold, holds_of
from loyalty.services import SourceKeyReused, accrue_due, holds
from loyalty.services.consumption import TooFewPoints
from loyalty.services.holds import (
    HoldResolved,
    HoldTimedOut,
    capture_hold,
    hold_points,
    time_out_due,
    void_hold,
)
from loyalty.services.rewards import change_reward
from loyalty.services.spending import MembershipNotOpen, NotAMember, RewardUnavailable
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import account_of, hold, make_member, make_reward, redeem

pytestmark = pytest.mark.django_db
HALF_AN_HOUR = timedelta(minutes=30)


def capture(held: Hold, clock, points: int | None = None, **fields) -> Hold:
    return capture_hold(hold_id=held.pk, points=points, happened_at=clock(), actor=ACTOR, **fields)


def void(held: Hold, clock) -> Hold:
    return void_hold(hold_id=held.pk, happened_at=clock(), actor=ACTOR)


def standing(member, clock) -> tuple[int, int]:
    """Available and held points; the account's and the lots' held ones agree."""
    balance = balance_of(member.pk, clock())
    lots = PointsLot.objects.filter(account=account_of(member))
    assert sum(lots.values_list("held", flat=True)) == account_of(member).held
    return balance.available, balance.held


def refuse(error: type[DomainError], action, *arguments, **fields) -> DomainError:
    """The refusal of an action that changes nothing."""

    def everything() -> list[list[dict[str, object]]]:
        tables = (Hold, HoldAllocation, PointsLot, PointsTransaction, PointsEntry, Redemption)
        return [list(model.objects.order_by("pk").values()) for model in tables]

    before = everything()
    with pytest.raises(error) as caught:
        action(*arguments, **fields)
    assert everything() == before
    return caught.value


def test_held_points_cannot_be_used_elsewhere(programme, clock) -> None:
    member = make_member(100)
    held = hold(member, 70)
    assert (held.status, held.points, held.captured) == ("open", 70, 0)
    assert (held.held_at, held.expires_at) == (clock(), clock() + HALF_AN_HOUR)
    assert standing(member, clock) == (30, 70)
    assert PointsTransaction.objects.filter(kind="redeem").count() == 0
    refusal = refuse(TooFewPoints, hold, member, 31)
    assert refusal.context == {"missing": 1, "available": 30}
    hold(member, 30)
    assert standing(member, clock) == (0, 100)
    assert verify_ledger().drifts == []


def test_a_hold_takes_the_lots_that_expire_first(programme, clock) -> None:
    day = timedelta(days=1)
    member = make_member(40, (30, clock() + 9 * day), (20, clock() + 2 * day))
    held = hold(member, 60)
    parts = held.allocations.order_by("pk").values_list("lot__original", "points")
    assert dict(parts) == {20: 20, 30: 30, 40: 10}


def test_a_capture_uses_the_points_once(programme, clock) -> None:
    member = make_member(100)
    order = make_order(customer=member, amount=20, ordered_at=clock())
    held = hold(member, 70)
    captured = capture(held, clock, order_id=order.pk)
    assert (captured.status, captured.captured, captured.resolved_at) == ("captured", 70, clock())
    entry = captured.transaction
    assert (entry.kind, entry.points, entry.order_id) == ("redeem", -70, order.pk)
    assert entry.source_key == f"capture:hold:{held.pk}"
    assert standing(member, clock) == (30, 0)
    clock.forward(hours=2)
    assert capture(held, clock, 70).transaction == entry
    assert PointsTransaction.objects.filter(kind="redeem").count() == 1
    assert verify_ledger().drifts == []


def test_a_partial_capture_lets_the_rest_go(programme, clock) -> None:
    day = timedelta(days=1)
    member = make_member(40, (30, clock() + 9 * day), (20, clock() + 2 * day))
    captured = capture(hold(member, 60), clock, 25)
    assert (captured.points, captured.captured) == (60, 25)
    lots = PointsLot.objects.order_by("original").values_list("original", "remaining", "held")
    assert list(lots) == [(20, 0, 0), (30, 25, 0), (40, 40, 0)]
    assert standing(member, clock) == (65, 0)
    refuse(HoldResolved, capture, captured, clock, 26)
    assert verify_ledger().drifts == []


@pytest.mark.parametrize("points", [0, -1, 71, 2**70])
def test_no_more_can_be_captured_than_was_set_aside(programme, clock, points) -> None:
    held = hold(make_member(100), 70)
    refusal = refuse(InvalidInput, capture, held, clock, points)
    assert list(refusal.fields) == ["points"]


def test_a_void_lets_all_go_once(programme, clock) -> None:
    member = make_member(100)
    held = hold(member, 70)
    for _twice in range(2):
        assert void(held, clock).status == "voided"
    assert standing(member, clock) == (100, 0)
    refusal = refuse(HoldResolved, capture, held, clock)
    assert refusal.context == {"status": "voided", "captured": 0}
    assert PointsTransaction.objects.exclude(kind="opening").count() == 0


def test_what_was_captured_cannot_be_let_go(programme, clock) -> None:
    held = hold(make_member(100), 70)
    capture(held, clock)
    refuse(HoldResolved, void, held, clock)


@pytest.mark.parametrize("is_swept", [False, True])
def test_a_hold_times_out_whether_or_not_the_sweep_was_there(programme, clock, is_swept) -> None:
    member = make_member(100)
    held = hold(member, 70)
    clock.forward(minutes=30, microseconds=-1)
    assert time_out_due(clock()) == 0
    assert balance_of(member.pk, clock()).available == 30
    clock.forward(microseconds=1)
    if is_swept:
        assert list(due_holds(clock())) == [held]
        assert time_out_due(clock()) == 1
        assert time_out_due(clock()) == 0
    assert balance_of(member.pk, clock()).available == 100
    for action in (capture, void):
        refusal = refuse(HoldTimedOut, action, held, clock)
        assert refusal.context == {"expires_at": clock().isoformat()}
    redeem(member, make_reward(points=100))
    held.refresh_from_db()
    assert (held.status, held.resolved_at) == ("expired", held.expires_at)
    assert standing(member, clock) == (0, 0)
    assert verify_ledger().drifts == []


def test_the_sweep_goes_on_until_all_that_is_due_is_let_go(programme, clock, monkeypatch) -> None:
    monkeypatch.setattr(holds, "BATCH", 1)
    members = [make_member(100) for _ in range(3)]
    for member in members:
        hold(member, 60)
    clock.forward(hours=1)
    assert time_out_due(clock()) == 3
    assert [account_of(member).held for member in members] == [0, 0, 0]


def test_the_sweep_looks_once_where_little_is_due(
    programme, clock, django_assert_max_num_queries
) -> None:
    hold(make_member(100), 60, minutes=5)
    clock.forward(minutes=5)
    for budget, done in [(0.0, 0), (5.0, 1), (5.0, 0)]:
        with django_assert_max_num_queries(12):
            assert time_out_due(clock(), budget_seconds=budget) == done


def test_points_can_be_captured_after_their_lot_expired(programme, clock) -> None:
    member = make_member((100, clock() + timedelta(minutes=5)))
    held = hold(member, 60)
    clock.forward(minutes=10)
    assert balance_of(member.pk, clock()).available == 0
    capture(held, clock, 50)
    assert account_of(member).active == 0
    totals = PointsTransaction.objects.exclude(kind="opening").order_by("pk")
    assert [(one.kind, one.points) for one in totals] == [
        ("expire", -40),
        ("redeem", -50),
        ("expire", -10),
    ]
    assert verify_ledger().drifts == []


def test_points_let_go_after_their_lot_expired_expire(programme, clock) -> None:
    member = make_member((100, clock() + timedelta(minutes=5)), 10)
    held = hold(member, 60)
    clock.forward(minutes=10)
    void(held, clock)
    assert standing(member, clock) == (10, 0)
    expired = PointsTransaction.objects.filter(kind="expire").order_by("pk")
    assert [one.points for one in expired] == [-40, -60]
    assert verify_ledger().drifts == []


@pytest.fixture
def owing(open_with, clock):
    """Owes 300 points of a cancelled purchase, with 100 set aside before that; and the hold."""
    open_with(pending_days=0)
    member = make_customer()
    order = make_order(customer=member, amount=300, ordered_at=clock())
    accrue_due(clock())
    redeem(member, make_reward(points=200))
    held = hold(member, 100)
    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    accrue_due(clock(), everything=True)
    account = account_of(member)
    assert (account.active, account.held, account.debt) == (100, 100, 300)
    return member, held


def test_points_that_were_set_aside_pay_debt_when_they_are_let_go(owing, clock) -> None:
    member, held = owing
    refuse(TooFewPoints, hold, member, 1)
    void(held, clock)
    account = account_of(member)
    assert (account.active, account.held, account.debt) == (0, 0, 200)
    paid = PointsTransaction.objects.get(source_key=f"free:hold:{held.pk}")
    assert (paid.kind, paid.reason) == ("release", "let_go")
    assert verify_ledger().drifts == []


def test_points_that_were_set_aside_can_be_used_whatever_is_owed_since(owing, clock) -> None:
    member, held = owing
    capture(held, clock, 60)
    account = account_of(member)
    assert (account.active, account.held, account.debt) == (0, 0, 260)
    assert verify_ledger().drifts == []


def test_the_same_key_gives_the_same_hold(programme, clock) -> None:
    member = make_member(100)
    held = hold(member, 60, key="till:1")
    capture(held, clock)
    clock.forward(hours=3)
    again = hold(member, 60, key="till:1")
    assert (again, again.status) == (held, "captured")
    reward = make_reward("payment", 1)
    for other in (
        {"points": 61},
        {"minutes": 5},
        {"reward_id": reward.pk},
        {"amount": Decimal(20)},
    ):
        refuse(SourceKeyReused, hold, member, **{"points": 60, "key": "till:1", **other})
    assert Hold.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"points": 0}, "points"),
        ({"points": -5}, "points"),
        ({"points": 2**63}, "points"),
        ({"key": "a b"}, "source_key"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 100_000}, "minutes"),
    ],
)
def test_what_cannot_be_held_is_refused_at_its_field(programme, clock, fields, field) -> None:
    member = make_member(100)
    refusal = refuse(InvalidInput, hold, member, **{"points": 50, **fields})
    assert list(refusal.fields) == [field]


def test_a_hold_lasts_as_long_as_it_was_asked_for(programme, clock) -> None:
    told_late = clock() - timedelta(minutes=20)
    held = hold_points(
        customer_id=make_member(100).pk,
        points=50,
        minutes=5,
        source_key="till",
        happened_at=told_late,
        actor=ACTOR,
    )
    assert (held.held_at, held.expires_at) == (told_late, clock() + timedelta(minutes=5))


@pytest.mark.parametrize("status", ["frozen", "closed"])
def test_a_frozen_or_closed_member_neither_holds_nor_captures(programme, clock, status) -> None:
    member = make_member(100)
    held = hold(member, 50)
    Membership.objects.filter(customer=member).update(status=status)
    refuse(MembershipNotOpen, hold, member, 10)
    refuse(MembershipNotOpen, capture, held, clock)
    assert void(held, clock).status == "voided"


def test_strangers_and_unknown_holds_are_refused(programme, clock) -> None:
    refuse(NotAMember, hold, make_customer(), 10)
    held = Hold(pk=999_999)
    refuse(NotFound, capture, held, clock)
    refuse(NotFound, void, held, clock)


def test_a_held_part_payment_becomes_a_redemption(programme, clock) -> None:
    member = make_member(1000)
    reward = make_reward("payment", 100, value=Decimal("0.02"), maximum_percent=50)
    held = hold(member, 400, reward_id=reward.pk, amount=Decimal(20))
    captured = capture(held, clock, 250, amount=Decimal(10))
    redemption = Redemption.objects.get()
    assert redemption.transaction == captured.transaction
    assert (redemption.status, redemption.points, redemption.value) == ("used", 250, Decimal(5))
    assert captured.transaction.reason == "reward"
    assert standing(member, clock) == (750, 0)


def test_a_held_part_payment_keeps_to_its_terms(programme, clock) -> None:
    member = make_member(5000)
    terms = {"value": Decimal("0.02"), "maximum_percent": 50, "per_member": 1}
    reward = make_reward("payment", 100, **terms)
    twenty = Decimal(20)
    refuse(InvalidInput, hold, member, 501, reward_id=reward.pk, amount=twenty)
    refuse(InvalidInput, hold, member, 99, reward_id=reward.pk, amount=twenty)
    refuse(InvalidInput, hold, member, 200, reward_id=reward.pk)
    voucher = make_reward(name="voucher")
    refused = refuse(InvalidInput, hold, member, 100, reward_id=voucher.pk)
    assert refused.fields == {"reward": ["Points are set aside only for a part-payment."]}
    refuse(NotFound, hold, member, 100, reward_id=999_999, amount=twenty)
    held = hold(member, 500, reward_id=reward.pk, amount=twenty)
    refusal = refuse(RewardUnavailable, hold, member, 100, reward_id=reward.pk, amount=twenty)
    assert refusal.code == "limit_reached"
    refuse(InvalidInput, capture, held, clock, 99)
    refuse(InvalidInput, capture, held, clock, 500, amount=Decimal(10))
    assert capture(held, clock, 250, amount=Decimal(10)).captured == 250
    refuse(RewardUnavailable, hold, member, 100, reward_id=reward.pk, amount=twenty)
    change_reward(reward_id=reward.pk, happened_at=clock(), actor=ACTOR, per_member=2)
    hold(member, 100, reward_id=reward.pk, amount=twenty)


def test_using_points_keeps_the_idle_ones_alive(open_with, clock) -> None:
    programme = open_with()
    TermsVersion.objects.create(
        programme=programme,
        number=2,
        valid_from=clock(),
        expiry="inactivity",
        expiry_count=3,
        actor=ACTOR,
        recorded_at=clock(),
    )
    member = make_member(100)
    redeem(member, make_reward(points=10))
    assert account_of(member).lapses_at.isoformat() == "2026-06-03T00:00:00+00:00"
    clock.forward(days=10)
    capture(hold(member, 20), clock)
    assert account_of(member).lapses_at.isoformat() == "2026-06-13T00:00:00+00:00"
    void(hold(member, 20), clock)
    assert account_of(member).lapses_at.isoformat() == "2026-06-13T00:00:00+00:00"


def test_holds_are_found(programme, clock) -> None:
    member = make_member(100)
    held = hold(member, 10)
    hold(make_member(100), 10)
    assert list(holds_of(member.pk)) == [held]
    assert find_hold(held.ref) == held
    assert find_hold("nonesuch") is None
