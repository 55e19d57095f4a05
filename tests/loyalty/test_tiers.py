"""Tiers: reached by what was earned, spent or bought; left once the window is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common.errors import InvalidInput, NotFound
from common.models import Event
from crm.services import change_order
from crm.services.merges import merge_customers, undo_merge
from crm.services.refunds import record_refund
from loyalty.models import SweepMark, Tier, TierAssignment
from loyalty.selectors import get_programme
from loyalty.selectors.tiers import (
    describe_tier,
    list_tiers,
    members_by_tier,
    standing_of_member,
    tier_history,
)
from loyalty.services import accrue_due, change_terms
from loyalty.services.memberships import freeze_membership
from loyalty.services.spending import MembershipNotOpen, NotAMember
from loyalty.services.tier_sweeps import end_tiers_due, measure_everybody, measure_touched
from loyalty.services.tiers import (
    TierInUse,
    add_tier,
    change_tier,
    grant_tier,
    remove_tier,
)
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import account_of, make_reward, redeem

pytestmark = pytest.mark.django_db


@pytest.fixture
def kate(programme):
    return make_customer(name="Kate")


@pytest.fixture
def tiers(programme, clock):
    return make_tier("Silver", 100), make_tier("Gold", 300, multiplier=Decimal(2))


def make_tier(name, threshold, **fields):
    from common.time import now

    fields = {"happened_at": now(), "actor": ACTOR} | fields
    return add_tier(name=name, threshold=Decimal(threshold), **fields)


def terms(clock, **changed):
    """New terms from now on; the clock goes on, as two versions never begin at once."""
    programme = get_programme()
    clock.forward(seconds=1)
    change_terms(
        programme_id=programme.pk, valid_from=clock(), happened_at=clock(), actor=ACTOR, **changed
    )


def buy(customer, amount, clock, **fields):
    order = make_order(customer=customer, amount=amount, ordered_at=clock(), **fields)
    sweep(clock)
    return order


def sweep(clock):
    end_tiers_due(clock())
    accrue_due(clock())
    SweepMark.objects.get_or_create(
        name="loyalty.tiers",
        defaults={
            "seen_until": clock() - timedelta(minutes=5),
            "full_pass_at": clock() - timedelta(minutes=5),
        },
    )
    measure_touched(clock())


def history(customer):
    rows = tier_history(customer.pk).order_by("pk")
    return [(row.tier.name if row.tier else None, row.reason, row.since, row.until) for row in rows]


def tier_of(customer):
    found = tier_history(customer.pk).filter(until__isnull=True).first()
    return found.tier.name if found and found.tier else None


def test_a_member_climbs_with_the_points_of_a_purchase(tiers, kate, clock) -> None:
    buy(kate, 99, clock)
    assert history(kate) == []
    buy(kate, 1, clock)
    assert history(kate) == [("Silver", "reached", clock(), None)]
    row = TierAssignment.objects.get()
    assert (row.measured, row.actor) == (Decimal(100), "system")
    assert row.grace_until == datetime(2027, 3, 2, tzinfo=UTC)
    assert Event.objects.get(kind="tier.reached").codes == {"tier": tiers[0].ref, "from": None}


def test_purchases_made_in_a_tier_earn_its_multiple_those_before_do_not(tiers, kate, clock) -> None:
    buy(kate, 300, clock)
    assert account_of(kate).pending == 300
    clock.forward(minutes=1)
    buy(kate, 10, clock)
    assert account_of(kate).pending == 320


def test_spending_points_never_lowers_what_counts(tiers, kate, clock) -> None:
    buy(kate, 120, clock)
    clock.forward(days=20)
    redeem(kate, make_reward(points=100))
    measure_everybody(clock())
    standing = standing_of_member(kate.pk, clock())
    assert (standing.tier.name, standing.measured) == ("Silver", Decimal(120))


def test_a_cancelled_purchase_counts_no_more_and_the_tier_ends_now(tiers, kate, clock) -> None:
    order = buy(kate, 120, clock)
    began = clock()
    clock.forward(days=3)
    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    sweep(clock)
    assert history(kate) == [
        ("Silver", "reached", began, clock()),
        (None, "missed", clock(), None),
    ]


def test_by_money_spent_refunds_count_against_it(tiers, kate, clock) -> None:
    terms(clock, tier_measure="spend")
    order = buy(kate, 150, clock)
    assert tier_of(kate) == "Silver"
    record_refund(
        order_id=order.pk, amount=Decimal(60), refunded_at=clock(), happened_at=clock(), actor=ACTOR
    )
    clock.forward(days=1)
    measure_everybody(clock())
    assert tier_of(kate) is None
    assert standing_of_member(kate.pk, clock()).missing == Decimal(10)


def test_by_purchases_those_given_back_whole_do_not_count(programme, kate, clock) -> None:
    make_tier("Regular", 2)
    terms(clock, tier_measure="orders")
    buy(kate, 5, clock)
    order = buy(kate, 5, clock)
    assert tier_of(kate) == "Regular"
    record_refund(
        order_id=order.pk, amount=Decimal(5), refunded_at=clock(), happened_at=clock(), actor=ACTOR
    )
    clock.forward(days=1)
    measure_everybody(clock())
    assert tier_of(kate) is None


def test_going_down_takes_effect_when_it_was_announced_however_late_the_sweep(
    tiers, kate, clock
) -> None:
    terms(clock, tier_months=1, tier_grace_days=10)
    buy(kate, 120, clock)
    began = clock()
    assert standing_of_member(kate.pk, clock()).ends_at == datetime(2026, 4, 12, tzinfo=UTC)
    clock.forward(days=100)
    assert standing_of_member(kate.pk, clock()).tier is None
    sweep(clock)
    fell, over = datetime(2026, 4, 2, tzinfo=UTC), datetime(2026, 4, 12, tzinfo=UTC)
    assert history(kate) == [
        ("Silver", "reached", began, fell),
        ("Silver", "kept", fell, over),
        (None, "missed", over, None),
    ]
    assert end_tiers_due(clock()) == measure_everybody(clock()) == 0


def test_a_sweep_of_what_was_touched_changes_nothing_twice(tiers, kate, clock) -> None:
    buy(kate, 120, clock)
    before = history(kate)
    assert measure_touched(clock()) == measure_touched(clock()) == 0
    assert history(kate) == before


def test_everybody_is_measured_once_a_day_and_after_a_tier_was_changed(tiers, kate, clock) -> None:
    make_order(customer=kate, amount=50, ordered_at=clock())
    accrue_due(clock())
    assert [measure_everybody(clock()), measure_everybody(clock())] == [0, 0]
    clock.forward(minutes=1)
    change_tier(tier_id=tiers[0].pk, threshold=Decimal(50), happened_at=clock(), actor=ACTOR)
    assert [measure_everybody(clock()), measure_everybody(clock())] == [1, 0]
    assert tier_of(kate) == "Silver"


def test_the_number_of_queries_does_not_grow_with_the_members(
    tiers, clock, django_assert_num_queries
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def measured(count):
        for _ in range(count):
            make_order(customer=make_customer(), amount=150, ordered_at=clock())
        accrue_due(clock())
        SweepMark.objects.filter(name="loyalty.measure_tiers").delete()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            measure_everybody(clock())
        return len(queries)

    assert measured(2) == measured(12)
    assert members_by_tier() == {tiers[0].pk: 14}


def test_where_a_member_stands_and_what_is_missing(tiers, kate, clock) -> None:
    assert standing_of_member(kate.pk, clock()) is None
    buy(kate, 150, clock)
    standing = standing_of_member(kate.pk, clock())
    assert (standing.tier, standing.next_tier) == tiers
    assert (standing.missing, standing.progress, standing.is_in_grace) == (150, 50, False)
    assert standing.sentence == "150 points more to reach Gold."
    assert "Silver holds until" in standing.ends_sentence
    buy(kate, 500, clock)
    standing = standing_of_member(kate.pk, clock())
    assert (standing.next_tier, standing.missing, standing.progress) == (None, 0, 100)
    assert standing.sentence == ""


def test_a_tier_given_by_hand_holds_until_its_day_then_what_was_earned(tiers, kate, clock) -> None:
    buy(kate, 120, clock)
    clock.forward(minutes=1)
    last_day = clock().date() + timedelta(days=9)
    for _ in range(2):  # the second time writes nothing
        grant_tier(
            customer_id=kate.pk,
            tier_id=tiers[1].pk,
            last_day=last_day,
            happened_at=clock(),
            actor=ACTOR,
        )
    assert standing_of_member(kate.pk, clock()).is_granted
    clock.forward(days=30)
    sweep(clock)
    assert [(name, reason) for name, reason, _since, _until in history(kate)] == [
        ("Silver", "reached"),
        ("Gold", "granted"),
        ("Silver", "missed"),
    ]


def test_what_was_given_by_hand_can_be_ended(tiers, kate, clock) -> None:
    buy(kate, 1, clock)
    for tier in (tiers[1].pk, None):
        clock.forward(minutes=1)
        grant_tier(customer_id=kate.pk, tier_id=tier, happened_at=clock(), actor=ACTOR)
    assert tier_of(kate) is None
    assert len(history(kate)) == 2


def test_a_grant_is_refused_and_changes_nothing(tiers, kate, clock) -> None:
    def grant(tier_id=tiers[0].pk, **fields):
        grant_tier(customer_id=kate.pk, tier_id=tier_id, happened_at=clock(), actor=ACTOR, **fields)

    with pytest.raises(NotAMember):
        grant()
    buy(kate, 300, clock)
    before = history(kate)
    with pytest.raises(InvalidInput) as refusal:
        grant()
    assert list(refusal.value.fields) == ["tier"]
    with pytest.raises(InvalidInput) as refusal:
        grant(tiers[1].pk, last_day=clock().date() - timedelta(days=1))
    assert list(refusal.value.fields) == ["last_day"]
    with pytest.raises(NotFound):
        grant(987)
    freeze_membership(customer_id=kate.pk, happened_at=clock(), actor=ACTOR)
    with pytest.raises(MembershipNotOpen):
        grant(tiers[1].pk)
    assert history(kate) == before


def test_merged_cards_have_the_higher_tier_and_part_with_their_own(tiers, kate, clock) -> None:
    other = make_customer(name="K. Smith")
    buy(kate, 120, clock)
    buy(other, 300, clock)
    clock.forward(minutes=1)
    merged = merge_customers(
        person_id=kate.pk, record_id=other.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    row = TierAssignment.objects.get(until__isnull=True)
    assert (row.tier, row.reason, row.account) == (tiers[1], "moved", account_of(kate))
    assert row.grace_until == datetime(2027, 3, 2, tzinfo=UTC)
    clock.forward(minutes=1)
    undo_merge(merge_ref=merged.ref, happened_at=clock(), actor=ACTOR)
    rows = TierAssignment.objects.filter(until__isnull=True).select_related("account", "tier")
    assert {row.account_id: row.tier.name for row in rows} == {
        account_of(kate).pk: "Silver",
        account_of(other).pk: "Gold",
    }


def test_two_cards_reach_together_what_neither_did(tiers, kate, clock) -> None:
    other = make_customer(name="K. Smith")
    buy(kate, 60, clock)
    buy(other, 60, clock)
    clock.forward(minutes=1)
    merge_customers(
        person_id=kate.pk, record_id=other.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    assert history(kate) == [("Silver", "reached", clock(), None)]


def test_points_earned_while_two_were_one_count_for_whoever_bought(tiers, kate, clock) -> None:
    other = make_customer(name="K. Smith")
    buy(kate, 10, clock)
    buy(other, 10, clock)
    clock.forward(minutes=1)
    merged = merge_customers(
        person_id=kate.pk, record_id=other.pk, source="staff", happened_at=clock(), actor=ACTOR
    )
    buy(other, 30, clock)
    clock.forward(minutes=1)
    undo_merge(merge_ref=merged.ref, happened_at=clock(), actor=ACTOR)
    measured = [standing_of_member(one.pk, clock()).measured for one in (kate, other)]
    assert measured == [Decimal(10), Decimal(40)]


def test_tiers_stand_in_the_order_of_their_thresholds(programme, clock) -> None:
    gold, silver, platinum = (make_tier(*one) for one in [("A", 300), ("B", 100), ("C", 900)])
    assert [(tier.pk, tier.rank) for tier in list_tiers()] == [
        (silver.pk, 1),
        (gold.pk, 2),
        (platinum.pk, 3),
    ]
    change_tier(tier_id=silver.pk, threshold=Decimal(1000), happened_at=clock(), actor=ACTOR)
    remove_tier(tier_id=gold.pk, happened_at=clock(), actor=ACTOR)
    assert [(tier.name, tier.rank) for tier in list_tiers()] == [("C", 1), ("B", 2)]
    kinds = Event.objects.filter(kind__startswith="tier.").order_by("pk")
    assert list(kinds.values_list("kind", flat=True)) == [
        *["tier.added"] * 3,
        "tier.changed",
        "tier.removed",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "SILVER"),
        ("threshold", Decimal(-1)),
        ("threshold", Decimal(100)),
        ("threshold", Decimal("1.00001")),
        ("multiplier", Decimal("0.9")),
        ("multiplier", Decimal(101)),
        ("benefits", "x" * 501),
    ],
)
def test_a_tier_that_cannot_be_is_refused_by_its_field(programme, clock, field, value) -> None:
    make_tier("Silver", 100)
    fields = {"name": "Gold", "threshold": Decimal(300), field: value}
    with pytest.raises(InvalidInput) as refusal:
        add_tier(**fields, happened_at=clock(), actor=ACTOR)
    assert list(refusal.value.fields) == [field]
    assert Tier.objects.count() == 1


def test_a_tier_that_is_in_use_stays(tiers, kate, clock) -> None:
    buy(kate, 120, clock)
    make_reward(tier_id=tiers[1].pk)
    for tier in tiers:
        with pytest.raises(TierInUse):
            remove_tier(tier_id=tier.pk, happened_at=clock(), actor=ACTOR)
    assert list_tiers() == list(tiers)


def test_what_a_tier_takes_is_said_in_words(tiers, clock) -> None:
    programme = get_programme()
    rolling = programme.terms_versions.get()
    assert describe_tier(tiers[0], rolling, "EUR") == "100 points within 12 months."
    rolling.tier_window, rolling.tier_measure = "calendar", "orders"
    said = "100 purchases within a calendar year; holds until the end of the next."
    assert describe_tier(tiers[0], rolling, "EUR") == said
