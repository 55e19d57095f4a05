"""What members can have for points: what a reward may promise, and who can have it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from common.errors import InvalidInput, NotFound
from common.models import Event
from loyalty.models import Membership, Reward, Tier, TierAssignment
from loyalty.selectors.rewards import (
    best_offer,
    describe_reward,
    most_points,
    next_offer,
    offers_for,
    worth_of_points,
)
from loyalty.services.rewards import add_reward, change_reward, stop_reward
from tests.cast import ACTOR, make_customer, make_product
from tests.loyalty.spending import account_of, make_member, make_reward, redeem

pytestmark = pytest.mark.django_db


def refused(**fields) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as caught:
        make_reward(**fields)
    assert not Reward.objects.exists()
    return caught.value.fields


def problems(customer, at) -> dict[str, str]:
    return {offer.reward.name: offer.problem.value for offer in offers_for(customer.pk, at)}


def test_each_kind_takes_what_it_needs(programme, clock) -> None:
    product = make_product()
    for kind, terms in {
        "discount": {"value": Decimal("2.50"), "minimum_amount": Decimal(20), "stock": 3},
        "percent": {"percent": 15},
        "gift": {"product_id": product.pk, "per_member": 1},
        "payment": {
            "value": Decimal("0.01"),
            "maximum_points": 5000,
            "maximum_percent": 50,
        },
        "access": {"product_id": product.pk, "voucher_days": 3},
    }.items():
        reward = make_reward(kind, 100, **terms)
        stored = Reward.objects.get(pk=reward.pk)
        assert {name: getattr(stored, name) for name in terms} == terms
        assert stored.is_active
    assert Event.objects.filter(kind="reward.added").count() == 5


@pytest.mark.parametrize(
    ("kind", "terms", "field"),
    [
        ("discount", {"value": None}, "value"),
        ("discount", {"value": Decimal(0)}, "value"),
        ("discount", {"percent": 10}, "percent"),
        ("percent", {"percent": None}, "percent"),
        ("percent", {"percent": 101}, "percent"),
        ("gift", {}, "product_id"),
        ("gift", {"product_id": 999_999}, "product_id"),
        ("access", {}, "product_id"),
        ("payment", {"value": None}, "value"),
        ("payment", {"stock": 5}, "stock"),
        ("payment", {"maximum_points": 99}, "maximum_points"),
        ("payment", {"maximum_percent": 0}, "maximum_percent"),
        ("payment", {"points": 1, "value": Decimal("0.001")}, "points"),
        ("discount", {"points": 0}, "points"),
        ("discount", {"points": 1_000_001}, "points"),
        ("discount", {"name": "  "}, "name"),
        ("discount", {"name": "\x00"}, "name"),
        ("discount", {"stock": -1}, "stock"),
        ("discount", {"per_member": 0}, "per_member"),
        ("discount", {"voucher_days": 0}, "voucher_days"),
        ("discount", {"minimum_amount": Decimal(0)}, "minimum_amount"),
        ("discount", {"tier_id": 999_999}, "tier_id"),
        ("lottery", {}, "kind"),
    ],
)
def test_what_a_reward_cannot_promise_is_refused_at_its_field(
    programme, clock, kind, terms, field
) -> None:
    assert list(refused(kind=kind, **terms)) == [field]


def test_it_ends_after_it_starts(programme, clock) -> None:
    assert list(refused(starts_at=clock(), ends_at=clock())) == ["ends_at"]


def test_without_a_programme_there_are_no_rewards(clock, db) -> None:
    with pytest.raises(NotFound):
        make_reward()


def test_it_is_offered_from_now_on_unless_a_start_is_given(programme, clock) -> None:
    reward = add_reward(
        kind="discount",
        name="  Five   off ",
        points=100,
        value=Decimal(5),
        happened_at=clock(),
        actor=ACTOR,
    )
    assert (reward.name, reward.starts_at, reward.stock) == ("Five off", clock(), None)
    assert problems(make_member(100), clock()) == {"Five off": ""}


def test_a_change_is_checked_like_a_new_reward(programme, clock) -> None:
    reward = make_reward()
    with pytest.raises(InvalidInput) as caught:
        change_reward(reward_id=reward.pk, happened_at=clock(), actor=ACTOR, percent=10, points=0)
    assert sorted(caught.value.fields) == ["percent", "points"]
    assert Reward.objects.get(pk=reward.pk).points == 100
    change_reward(reward_id=reward.pk, happened_at=clock(), actor=ACTOR, points=120, stock=7)
    reward.refresh_from_db()
    assert (reward.points, reward.stock, reward.value) == (120, 7, Decimal(5))
    event = Event.objects.get(kind="reward.changed")
    assert event.codes == {"changed": ["points", "stock"], "points": 120}
    change_reward(reward_id=reward.pk, happened_at=clock(), actor=ACTOR, points=120)
    assert Event.objects.filter(kind="reward.changed").count() == 1


def test_the_least_that_a_part_payment_may_promise(programme, clock) -> None:
    reward = make_reward("payment", 10, value=Decimal("0.001"), maximum_points=10)
    assert worth_of_points(reward, 10) == Decimal("0.01")


def test_a_start_that_is_taken_away_is_now(programme, clock) -> None:
    reward = make_reward(starts_at=clock() + timedelta(days=9))
    change_reward(reward_id=reward.pk, happened_at=clock(), actor=ACTOR, starts_at=None)
    assert Reward.objects.get().starts_at == clock()


def test_a_stopped_reward_is_offered_no_more_and_can_come_back(programme, clock) -> None:
    reward, member = make_reward(), make_member(100)
    for _twice in range(2):
        stop_reward(reward_id=reward.pk, happened_at=clock(), actor=ACTOR)
    assert Event.objects.filter(kind="reward.stopped").count() == 1
    assert offers_for(member.pk, clock()) == []
    change_reward(reward_id=reward.pk, happened_at=clock(), actor=ACTOR, is_active=True)
    assert problems(member, clock()) == {"Reward discount": ""}


def test_an_unknown_reward_cannot_be_changed(programme, clock) -> None:
    with pytest.raises(NotFound):
        stop_reward(reward_id=999_999, happened_at=clock(), actor=ACTOR)


def test_a_member_is_told_why_a_reward_cannot_be_had(programme, clock) -> None:
    gold = Tier.objects.create(
        programme=programme, rank=2, name="Gold", threshold=100, recorded_at=clock()
    )
    day = timedelta(days=1)
    make_reward(name="good")
    make_reward(name="dear", points=175)
    make_reward(name="soon", starts_at=clock() + day)
    make_reward(name="past", starts_at=clock() - 3 * day, ends_at=clock())
    make_reward(name="none left", stock=0)
    make_reward(name="gold only", tier_id=gold.pk)
    once = make_reward(name="once", points=10, per_member=1)
    make_reward(name="forgotten", starts_at=clock() - 90 * day, ends_at=clock() - 31 * day)
    member = make_member(160)
    redeem(member, once)
    offers = {offer.reward.name: offer for offer in offers_for(member.pk, clock())}
    assert {name: (offer.problem.value, offer.why) for name, offer in offers.items()} == {
        "good": ("", ""),
        "dear": ("too_few_points", "25 points are missing."),
        "soon": ("not_yet", "From 3 Mar, 12:00 on."),
        "past": ("over", "This is over."),
        "none left": ("sold_out", "None are left."),
        "gold only": ("wrong_tier", "From tier “Gold” on."),
        "once": ("limit_reached", "Each member can have 1."),
    }
    assert (offers["dear"].missing, offers["dear"].progress) == (25, 85)
    assert (offers["good"].missing, offers["good"].progress) == (0, 100)


def test_a_tier_and_those_above_can_have_it(programme, clock) -> None:
    silver, gold = (
        Tier.objects.create(
            programme=programme, rank=rank, name=name, threshold=rank, recorded_at=clock()
        )
        for rank, name in ((1, "Silver"), (2, "Gold"))
    )
    make_reward(name="silver", tier_id=silver.pk)
    member = make_member(100)
    assert problems(member, clock()) == {"silver": "wrong_tier"}
    TierAssignment.objects.create(
        account=account_of(member),
        tier=gold,
        since=clock(),
        reason="reached",
        measured=1,
        actor=ACTOR,
        recorded_at=clock(),
    )
    assert problems(member, clock()) == {"silver": ""}
    clock.forward(days=1)
    TierAssignment.objects.update(grace_until=clock())  # and the sweep is late
    assert problems(member, clock()) == {"silver": "wrong_tier"}
    assert problems(member, clock() - timedelta(seconds=1)) == {"silver": ""}
    TierAssignment.objects.update(grace_until=None, until=clock())
    assert problems(member, clock()) == {"silver": "wrong_tier"}


def test_strangers_and_frozen_members_get_nothing(programme, clock) -> None:
    make_reward(name="reward")
    assert problems(make_customer(), clock()) == {"reward": "not_member"}
    member = make_member(100)
    Membership.objects.filter(customer=member).update(status="frozen")
    assert problems(member, clock()) == {"reward": "not_open"}


def test_best_now_is_the_dearest_and_next_the_cheapest_that_lacks_only_points(
    programme, clock
) -> None:
    for points in (50, 100, 300, 200):
        make_reward(name=str(points), points=points)
    make_reward(name="sold out", points=150, stock=0)
    offers = offers_for(make_member(120).pk, clock())
    best, coming = best_offer(offers), next_offer(offers)
    assert best is not None
    assert coming is not None
    assert (best.reward.points, coming.reward.points, coming.missing) == (100, 200, 80)
    assert coming.progress == 60
    nothing = offers_for(make_member(10).pk, clock())
    assert best_offer(nothing) is None
    assert next_offer([]) is None


def test_offers_take_the_same_few_queries_however_many_there_are(
    programme, clock, django_assert_max_num_queries
) -> None:
    member = make_member(500)
    for number in range(30):
        make_reward(points=number + 1, per_member=2)
    with django_assert_max_num_queries(8):
        assert len(offers_for(member.pk, clock())) == 30


@pytest.mark.parametrize(
    ("amount", "available", "points"),
    [
        ("100", 10_000, 3000),  # at most 30 % of it, at 0.01 a point
        ("100", 700, 700),
        ("500", 10_000, 4000),  # the most points
        ("3.33", 10_000, 0),  # 99.9 points are fewer than the fewest
        ("3.34", 10_000, 100),
        ("100", 99, 0),
    ],
)
def test_a_purchase_takes_only_so_many_points(programme, clock, amount, available, points) -> None:
    reward = make_reward("payment", 100, maximum_points=4000, maximum_percent=30)
    assert most_points(reward, amount=Decimal(amount), available=available) == points


def test_a_part_payment_never_exceeds_the_purchase(programme, clock) -> None:
    reward = make_reward("payment", 1, value=Decimal("0.0333"), minimum_amount=Decimal(2))
    assert most_points(reward, amount=Decimal("1.99"), available=1000) == 0
    assert most_points(reward, amount=Decimal("2.00"), available=1000) == 60
    assert worth_of_points(reward, 60) == Decimal("1.99")


def test_a_reward_is_described_in_words(programme, clock) -> None:
    product = make_product(name="Tea")
    described = {
        reward.kind: describe_reward(reward)
        for reward in (
            make_reward("discount", 100, minimum_amount=Decimal(20)),
            make_reward("percent", 100),
            make_reward("gift", 100, product_id=product.pk),
            make_reward("payment", 100),
            make_reward("access", 100, product_id=product.pk),
        )
    }
    assert described == {
        "discount": "$5.00 off, for a purchase of at least $20.00",
        "percent": "10 % off",
        "gift": "Tea as a gift",
        "payment": "100 points take $1.00 off",
        "access": "Tea before others",
    }
