"""Exchanging points for rewards, once each, and taking an exchange back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from common.errors import DomainError, InvalidInput, NotFound
from common.models import Event
from crm.services import change_order
from crm.services.merges import merge_customers, undo_merge
from loyalty.models import (
    Membership,
    PointsEntry,
    PointsLot,
    PointsTransaction,
    Redemption,
    Reward,
    TermsVersion,
)
from loyalty.selectors import balance_of, verify_ledger
from loyalty.selectors.redemptions import find_redemption, redemptions_of
from loyalty.selectors.rewards import describe_redemption, describe_reward
from loyalty.services import SourceKeyReused, accrue_due
from loyalty.services.consumption import TooFewPoints
from loyalty.services.holds import capture_hold
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.redemptions import RewardChanged
from loyalty.services.reversal import PointsMoved
from loyalty.services.rewards import change_reward, stop_reward
from loyalty.services.spending import MembershipNotOpen, NotAMember, RewardUnavailable
from tests.cast import ACTOR, make_customer, make_order, make_product
from tests.loyalty.spending import account_of, hold, make_member, make_reward, redeem

pytestmark = pytest.mark.django_db


def available(customer, clock) -> int:
    return balance_of(customer.pk, clock()).available


def remaining(customer) -> list[int]:
    lots = PointsLot.objects.filter(account=account_of(customer)).order_by("pk")
    return list(lots.values_list("remaining", flat=True))


def reverse(redemption, clock) -> Redemption:
    return reverse_redemption(redemption_id=redemption.pk, happened_at=clock(), actor=ACTOR)


def refuse(error: type[DomainError], member, reward, clock, **fields) -> DomainError:
    """The refusal of an exchange that changes nothing."""
    before = (PointsTransaction.objects.count(), remaining(member), Event.objects.count())
    stock = Reward.objects.filter(pk=reward.pk).values_list("stock", flat=True).first()
    with pytest.raises(error) as caught:
        redeem(member, reward, **fields)
    assert (PointsTransaction.objects.count(), remaining(member), Event.objects.count()) == before
    assert not Redemption.objects.filter(account=account_of(member)).exists()
    assert Reward.objects.filter(pk=reward.pk).values_list("stock", flat=True).first() == stock
    return caught.value


def test_points_become_a_voucher(programme, clock) -> None:
    member, reward = make_member(250), make_reward(minimum_amount=Decimal(20), stock=3)
    redemption = redeem(member, reward, key="till:7")
    stored = Redemption.objects.get()
    assert stored == redemption
    assert (stored.status, stored.points, stored.value) == ("issued", 100, Decimal(5))
    assert stored.minimum_amount == Decimal(20)
    assert (stored.redeemed_at, stored.actor, stored.used_at) == (clock(), ACTOR, None)
    assert len(stored.code) == 16
    entry = stored.transaction
    assert (entry.kind, entry.reason, entry.points) == ("redeem", "reward", -100)
    assert entry.source_key == "redeem:till:7"
    sides = entry.entries.order_by("amount").values_list("bucket", "amount")
    assert list(sides) == [("active", -100), ("redeemed", 100)]
    assert available(member, clock) == 150
    assert Reward.objects.get().stock == 2
    event = Event.objects.get(kind="points.redeemed")
    assert event.customer_id == member.pk
    assert event.codes == {"points": -100, "reward": reward.ref}
    assert verify_ledger().drifts == []


def test_a_voucher_is_good_to_the_end_of_its_last_local_day(programme, clock, settings) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Moscow"
    redemption = redeem(make_member(100), make_reward(voucher_days=7))
    assert redemption.valid_until.isoformat() == "2026-03-09T21:00:00+00:00"


def test_the_voucher_keeps_what_was_promised(programme, clock) -> None:
    tea, coffee = make_product(name="Tea"), make_product(name="Coffee")
    reward = make_reward("gift", 100, product_id=tea.pk)
    redeem(make_member(100), reward)
    change_reward(
        reward_id=reward.pk, happened_at=clock(), actor=ACTOR, points=300, product_id=coffee.pk
    )
    stored = Redemption.objects.get()
    assert (stored.points, stored.product) == (100, tea)
    assert describe_redemption(stored) == "Tea as a gift"
    assert describe_reward(stored.reward) == "Coffee as a gift"


def test_a_part_payment_is_used_at_once(programme, clock) -> None:
    member = make_member(1000)
    order = make_order(customer=member, amount=20, ordered_at=clock())
    terms = {"value": Decimal("0.0125"), "maximum_percent": 50, "minimum_amount": Decimal(15)}
    reward = make_reward("payment", 50, **terms)
    redemption = redeem(member, reward, points=333, amount=Decimal(20), order_id=order.pk)
    assert (redemption.status, redemption.code) == ("used", None)
    assert (redemption.minimum_amount, redemption.valid_until) == (Decimal(15), None)
    assert (redemption.points, redemption.value) == (333, Decimal("4.16"))
    assert (redemption.used_at, redemption.order_id) == (clock(), order.pk)
    told = "333 points take $4.16 off, for a purchase of at least $15.00"
    assert describe_redemption(redemption) == told
    assert redemption.transaction.order_id == order.pk
    assert available(member, clock) == 667


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"points": 100}, "amount"),
        ({"points": 100, "amount": Decimal(0)}, "amount"),
        ({"points": 100, "amount": Decimal(-20)}, "amount"),
        ({"points": 100, "amount": Decimal("0.00001")}, "amount"),
        ({"points": 50, "amount": Decimal("0.9")}, "amount"),
        ({"amount": Decimal(20)}, "points"),
        ({"points": 49, "amount": Decimal(20)}, "points"),
        ({"points": 1001, "amount": Decimal(20)}, "points"),
        ({"points": -100, "amount": Decimal(20)}, "points"),
        ({"points": 2**70, "amount": Decimal(20)}, "points"),
    ],
)
def test_a_part_payment_outside_its_terms_is_refused(programme, clock, fields, field) -> None:
    reward = make_reward("payment", 50, maximum_percent=50)
    refusal = refuse(InvalidInput, make_member(5000), reward, clock, **fields)
    assert list(refusal.fields) == [field]


def test_soonest_expiring_lots_go_first_and_never_the_lapsed_or_pending_ones(
    programme, clock
) -> None:
    day = timedelta(days=1)
    member = make_member(40, (30, clock() + 9 * day), (20, clock() + 2 * day), (10, clock() - day))
    make_order(customer=member, amount=500, ordered_at=clock())
    accrue_due(clock())
    redeem(member, make_reward(points=60))
    lots = PointsLot.objects.filter(account=account_of(member)).exclude(expires_at__lt=clock())
    assert {lot.original: lot.remaining for lot in lots} == {40: 30, 30: 0, 20: 0, 500: 500}
    assert verify_ledger().drifts == []


def test_points_can_be_used_up_to_the_instant_they_expire(programme, clock) -> None:
    member, reward = make_member((100, clock() + timedelta(days=1))), make_reward()
    clock.forward(days=1)
    assert available(member, clock) == 0
    refuse(TooFewPoints, member, reward, clock)
    clock.forward(microseconds=-1)
    redeem(member, reward)


def test_too_few_points_are_refused_with_what_is_missing(programme, clock) -> None:
    refusal = refuse(TooFewPoints, make_member(70), make_reward(), clock)
    assert refusal.context == {"missing": 30, "available": 70}


def test_pending_points_cannot_be_used(programme, clock) -> None:
    member = make_member(70)
    make_order(customer=member, amount=500, ordered_at=clock())
    accrue_due(clock())
    refusal = refuse(TooFewPoints, member, make_reward(), clock)
    assert refusal.context == {"missing": 30, "available": 70}


def test_points_that_a_hold_sets_aside_cannot_be_used(programme, clock) -> None:
    member = make_member(150)
    hold(member, 60)
    refusal = refuse(TooFewPoints, member, make_reward(), clock)
    assert refusal.context == {"missing": 10, "available": 90}


def test_who_owes_points_can_use_none(open_with, clock) -> None:
    open_with(pending_days=0)
    member = make_member(0)
    order = make_order(customer=member, amount=300, ordered_at=clock())
    accrue_due(clock())
    redeem(member, make_reward(points=200, name="first"))
    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    accrue_due(clock(), everything=True)
    assert account_of(member).debt == 200
    reward = make_reward(points=1, name="second")
    with pytest.raises(TooFewPoints):
        redeem(member, reward)
    assert Redemption.objects.count() == 1
    assert verify_ledger().drifts == []


def test_the_same_key_gives_the_same_answer_once(programme, clock) -> None:
    member, reward = make_member(500), make_reward(stock=5)
    first = redeem(member, reward, key="once")
    clock.forward(hours=1)
    stop_reward(reward_id=reward.pk, happened_at=clock(), actor=ACTOR)
    assert redeem(member, reward, key="once") == first
    assert PointsTransaction.objects.filter(kind="redeem").count() == 1
    assert (available(member, clock), Reward.objects.get().stock) == (400, 4)


def test_equal_amounts_are_one_request_however_written(programme, clock) -> None:
    member, reward = make_member(500), make_reward("payment", 100)
    first = redeem(member, reward, key="once", points=100, amount=Decimal(20))
    assert redeem(member, reward, key="once", points=100, amount=Decimal("20.00")) == first


def test_the_same_key_for_something_else_is_refused(programme, clock) -> None:
    member, reward = make_member(500), make_reward()
    redeem(member, reward, key="once")
    for other in (
        lambda: redeem(member, make_reward(), key="once"),
        lambda: redeem(make_member(500), reward, key="once"),
        lambda: redeem(member, reward, key="once", points=100),
        lambda: redeem(member, reward, key="once", order_id=make_order().pk),
        lambda: redeem(member, reward, key="once", amount=Decimal(20)),
    ):
        with pytest.raises(SourceKeyReused):
            other()
    assert Redemption.objects.count() == 1
    assert available(member, clock) == 400


@pytest.mark.parametrize("key", [" ", "a b", "ключ", "x" * 65])
def test_a_key_that_no_program_would_send_is_refused(programme, clock, key) -> None:
    refusal = refuse(InvalidInput, make_member(500), make_reward(), clock, key=key)
    assert list(refusal.fields) == ["source_key"]


def test_only_a_part_payment_asks_for_the_purchase(programme, clock) -> None:
    refusal = refuse(
        InvalidInput, make_member(500), make_reward(), clock, points=100, amount=Decimal(20)
    )
    assert list(refusal.fields) == ["amount"]


def test_a_price_that_changed_since_it_was_shown_is_refused(programme, clock) -> None:
    refusal = refuse(RewardChanged, make_member(500), make_reward(points=120), clock, points=100)
    assert refusal.context == {"points": 120}


@pytest.mark.parametrize("status", ["frozen", "closed"])
def test_a_frozen_or_closed_member_can_spend_nothing(programme, clock, status) -> None:
    member = make_member(500)
    Membership.objects.filter(customer=member).update(status=status)
    refuse(MembershipNotOpen, member, make_reward(), clock)


def test_a_customer_who_is_no_member_can_spend_nothing(programme, clock) -> None:
    reward = make_reward()
    with pytest.raises(NotAMember):
        redeem(make_customer(), reward)


def test_an_unknown_reward_is_not_found(programme, clock) -> None:
    member, reward = make_member(500), make_reward()
    Reward.objects.all().delete()
    refuse(NotFound, member, reward, clock)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"stock": 0}, "sold_out"),
        ({"starts_at": "tomorrow"}, "not_yet"),
        ({"ends_at": "now"}, "over"),
        ({"stopped": True}, "not_offered"),
        ({"tier": True}, "wrong_tier"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(programme, clock, terms, code) -> None:
    from loyalty.models import Tier

    moments = {"tomorrow": clock() + timedelta(days=1), "now": clock()}
    given = {
        name: moments.get(value, value)
        for name, value in terms.items()
        if name not in ("stopped", "tier")
    }
    if "tier" in terms:
        tier = Tier.objects.create(
            programme=programme, rank=1, name="Gold", threshold=1, recorded_at=clock()
        )
        given["tier_id"] = tier.pk
    reward = make_reward(**given)
    if "stopped" in terms:
        stop_reward(reward_id=reward.pk, happened_at=clock(), actor=ACTOR)
    refusal = refuse(RewardUnavailable, make_member(500), reward, clock)
    assert refusal.code == code
    assert str(refusal)


def test_a_member_can_have_only_so_many_on_all_cards_together(programme, clock) -> None:
    reward = make_reward(points=10, per_member=2)
    member, other = make_member(100), make_member(100)
    first = redeem(member, reward)
    redeem(other, reward)
    merge_customers(
        person_id=member.pk, record_id=other.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    with pytest.raises(RewardUnavailable) as caught:
        redeem(other, reward)
    assert caught.value.code == "limit_reached"
    reverse(first, clock)
    last = redeem(other, reward)
    assert redemptions_of(member.pk).count() == 3
    told = Event.objects.get(kind="points.redeemed", subject_ref=last.transaction.ref)
    assert told.customer_id == other.pk
    assert verify_ledger().drifts == []


def test_taking_an_exchange_back_restores_the_original_lots(programme, clock) -> None:
    day = timedelta(days=1)
    member = make_member(40, (30, clock() + 9 * day), (20, clock() + 5 * day))
    before = {lot.pk: (lot.remaining, lot.expires_at) for lot in PointsLot.objects.all()}
    redemption = redeem(member, make_reward(points=60, stock=1))
    clock.forward(days=1)
    answer = reverse(redemption, clock)
    assert answer.status == "reversed"
    assert {lot.pk: (lot.remaining, lot.expires_at) for lot in PointsLot.objects.all()} == before
    assert (available(member, clock), Reward.objects.get().stock) == (90, 1)
    restore = PointsTransaction.objects.get(kind="restore")
    assert (restore.points, restore.reason) == (60, "reward_back")
    assert restore.reverses == redemption.transaction
    assert Event.objects.get(kind="points.restored").codes["points"] == 60
    assert verify_ledger().drifts == []


def test_taking_back_again_changes_nothing(programme, clock) -> None:
    member, reward = make_member(100), make_reward(stock=1)
    redemption = redeem(member, reward)
    for _twice in range(2):
        assert reverse(redemption, clock) == redemption
    assert PointsTransaction.objects.filter(kind="restore").count() == 1
    assert (available(member, clock), Reward.objects.get().stock) == (100, 1)


def test_a_frozen_member_gets_points_back_and_a_closed_one_none(programme, clock) -> None:
    frozen, closed = make_member(100), make_member(100)
    reward = make_reward(stock=2)
    redemptions = [redeem(member, reward) for member in (frozen, closed)]
    Membership.objects.filter(customer=frozen).update(status="frozen")
    Membership.objects.filter(customer=closed).update(status="closed")
    assert reverse(redemptions[0], clock).status == "reversed"
    with pytest.raises(MembershipNotOpen):
        reverse(redemptions[1], clock)
    redemptions[1].refresh_from_db()
    assert redemptions[1].status == "issued"
    assert [account_of(member).active for member in (frozen, closed)] == [100, 0]
    assert Reward.objects.get().stock == 1


def test_points_given_back_to_a_lot_that_is_over_expire_at_once(programme, clock) -> None:
    member = make_member(40, (60, clock() + timedelta(days=2)))
    redemption = redeem(member, make_reward(points=70))
    clock.forward(days=3)
    reverse(redemption, clock)
    assert available(member, clock) == 40
    kinds = PointsTransaction.objects.exclude(kind="opening").values_list("kind", "points")
    assert list(kinds.order_by("pk")) == [("redeem", -70), ("restore", 70), ("expire", -60)]
    expired = PointsEntry.objects.get(bucket="expired")
    assert expired.amount == 60
    assert verify_ledger().drifts == []


def test_points_given_back_pay_debt_first(open_with, clock) -> None:
    open_with(pending_days=0)
    member = make_member(0)
    order = make_order(customer=member, amount=100, ordered_at=clock())
    accrue_due(clock())
    redemption = redeem(member, make_reward(points=80))
    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    accrue_due(clock(), everything=True)
    assert account_of(member).debt == 80
    reverse(redemption, clock)
    assert (account_of(member).debt, account_of(member).active) == (0, 0)
    assert verify_ledger().drifts == []


def test_points_go_back_to_where_the_lots_stand_after_a_merge(programme, clock) -> None:
    person, record = make_member(10), make_member(100)
    redemption = redeem(record, make_reward(points=70))
    merge_customers(
        person_id=person.pk, record_id=record.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    reverse(redemption, clock)
    assert available(person, clock) == 110
    assert account_of(record).active == 0
    assert verify_ledger().drifts == []


def test_points_go_back_to_each_of_two_people_who_were_taken_for_one(programme, clock) -> None:
    one, other = make_member(100), make_member(100)
    merged = merge_customers(
        person_id=one.pk, record_id=other.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    redemption = redeem(one, make_reward(points=150))
    undo_merge(merge_ref=merged.ref, happened_at=clock(), actor=ACTOR)
    reverse(redemption, clock)
    assert [available(person, clock) for person in (one, other)] == [100, 100]
    restored = PointsTransaction.objects.filter(kind="restore", reverses=redemption.transaction)
    assert sorted(restored.values_list("points", flat=True)) == [50, 100]
    assert verify_ledger().drifts == []


def test_what_time_did_stands_before_what_is_given_back(programme, clock) -> None:
    member = make_member((100, clock() + timedelta(days=1)), (50, clock() + timedelta(days=2)))
    redemption = redeem(member, make_reward())
    clock.forward(days=3)
    reverse(redemption, clock)
    kinds = PointsTransaction.objects.exclude(kind="opening").order_by("pk")
    assert list(kinds.values_list("kind", "points")) == [
        ("redeem", -100),
        ("expire", -50),
        ("restore", 100),
        ("expire", -100),
    ]


@pytest.mark.parametrize(("late", "until"), [(0, "2026-09-04"), (30, "2026-10-04")])
def test_idle_points_that_are_given_back_may_idle_anew(open_with, clock, late, until) -> None:
    programme = open_with(pending_days=0)
    TermsVersion.objects.create(
        programme=programme,
        number=2,
        valid_from=clock(),
        pending_days=0,
        expiry="inactivity",
        expiry_count=3,
        actor=ACTOR,
        recorded_at=clock(),
    )
    member = make_member(0)
    make_order(customer=member, amount=100, ordered_at=clock())
    accrue_due(clock())
    redemption = redeem(member, make_reward())
    clock.moment = account_of(member).lapses_at + timedelta(days=late)
    reverse(redemption, clock)
    assert available(member, clock) == 100
    assert account_of(member).lapses_at.isoformat() == f"{until}T00:00:00+00:00"


def test_a_merge_this_instant_is_waited_for_and_asked_again(programme, clock, monkeypatch) -> None:
    """Whoever waited for the lock may find the points elsewhere; nothing is written then."""
    from loyalty.services import holds, ledger, redemption_reversal, spending

    person, record, reward = make_member(10), make_member(200), make_reward()
    redemption, held = redeem(record, reward), hold(record, 10)

    def lock(account_ids):
        merge_customers(
            person_id=person.pk,
            record_id=record.pk,
            source="staff",
            happened_at=clock(),
            actor=ACTOR,
        )
        return ledger.lock_accounts(account_ids)

    for module, action in (
        (redemption_reversal, lambda: reverse(redemption, clock)),
        (spending, lambda: redeem(record, reward)),
        (spending, lambda: hold(record, 5)),
        (holds, lambda: capture_hold(hold_id=held.pk, happened_at=clock(), actor=ACTOR)),
    ):
        before = list(PointsTransaction.objects.values_list("pk", flat=True))
        with monkeypatch.context() as patch:
            patch.setattr(module, "lock_accounts", lock)
            with pytest.raises(PointsMoved):
                action()
        assert list(PointsTransaction.objects.values_list("pk", flat=True)) == before
    assert available(record, clock) == 90


def test_an_exchange_is_found_by_its_ref(programme, clock) -> None:
    redemption = redeem(make_member(100), make_reward())
    assert find_redemption(redemption.ref) == redemption
    assert find_redemption("nonesuch") is None
    with pytest.raises(NotFound):
        reverse_redemption(redemption_id=999_999, happened_at=clock(), actor=ACTOR)


def test_an_exchange_takes_the_same_few_statements_however_long_the_history(
    programme, clock, django_assert_max_num_queries
) -> None:
    member = make_member(*[(10, clock() + timedelta(days=n)) for n in range(1, 40)])
    reward = make_reward(points=380)
    with django_assert_max_num_queries(32):
        redeem(member, reward)
    assert available(member, clock) == 10
