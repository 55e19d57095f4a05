"""Friends that members bring: recorded once, paid to both with the friend's first purchase."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crm.models import Customer
from crm.services import change_order
from crm.services.merges import merge_customers
from crm.services.refunds import record_refund
from loyalty.models import Membership, PointsTransaction, Referral
from loyalty.selectors import balance_of, verify_ledger
from loyalty.selectors.referrals import brought_by, friends_of
from loyalty.services import accrue_due, add_rule
from loyalty.services.bonus_sweep import award_bonuses_due
from loyalty.services.members import join_programme
from loyalty.services.referrals import (
    CodeUnknown,
    FriendBrought,
    FriendKnown,
    ReferredOneself,
    ReferrerNotOpen,
    refer_friend,
    referral_code_of,
)
from tests.cast import ACTOR, make_customer, make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def referrals_paid(programme: Any, clock: Any) -> Any:
    return add_rule(
        kind="referral",
        name="Friends",
        points=100,
        friend_points=40,
        caps={"per_member": 150, "window": "year"},
        valid_from=clock(),
        happened_at=clock(),
        actor=ACTOR,
    )


@pytest.fixture
def referrer(programme: Any, clock: Any) -> Membership:
    customer = make_customer()
    member, _is_new = join_programme(customer_id=customer.pk, happened_at=clock(), actor=ACTOR)
    return member


def bring(referrer: Membership, friend: Customer, clock: Any) -> Referral:
    return refer_friend(
        code=referral_code_of(membership_id=referrer.pk),
        friend_id=friend.pk,
        happened_at=clock(),
        actor=ACTOR,
    )


def sweep(clock: Any) -> int:
    accrue_due(clock())
    done = award_bonuses_due(clock())
    assert award_bonuses_due(clock(), everything=True) == 0
    assert verify_ledger().drifts == []
    return done


def points(customer_id: int, clock: Any) -> tuple[int, int]:
    balance = balance_of(customer_id, clock())
    return balance.pending, balance.available


def test_both_are_paid_with_the_friends_first_purchase(referrals_paid, referrer, clock) -> None:
    friend = make_customer()
    referral = bring(referrer, friend, clock)
    assert sweep(clock) == 0
    order = make_order(customer=friend, amount=30, ordered_at=clock.forward(hours=1))
    assert sweep(clock) == 2
    make_order(customer=friend, amount=30, ordered_at=clock.forward(hours=1))
    assert sweep(clock) == 0
    # Usable when nobody can take the purchase back any more.
    assert points(referrer.customer_id, clock) == (100, 0)
    assert points(friend.pk, clock) == (60 + 40, 0)
    clock.forward(days=15)
    assert points(referrer.customer_id, clock) == (0, 100)
    paid = PointsTransaction.objects.filter(source_key__startswith="bonus:")
    assert set(paid.values_list("source_key", "reason")) == {
        (f"bonus:referral:{referral.pk}", "referral"),
        (f"bonus:referred:{referral.pk}", "referred"),
    }
    referral.refresh_from_db()
    assert referral.order == order
    assert list(friends_of(referrer.pk)) == [referral]
    assert brought_by(referral.friend_id) == referral


def test_the_cap_of_the_rule_limits_what_a_referrer_gets(referrals_paid, referrer, clock) -> None:
    for _friend in range(3):
        friend = make_customer()
        bring(referrer, friend, clock)
        make_order(customer=friend, amount=10, ordered_at=clock.forward(hours=1))
    assert sweep(clock) == 6
    assert points(referrer.customer_id, clock) == (150, 0)


@pytest.mark.parametrize("undo", ["cancel", "refund"])
def test_points_for_a_friend_go_with_the_friends_purchase(
    referrals_paid, referrer, clock, undo
) -> None:
    friend = make_customer()
    bring(referrer, friend, clock)
    order = make_order(customer=friend, amount=30, ordered_at=clock.forward(hours=1))
    sweep(clock)
    if undo == "cancel":
        change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    else:
        record_refund(order_id=order.pk, refunded_at=clock(), happened_at=clock(), actor=ACTOR)
    sweep(clock)
    assert points(referrer.customer_id, clock) == (0, 0)
    assert points(friend.pk, clock) == (0, 0)


def test_the_same_referral_again_is_the_first_one(referrals_paid, referrer, clock) -> None:
    friend = make_customer()
    first = bring(referrer, friend, clock)
    code = referral_code_of(membership_id=referrer.pk)
    typed = f" {code[:5].lower()}-{code[5:]} "
    again = refer_friend(code=typed, friend_id=friend.pk, happened_at=clock(), actor="user:1")
    assert again == first
    assert Referral.objects.count() == 1


def test_a_friend_is_brought_once(referrals_paid, referrer, clock) -> None:
    friend, other = make_customer(), make_customer()
    bring(referrer, friend, clock)
    second, _is_new = join_programme(customer_id=other.pk, happened_at=clock(), actor=ACTOR)
    with pytest.raises(FriendBrought):
        bring(second, friend, clock)
    assert Referral.objects.count() == 1


def test_nobody_brings_themselves_nor_their_merged_record(referrals_paid, referrer, clock) -> None:
    record = make_customer()
    with pytest.raises(ReferredOneself):
        bring(referrer, referrer.customer, clock)
    merge_customers(
        person_id=referrer.customer_id,
        record_id=record.pk,
        source="staff",
        happened_at=clock(),
        actor=ACTOR,
    )
    with pytest.raises(ReferredOneself):
        bring(referrer, record, clock)
    assert not Referral.objects.exists()


def test_old_customers_and_whoever_brought_the_member_are_no_new_friends(
    referrals_paid, referrer, clock
) -> None:
    old = make_customer()
    make_order(customer=old, amount=5, ordered_at=clock() - timedelta(days=900), entry="history")
    with pytest.raises(FriendKnown):
        bring(referrer, old, clock)
    friend = make_customer()
    brought = bring(referrer, friend, clock)
    with pytest.raises(FriendKnown):
        bring(brought.friend, referrer.customer, clock)
    assert Referral.objects.count() == 1


def test_a_wrong_code_and_a_frozen_referrer_are_refused(referrals_paid, referrer, clock) -> None:
    friend = make_customer()
    asked = {"friend_id": friend.pk, "happened_at": clock(), "actor": ACTOR}
    for code in ("", "NOBODY2345"):
        with pytest.raises(CodeUnknown):
            refer_friend(code=code, **asked)
    Membership.objects.filter(pk=referrer.pk).update(status="frozen")
    with pytest.raises(ReferrerNotOpen):
        refer_friend(code=referral_code_of(membership_id=referrer.pk), **asked)
    assert not Referral.objects.exists()
    assert not Membership.objects.filter(customer=friend).exists()


def test_without_a_rule_the_referral_is_closed_and_nobody_is_paid(
    programme, referrer, clock
) -> None:
    friend = make_customer()
    referral = bring(referrer, friend, clock)
    order = make_order(customer=friend, amount=30, ordered_at=clock.forward(hours=1))
    assert sweep(clock) == 0
    referral.refresh_from_db()
    assert referral.order == order


def test_a_code_is_made_once(referrer) -> None:
    Membership.objects.filter(pk=referrer.pk).update(referral_code=None)
    code = referral_code_of(membership_id=referrer.pk)
    assert len(code) == 10
    assert referral_code_of(membership_id=referrer.pk) == code
