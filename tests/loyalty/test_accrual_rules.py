"""Rules that ask about the buyer or the lines, through accrual: one by one, in batches, mixed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.models import Customer, Order
from crm.services import NewLine
from crm.services.audiences import publish_audience
from crm.services.merges import merge_customers
from crm.services.orders import cancel_order
from loyalty.models import (
    EarnedLine,
    Membership,
    PointsAccount,
    PointsTransaction,
    Programme,
    Tier,
    TierAssignment,
)
from loyalty.selectors import terms_of, verify_ledger
from loyalty.services import accrue_due, add_rule, award_batch, award_points, change_rule
from tests.cast import ACTOR, make_customer, make_order, make_product
from tests.loyalty.conftest import LONG_AGO
from tests.requirements import tries

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def add(programme, clock) -> Callable[..., int]:
    """``kind, fields -> rule id``, in force since the programme's start."""

    def added(kind: str, **fields) -> int:
        when = {"valid_from": LONG_AGO, "happened_at": LONG_AGO, "actor": ACTOR}
        return add_rule(kind=kind, name=kind, **(when | fields)).pk

    return added


def given_by(rule_id: int) -> list[tuple[int, int]]:
    """(order id, points) of what a rule gave."""
    rows = EarnedLine.objects.filter(rule_version__rule=rule_id).order_by("pk")
    return list(rows.values_list("transaction__order", "points"))


def orders(customer: Customer, *moments: datetime, **fields) -> list[int]:
    return [make_order(customer=customer, ordered_at=at, **fields).pk for at in moments]


def test_what_an_order_earned_is_told_rule_by_rule_and_line_by_line(add, clock) -> None:
    tea = make_product(category="Tea")
    bonus = add("bonus", points=25)
    double = add("multiplier", factor=Decimal(2), conditions={"categories": ["Tea"]})
    order = make_order(
        customer=make_customer(),
        ordered_at=clock(),
        lines=[
            NewLine(tea.pk, Decimal(2), Decimal("5.25")),
            NewLine(make_product().pk, Decimal(1), Decimal(20)),
            NewLine(tea.pk, Decimal(1), Decimal(5)),
        ],
    )
    award_points(order_id=order.pk, happened_at=clock(), actor=ACTOR)
    rows = EarnedLine.objects.order_by("pk").values_list(
        "rule_version__rule", "line", "base", "points", "source"
    )
    source = f"order:{order.pk}"
    amount = Programme.objects.get().rules.get(kind="amount").pk
    # 35 points for 35.50; tea's share is 35 x 10.5/35.5 = 10.35 and 35 x 5/35.5 = 4.93
    assert list(rows) == [
        (amount, "", Decimal("35.50"), 35, source),
        (double, f"{tea.pk}:1", Decimal("10.50"), 10, source),
        (double, f"{tea.pk}:2", Decimal(5), 5, source),
        (bonus, "", None, 25, source),
    ]
    transaction = PointsTransaction.objects.get()
    assert (transaction.points, transaction.rule_version.rule_id) == (75, amount)
    assert verify_ledger().drifts == []


def test_the_first_purchase_is_paid_once_whatever_comes_late(add, clock) -> None:
    first = add("first", points=100)
    customer = make_customer()
    second, _third = orders(customer, clock() - 2 * DAY, clock() - DAY)
    accrue_due(clock())
    orders(customer, clock() - 9 * DAY)  # made before, known after
    accrue_due(clock(), everything=True)
    assert given_by(first) == [(second, 100)]
    assert EarnedLine.objects.exclude(once=None).count() == 1


def test_who_bought_before_the_programme_has_no_first_purchase_in_it(add, clock) -> None:
    first, further = add("first", points=100), add("repeat", points=5)
    customer = make_customer()
    orders(customer, LONG_AGO - DAY, entry="history")
    [order] = orders(customer, clock())
    accrue_due(clock())
    assert (given_by(first), given_by(further)) == ([], [(order, 5)])


def test_cancelled_purchases_are_not_counted(add, clock) -> None:
    further = add("repeat", points=5)
    customer = make_customer()
    cancelled, _order = orders(customer, clock() - DAY, clock())
    cancel_order(order_id=cancelled, happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    assert given_by(further) == []


def test_every_third_purchase_is_counted_over_all_records_of_a_person(add, clock) -> None:
    third = add("nth", points=30, nth=3)
    one, other = make_customer(), make_customer()
    orders(one, clock() - 6 * DAY)
    merge_customers(
        person_id=one.pk, record_id=other.pk, happened_at=clock(), actor=ACTOR, source="staff"
    )
    made = [*orders(other, clock() - 5 * DAY), *orders(one, *(clock() - n * DAY for n in (4, 3)))]
    made += orders(other, clock() - 2 * DAY, clock() - DAY)
    orders(one, LONG_AGO - DAY, entry="history")
    accrue_due(clock())
    assert given_by(third) == [(made[1], 30), (made[4], 30)]


def test_at_one_instant_the_purchase_known_first_comes_first(add, clock) -> None:
    second = add("nth", points=30, nth=2)
    made = orders(make_customer(), clock(), clock())
    accrue_due(clock())
    assert given_by(second) == [(made[1], 30)]


def test_the_tier_at_the_time_of_the_purchase_counts(add, programme, clock) -> None:
    gold = Tier.objects.create(
        programme=programme,
        rank=1,
        name="Gold",
        threshold=0,
        multiplier=Decimal("1.5"),
        recorded_at=clock(),
    )
    for_gold = add("bonus", points=7, conditions={"tiers": [gold.pk]})
    customer = make_customer()
    orders(customer, clock() - 20 * DAY)
    accrue_due(clock())
    TierAssignment.objects.create(
        account=PointsAccount.objects.get(),
        tier=gold,
        since=clock() - 10 * DAY,
        until=clock() - 5 * DAY,
        reason="reached",
        measured=0,
        actor=ACTOR,
        recorded_at=clock(),
    )
    before, then, after = orders(
        customer, clock() - 10 * DAY - timedelta(seconds=1), clock() - 10 * DAY, clock() - 5 * DAY
    )
    accrue_due(clock())
    points = dict(PointsTransaction.objects.values_list("order", "points"))
    assert (points[before], points[then], points[after]) == (100, 157, 100)
    assert EarnedLine.objects.get(line="tier").points == 50
    assert given_by(for_gold) == [(then, 7)]


def test_a_tier_that_time_ended_multiplies_no_more_even_if_the_sweep_is_late(
    programme, clock
) -> None:
    gold = Tier.objects.create(
        programme=programme,
        rank=1,
        name="Gold",
        threshold=1_000_000,
        multiplier=Decimal(2),
        recorded_at=clock(),
    )
    customer = make_customer()
    orders(customer, clock() - 20 * DAY)
    accrue_due(clock())
    TierAssignment.objects.create(
        account=PointsAccount.objects.get(),
        tier=gold,
        since=clock() - 10 * DAY,
        grace_until=clock() - 5 * DAY,
        reason="kept",
        measured=0,
        actor=ACTOR,
        recorded_at=clock(),
    )
    within, after = orders(customer, clock() - 5 * DAY - timedelta(seconds=1), clock() - 5 * DAY)
    accrue_due(clock())
    points = dict(PointsTransaction.objects.values_list("order", "points"))
    assert (points[within], points[after]) == (200, 100)


def test_who_belonged_to_an_audience_when_they_bought_gets_its_bonus(add, clock) -> None:
    one, other = make_customer(), make_customer()
    group = publish_audience(
        key="seg:1", name="Loyal", customer_ids=[one.pk], as_of=clock() - 5 * DAY
    )
    publish_audience(key="seg:1", name="Loyal", customer_ids=[other.pk], as_of=clock() - 3 * DAY)
    bonus = add("bonus", points=7, conditions={"audience": group.pk})
    moments = (clock() - 5 * DAY, clock() - 3 * DAY)
    early, _late = orders(one, *moments)
    _early, other_late = orders(other, *moments)
    accrue_due(clock())
    assert given_by(bonus) == [(early, 7), (other_late, 7)]


def test_limits_hold_over_batches_days_and_rules_versions(add, clock) -> None:
    daily = add("bonus", points=40, caps={"per_day": 100})
    monthly = add("bonus", points=40, caps={"per_member": 100, "window": "month"})
    ever = add("bonus", points=40, caps={"per_member": 100})
    customer = make_customer()
    same_day = orders(customer, *(clock() - timedelta(minutes=n) for n in range(4)))
    award_points(order_id=same_day[0], happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    change_rule(rule_id=ever, valid_from=clock(), happened_at=clock(), actor=ACTOR, points=41)
    next_month = orders(customer, clock.forward(days=30))
    accrue_due(clock())
    assert [points for _order, points in given_by(daily)] == [40, 40, 20, 40]
    assert [points for _order, points in given_by(monthly)] == [40, 40, 20, 40]
    assert [points for _order, points in given_by(ever)] == [40, 40, 20]
    assert PointsTransaction.objects.get(order_id=next_month[0]).points == 180


def test_a_limit_is_one_persons_whatever_their_records(add, clock) -> None:
    ever = add("bonus", points=40, caps={"per_member": 50})
    one, other = make_customer(), make_customer()
    orders(one, clock() - 2 * DAY)
    orders(other, clock() - DAY)
    accrue_due(clock())
    merge_customers(
        person_id=one.pk, record_id=other.pk, happened_at=clock(), actor=ACTOR, source="staff"
    )
    orders(other, clock())
    accrue_due(clock())
    assert [points for _order, points in given_by(ever)] == [40, 40]


def test_the_control_group_is_written_down_without_points(add, clock) -> None:
    bonus = add("bonus", points=40, holdout_percent=50)
    people = [make_customer() for _ in range(40)]
    for one in people:
        orders(one, clock())
    accrue_due(clock())
    points = [points for _order, points in given_by(bonus)]
    assert len(points) == 40
    assert {0, 40} == set(points)
    totals = PointsTransaction.objects.values_list("points", flat=True)
    assert sorted(totals) == sorted(100 + one for one in points)
    assert verify_ledger().drifts == []


@pytest.mark.parametrize("status", ["frozen", "closed"])
def test_a_membership_that_is_not_open_earns_nothing(programme, clock, status) -> None:
    customer = make_customer()
    orders(customer, clock() - DAY)
    accrue_due(clock())
    Membership.objects.update(status=status)
    [order] = orders(customer, clock())
    accrue_due(clock())
    transaction = PointsTransaction.objects.get(order_id=order)
    assert (transaction.points, transaction.reason) == (0, "not_open")
    Membership.objects.update(status="open")
    assert accrue_due(clock(), everything=True) == 0


def test_the_number_of_statements_does_not_follow_that_of_orders(add, programme, clock) -> None:
    """Two members or twenty, each rule asking for something else."""
    add("first", points=1)
    add("nth", points=1, nth=2)
    add("bonus", points=3, caps={"per_day": 50, "per_member": 60}, holdout_percent=10)
    add("multiplier", factor=Decimal(2), conditions={"categories": ["Tea"]})
    group = publish_audience(key="a", name="A", customer_ids=[], as_of=clock())
    add("bonus", points=1, conditions={"audience": group.pk})
    tea = make_product(category="Tea")

    def statements(count: int) -> int:
        lines = [NewLine(tea.pk, Decimal(1), Decimal(10))]
        ids = [orders(make_customer(), clock(), lines=lines)[0] for _ in range(count)]
        with CaptureQueriesContext(connection) as queries:
            award_batch(programme=programme, order_ids=ids, actor=ACTOR)
        return len(queries)

    statements(1)
    assert statements(20) <= statements(2)  # many rows go in by COPY, which does not show


def test_a_plain_rule_reads_neither_lines_nor_buyers(programme, clock) -> None:
    ids = orders(make_customer(), clock())
    with CaptureQueriesContext(connection) as queries:
        award_batch(programme=programme, order_ids=ids, actor=ACTOR)
    statements = " ".join(query["sql"] for query in queries)
    assert EarnedLine.objects.get().points == 100
    for table in ("crm_orderline", "loyalty_tierassignment", "crm_audiencemember"):
        assert table not in statements


def test_a_rule_changed_during_a_sweep_counts_for_what_is_bought_after_it(programme, clock) -> None:
    terms = terms_of(programme)  # as a sweep has read them
    change_rule(
        rule_id=programme.rules.get().pk,
        valid_from=clock.forward(seconds=5),
        happened_at=clock(),
        actor=ACTOR,
        points=3,
    )
    order = make_order(customer=make_customer(), ordered_at=clock.forward(seconds=5), amount=10)
    award_batch(programme=programme, order_ids=[order.pk], actor=ACTOR, terms=terms)
    assert PointsTransaction.objects.get().points == 30


@given(data=st.data())
@settings(
    max_examples=tries(24),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_replay_in_any_mix_adds_nothing_and_no_rule_alters_what_was_earned(
    db, add, programme, clock, data
) -> None:
    with transaction.atomic():
        add("first", points=50)
        add("nth", points=20, nth=2)
        add("bonus", points=9, caps={"per_day": 20, "per_member": 40})
        people = [make_customer(), make_customer()]
        days = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=5))
        ids = [
            orders(data.draw(st.sampled_from(people)), clock() - days_ago * DAY)[0]
            for days_ago in days
        ]
        steps = data.draw(
            st.lists(
                st.one_of(
                    st.tuples(st.just("one"), st.sampled_from(ids)),
                    st.tuples(st.just("batch"), st.lists(st.sampled_from(ids), max_size=5)),
                    st.tuples(st.just("sweep"), st.booleans()),
                    st.tuples(st.just("change"), st.integers(1, 100)),
                ),
                max_size=8,
            )
        )
        told: dict[int, int] = {}
        for step, what in [*steps, ("sweep", True)]:
            if step == "one":
                award_points(order_id=what, happened_at=clock(), actor=ACTOR)
            elif step == "batch":
                award_batch(programme=programme, order_ids=what, actor=ACTOR)
            elif step == "sweep":
                accrue_due(clock(), everything=what)
            else:
                change_rule(
                    rule_id=programme.rules.filter(kind="amount").latest("pk").pk,
                    valid_from=clock.forward(seconds=1),
                    happened_at=clock(),
                    actor=ACTOR,
                    points=what,
                )
            now_told = dict(
                PointsTransaction.objects.filter(kind="earn", order__in=ids).values_list(
                    "order", "points"
                )
            )
            assert told.items() <= now_told.items()
            told = now_told
        assert told.keys() == set(ids)
        for order_id, points in told.items():
            rows = EarnedLine.objects.filter(source=f"order:{order_id}")
            assert sum(rows.values_list("points", flat=True)) == points
        assert EarnedLine.objects.filter(once__isnull=False).count() <= Customer.objects.count()
        assert Order.objects.filter(pk__in=ids).count() == len(ids)
        assert verify_ledger().drifts == []
        transaction.set_rollback(True)
