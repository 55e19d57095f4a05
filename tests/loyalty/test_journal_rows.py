"""What the journal says, row by row, of what time did and of what is given back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from common.errors import InvalidInput
from common.models import Event
from loyalty.models import PointsAccount, PointsLot, PointsTransaction, Reward, TermsVersion
from loyalty.selectors.rewards import Problem, explain_problem
from loyalty.services import award_points
from loyalty.services.catch_up import catch_up
from loyalty.services.consumption import TooFewPoints
from loyalty.services.holds import capture_hold, void_hold
from loyalty.services.ledger import hash_request, lock_accounts
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.redemptions import RewardChanged
from loyalty.services.spending import RewardUnavailable
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import account_of, hold, make_member, make_reward, redeem

pytestmark = pytest.mark.django_db


def lots_of(customer) -> list[PointsLot]:
    return list(PointsLot.objects.filter(account=account_of(customer)).order_by("pk"))


def events(kind: str) -> list[dict]:
    return list(Event.objects.filter(kind=kind).order_by("pk").values_list("codes", flat=True))


@pytest.fixture
def everything_at_once(programme, clock):
    """One account to which, a day from now, everything happens that time can do."""
    kate = make_member(9, 6, 4, 1, 3, 1, 7, 8)
    holds = [hold(kate, points, minutes=1440) for points in (9, 6)]
    at = clock() + timedelta(days=1)
    _held, held_idle, _stays, over, *rest = (lot.pk for lot in lots_of(kate))
    PointsLot.objects.filter(pk=over).update(expires_at=at)
    PointsLot.objects.filter(pk__in=[held_idle, *rest[:2]]).update(lapses=True)
    PointsLot.objects.filter(pk__in=rest[2:]).update(bucket="pending", available_from=at)
    PointsAccount.objects.filter(pk=account_of(kate).pk).update(
        pending=15, active=24, debt=10, lapses_at=at
    )
    return kate, holds, at


def test_of_what_happens_at_one_instant_what_ends_comes_before_what_begins(
    everything_at_once, clock
) -> None:
    kate, (first, second), at = everything_at_once
    before = set(PointsTransaction.objects.values_list("pk", flat=True))
    _held, held_idle, stays, over, idle, one_idle, soon, later = (lot.pk for lot in lots_of(kate))
    clock.moment = at
    with transaction.atomic():
        accounts = lock_accounts([account_of(kate).pk])
        assert catch_up(accounts, at) == 7
        assert catch_up(accounts, at) == 0
    written = PointsTransaction.objects.exclude(pk__in=before).order_by("pk")
    expected = [
        (f"expire:lot:{over}", "expire", "lapsed", -1),
        (f"expire:lot:{idle}", "expire", "inactive", -3),
        (f"expire:lot:{one_idle}", "expire", "inactive", -1),
        (f"free:hold:{first.pk}", "release", "let_go", 9),
        (f"expire:lot:{held_idle}:hold:{second.pk}", "expire", "lapsed", -6),
        (f"release:lot:{soon}", "release", "window_over", 7),
        (f"release:lot:{later}", "release", "window_over", 8),
    ]
    assert list(written.values_list("source_key", "kind", "reason", "points")) == expected
    assert set(written.values_list("effective_at", "recorded_at", "actor")) == {(at, at, "system")}
    assert list(written.values_list("request_hash", flat=True)) == [
        *(hash_request(key=key) for key, *_rest in expected[:5]),
        hash_request(kind="release", lot=soon),
        hash_request(kind="release", lot=later),
    ]
    assert [codes["points"] for codes in events("points.expired")] == [-1, -3, -1, -6]
    assert [codes["points"] for codes in events("points.released")] == [7, 8]
    account = account_of(kate)
    assert (account.pending, account.active, account.held, account.debt) == (0, 18, 0, 0)
    assert account.lapses_at is None
    assert {lot.pk: lot.remaining for lot in lots_of(kate) if lot.remaining} == {
        stays: 4,
        soon: 6,
        later: 8,
    }
    assert PointsLot.objects.get(pk=stays).expires_at is None
    for one in (first, second):
        one.refresh_from_db()
        assert (one.status, one.resolved_at) == ("expired", at)


def test_what_time_did_is_booked_for_each_of_the_locked_accounts_and_no_other(
    programme, clock
) -> None:
    end = clock() + timedelta(days=1)
    kate, pat, kim = make_member((4, end)), make_member((5, end)), make_member((6, end))
    over, stays, others = hold(kate, 1, minutes=5), hold(pat, 2, minutes=2880), hold(kim, 3)
    before = set(PointsTransaction.objects.values_list("pk", flat=True))
    clock.moment = end
    with transaction.atomic():
        accounts = lock_accounts([account_of(kate).pk, account_of(pat).pk])
        assert catch_up(accounts, end) == 2
    written = PointsTransaction.objects.exclude(pk__in=before).order_by("pk")
    assert list(written.values_list("account", "kind", "points")) == [
        (account_of(kate).pk, "expire", -4),
        (account_of(pat).pk, "expire", -3),
    ]
    stand = [(account_of(one).active, account_of(one).held) for one in (kate, pat, kim)]
    assert stand == [(0, 0), (2, 2), (6, 3)]
    for one, status in [(over, "expired"), (stays, "open"), (others, "open")]:
        one.refresh_from_db()
        assert one.status == status


def test_what_a_hold_lets_go_of_is_stored_though_another_member_was_idle(programme, clock) -> None:
    kate, pat = make_member(4), make_member(5)
    hold(kate, 3, minutes=5)
    hold(pat, 2, minutes=2880)
    at = clock() + timedelta(days=1)
    PointsLot.objects.filter(account=account_of(pat)).update(lapses=True)
    PointsAccount.objects.filter(pk=account_of(pat).pk).update(lapses_at=at)
    clock.moment = at
    with transaction.atomic():
        assert catch_up(lock_accounts([account_of(kate).pk, account_of(pat).pk]), at) == 1
    assert [(lot.remaining, lot.held) for one in (kate, pat) for lot in lots_of(one)] == [
        (4, 0),
        (2, 2),
    ]


def test_points_given_back_to_a_lot_that_ends_this_instant_expire_at_once(programme, clock) -> None:
    end = clock() + timedelta(days=1)
    kate = make_member((1, end), 9)
    reward = make_reward(points=10)
    done = redeem(kate, reward)
    clock.moment = end
    reverse_redemption(redemption_id=done.pk, happened_at=clock(), actor=ACTOR)
    over, _stays = lots_of(kate)
    key = f"restore:redemption:{done.pk}"
    restored, expired = list(PointsTransaction.objects.order_by("pk"))[-2:]
    assert (restored.source_key, restored.kind, restored.reason, restored.points) == (
        key,
        "restore",
        "reward_back",
        10,
    )
    assert restored.reverses == done.transaction
    assert restored.request_hash == hash_request(
        kind="restore", redemption=done.pk, account=account_of(kate).pk
    )
    assert events("points.restored") == [{"points": 10, "reward": reward.ref}]
    assert (expired.source_key, expired.points) == (
        f"expire:lot:{over.pk}:redemption:{done.pk}",
        -1,
    )
    assert account_of(kate).active == 9


def test_points_given_back_lapse_when_they_would_have(open_with, clock) -> None:
    open_with(pending_days=0)
    first = TermsVersion.objects.get()
    first.pk, first.number, first.valid_from = None, 2, clock() - timedelta(hours=1)
    first.expiry, first.expiry_count = "inactivity", 1
    first.save(force_insert=True)
    order = make_order(customer=make_customer(), amount=20, ordered_at=clock())
    award_points(order_id=order.pk, happened_at=clock(), actor=ACTOR)
    clock.forward(days=1)
    done = redeem(order.customer, make_reward(points=10))
    lapses_at = account_of(order.customer).lapses_at
    clock.forward(days=5)
    reverse_redemption(redemption_id=done.pk, happened_at=clock(), actor=ACTOR)
    assert lapses_at is not None
    assert account_of(order.customer).lapses_at == lapses_at


def test_points_given_back_go_where_each_lot_stands_now(programme, clock) -> None:
    kate, pat = make_member(4, 6), make_member(5)
    done = redeem(kate, make_reward(points=10))
    PointsLot.objects.filter(pk=lots_of(kate)[1].pk).update(account=account_of(pat))
    reverse_redemption(redemption_id=done.pk, happened_at=clock(), actor=ACTOR)
    key = f"restore:redemption:{done.pk}"
    restored = PointsTransaction.objects.filter(kind="restore").order_by("pk")
    assert list(restored.values_list("source_key", "account", "points")) == [
        (key, account_of(kate).pk, 4),
        (f"{key}:{account_of(pat).pk}", account_of(pat).pk, 6),
    ]
    assert (account_of(kate).active, account_of(pat).active) == (4, 11)


def test_a_hold_of_one_point_that_is_captured_whole_after_its_lot_ended_leaves_one_row(
    programme, clock
) -> None:
    kate = make_member((1, clock() + timedelta(minutes=5)))
    kept = hold(kate, 1, minutes=60)
    assert account_of(kate).held == 1
    before = PointsTransaction.objects.count()
    clock.forward(minutes=10)
    capture_hold(hold_id=kept.pk, happened_at=clock(), actor=ACTOR)
    assert PointsTransaction.objects.count() == before + 1
    used = PointsTransaction.objects.latest("pk")
    assert (used.kind, used.reason, used.points) == ("redeem", "purchase", -1)
    assert (account_of(kate).held, account_of(kate).active) == (0, 0)


def test_a_hold_that_was_let_go_before_its_time_does_not_run_out_too(programme, clock) -> None:
    kate = make_member(10)
    first = hold(kate, 3, minutes=5)
    hold(kate, 2, minutes=2880)
    void_hold(hold_id=first.pk, happened_at=clock(), actor=ACTOR)
    clock.forward(days=1)
    with transaction.atomic():
        assert catch_up(lock_accounts([account_of(kate).pk]), clock()) == 0
    first.refresh_from_db()
    assert (first.status, account_of(kate).held, lots_of(kate)[0].held) == ("voided", 2, 2)


def test_a_lot_that_is_empty_by_then_is_not_released(programme, clock) -> None:
    kate = make_member(3)
    PointsLot.objects.update(bucket="pending", remaining=0, available_from=clock())
    PointsAccount.objects.update(active=0)
    with transaction.atomic():
        assert catch_up(lock_accounts([account_of(kate).pk]), clock()) == 0


def test_an_exchange_takes_a_piece_of_its_own_reward_only(programme, clock) -> None:
    one, other = make_reward(points=1, stock=3), make_reward(points=1, stock=3, name="Other")
    redeem(make_member(5), one)
    assert [Reward.objects.get(pk=reward.pk).stock for reward in (one, other)] == [2, 3]


def test_refusals_say_what_is_missing(programme, clock) -> None:
    kate = make_member(30)
    with pytest.raises(TooFewPoints) as refused:
        hold(kate, 100)
    assert (refused.value.missing, refused.value.available) == (70, 30)
    assert refused.value.context == {"missing": 70, "available": 30}
    sold_out = make_reward(points=10, stock=0)
    with pytest.raises(RewardUnavailable) as unavailable:
        redeem(kate, sold_out)
    assert unavailable.value.code == "sold_out"
    assert unavailable.value.message == explain_problem(sold_out, Problem.SOLD_OUT)
    payment = make_reward("payment", points=1)
    for amount, text in [
        (None, "Say how much the purchase comes to."),
        (Decimal(0), "Say how much the purchase comes to."),
        (Decimal("0.001"), "The purchase is too small for this."),
    ]:
        with pytest.raises(InvalidInput) as invalid:
            redeem(kate, payment, points=5, amount=amount)
        assert invalid.value.fields == {"amount": [text]}
    assert account_of(kate).active == 30


@pytest.mark.parametrize(
    ("kind", "asked", "said"),
    [
        (
            "payment",
            {"key": "a b"},
            {"source_key": "A key takes 1 to 64 visible ASCII characters."},
        ),
        (
            "payment",
            {"key": "k" * 65},
            {"source_key": "A key takes 1 to 64 visible ASCII characters."},
        ),
        ("payment", {"amount": Decimal("1.00001")}, {"amount": "At most 4 decimals are allowed."}),
        ("payment", {"amount": Decimal(20)}, {"points": "Enter a number from 50 to 2000."}),
        ("discount", {"amount": Decimal(20)}, {"amount": "Only a part-payment takes one."}),
    ],
)
def test_what_cannot_be_asked_is_said_at_its_field(programme, clock, kind, asked, said) -> None:
    reward = make_reward(kind, points=50)
    with pytest.raises(InvalidInput) as refused:
        redeem(make_member(5000), reward, **asked)
    assert refused.value.fields == {field: [text] for field, text in said.items()}


def test_a_key_may_be_as_long_as_it_says_and_a_new_price_is_told(programme, clock) -> None:
    kate, reward = make_member(100), make_reward(points=30)
    with pytest.raises(RewardChanged) as refused:
        redeem(kate, reward, points=29)
    assert refused.value.context == {"points": 30}
    assert redeem(kate, reward, key="!" + "~" * 63, points=30).points == 30
    assert account_of(kate).active == 70
