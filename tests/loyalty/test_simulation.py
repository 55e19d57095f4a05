"""What would this purchase earn, and why."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.errors import InvalidInput, NotFound
from crm.services import NewLine
from crm.services.orders import change_order
from loyalty.models import EarnedLine, Membership, PointsTransaction
from loyalty.selectors.rules import find_rule, list_rules, versions_of
from loyalty.selectors.simulation import InventedLine, simulate_order, simulate_recorded
from loyalty.services import accrue_due, add_rule, change_rule, stop_rule
from tests.cast import ACTOR, make_customer, make_order, make_product
from tests.loyalty.conftest import LONG_AGO

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def add(programme):
    """``kind, fields -> the rule``, in force since the programme's start."""

    def added(kind: str, **fields):
        when = {"valid_from": LONG_AGO, "happened_at": LONG_AGO, "actor": ACTOR}
        return add_rule(kind=kind, **({"name": kind.title()} | when | fields))

    return added


def steps(simulation) -> list[tuple[str, int, str]]:
    return [(step.name, step.points, step.why) for step in simulation.steps]


def test_an_invented_purchase_says_what_each_rule_gives_and_why_not(add, clock) -> None:
    tea = make_product(category="Tea")
    add("multiplier", factor=Decimal(2), conditions={"categories": ["Tea"]})
    add("first", points=100)
    add("bonus", points=20, conditions={"minimum_amount": "500"})
    simulation = simulate_order(
        at=clock(),
        lines=[
            InventedLine(tea.pk, Decimal("12.50")),
            InventedLine(make_product().pk, Decimal(30)),
        ],
    )
    assert steps(simulation) == [
        ("Sunny", 42, ""),
        ("Multiplier", 12, ""),
        ("First", 100, ""),
        ("Bonus", 0, "the purchase is too small for it"),
    ]
    assert (simulation.points, simulation.worth, simulation.reason) == (154, Decimal("1.54"), "")
    assert simulation.steps[1].sentence == "You get 2 times the points. Only for: Tea."
    assert not PointsTransaction.objects.exists()


def test_a_customers_past_counts(add, clock) -> None:
    add("first", points=100)
    add("nth", points=30, nth=3)
    add("bonus", points=40, caps={"per_member": 60})
    customer = make_customer()
    for days in (2, 1):
        make_order(customer=customer, ordered_at=clock() - days * DAY)
    accrue_due(clock())
    simulation = simulate_order(at=clock(), amount=Decimal(10), customer_id=customer.pk)
    assert steps(simulation) == [
        ("Sunny", 10, ""),
        ("First", 0, "it is for the first purchase only"),
        ("Nth", 30, ""),
        ("Bonus", 0, "the most that can be earned with it was reached"),
    ]
    Membership.objects.update(status="frozen")
    frozen = simulate_order(at=clock(), amount=Decimal(10), customer_id=customer.pk)
    assert (frozen.points, frozen.reason) == (0, "the membership is frozen or closed")


def test_it_says_beforehand_what_accrual_then_writes(add, clock) -> None:
    add("first", points=100)
    add("repeat", points=7)
    add("bonus", points=40, caps={"per_day": 60})
    customer = make_customer()
    for _ in range(3):
        expected = simulate_order(at=clock(), amount=Decimal("33.33"), customer_id=customer.pk)
        order = make_order(customer=customer, amount="33.33", ordered_at=clock())
        accrue_due(clock())
        assert PointsTransaction.objects.get(order=order).points == expected.points
        clock.forward(minutes=5)


def test_a_real_purchase_shows_what_it_earned_beside_what_rules_say(add, clock) -> None:
    tea = make_product()
    add("first", points=100)
    add("bonus", points=40, caps={"per_member": 60})
    order = make_order(
        customer=make_customer(),
        ordered_at=clock(),
        lines=[NewLine(tea.pk, Decimal(1), Decimal(50))],
    )
    before = simulate_recorded(order.pk)
    assert (before.points, before.recorded) == (190, None)
    accrue_due(clock())
    after = simulate_recorded(order.pk)
    assert steps(after) == [("Sunny", 50, ""), ("First", 100, ""), ("Bonus", 40, "")]
    assert [(one.name, one.points) for one in after.recorded or []] == [
        ("Sunny", 50),
        ("First", 100),
        ("Bonus", 40),
    ]
    assert after.recorded_points == after.points == 190
    lines = [NewLine(tea.pk, Decimal(1), Decimal(30))]
    change_order(order_id=order.pk, happened_at=clock(), actor=ACTOR, lines=lines)
    assert simulate_recorded(order.pk).points == 170


def test_it_needs_the_same_few_queries_whatever_the_history(add, clock) -> None:
    add("nth", points=30, nth=3)
    add("bonus", points=40, caps={"per_day": 60})
    customer = make_customer()

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            simulate_order(at=clock(), amount=Decimal(10), customer_id=customer.pk)
        return len(seen)

    make_order(customer=customer, ordered_at=clock())
    accrue_due(clock())
    few = queries()
    for _ in range(9):
        make_order(customer=customer, ordered_at=clock())
    accrue_due(clock())
    assert queries() == few <= 14
    assert EarnedLine.objects.count() > 10


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "amount"),
        ({"amount": Decimal(-1)}, "amount"),
        ({"amount": Decimal("1.00001")}, "amount"),
        ({"amount": Decimal("1e30")}, "amount"),
        ({"lines": [InventedLine(77, Decimal(1))]}, "lines"),
        ({"lines": [InventedLine(77, Decimal(1))] * 101}, "lines"),
    ],
)
def test_what_cannot_be_bought_is_refused(programme, clock, fields, wrong) -> None:
    with pytest.raises(InvalidInput) as refusal:
        simulate_order(at=clock(), **fields)
    assert refusal.value.fields.keys() == {wrong}


def test_nobody_and_nothing_unknown(programme, clock) -> None:
    with pytest.raises(NotFound):
        simulate_order(at=clock(), amount=Decimal(1), customer_id=77)
    with pytest.raises(NotFound):
        simulate_recorded(77)


def test_rules_are_listed_as_they_stand_and_will(add, programme, clock) -> None:
    bonus, stopped = add("bonus", points=20), add("repeat", points=5, name="Old")
    stop_rule(rule_id=stopped.pk, valid_from=clock(), happened_at=clock(), actor=ACTOR)
    change_rule(
        rule_id=bonus.pk, valid_from=clock() + DAY, happened_at=clock(), actor=ACTOR, points=30
    )
    states = list_rules(programme, clock())
    assert [(one.rule.name, one.is_paying) for one in states] == [
        ("Sunny", True),
        ("Bonus", True),
        ("Old", False),
    ]
    assert states[1].sentence == "You get 20 points for a purchase."
    assert states[1].coming_sentence == "You get 30 points for a purchase."
    assert states[0].coming is None
    assert find_rule(bonus.ref) == bonus
    assert [one.points for one in versions_of(bonus.pk)] == [30, 20]
