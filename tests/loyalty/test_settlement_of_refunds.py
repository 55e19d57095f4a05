"""Refunded purchases: what was earned follows what is left of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from crm.models import Refund
from crm.services.order_lines import NewLine
from crm.services.refunds import correct_refund
from loyalty.models import EarningRule, PointsLot, PointsTransaction
from loyalty.services import accrue_due, add_rule, change_rule
from tests.cast import ACTOR, make_customer, make_order, make_product
from tests.loyalty.ledger import spend
from tests.loyalty.settling import bought, edit, nothing_more_to_do, refund, settled, state

pytestmark = pytest.mark.django_db


def test_a_refund_takes_back_what_is_no_longer_earned(programme, clock) -> None:
    customer = make_customer()
    order = bought(customer, clock, "10.99")  # 10 points
    row = refund(order, clock, "0.99")
    assert state(customer, clock) == (10, 0, 0)  # 10.00 still earns 10
    refund(order, clock, "0.01")
    assert state(customer, clock) == (9, 0, 0)
    refund(order, clock)  # the rest
    assert state(customer, clock) == (0, 0, 0)
    assert settled() == [
        ("settle", "refunded", 0),
        ("settle", "refunded", -1),
        ("settle", "refunded", -9),
    ]
    answer = PointsTransaction.objects.get(source_key=f"refund:{row.pk}")
    assert (answer.order, answer.reverses.kind) == (order, "earn")
    assert nothing_more_to_do(clock)


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("down", [10, 6, 3, 0]), ("half_up", [10, 7, 3, 0]), ("up", [11, 7, 4, 0])],
)
def test_each_rounding_holds_for_what_is_left(open_with, clock, rounding, expected) -> None:
    open_with(rounding=rounding)
    customer = make_customer()
    order = bought(customer, clock, "10.30")
    found = [state(customer, clock)[0]]
    for amount in ("3.60", "3.50", "3.20"):
        refund(order, clock, amount)
        found.append(state(customer, clock)[0])
    assert found == expected


def test_a_pending_lot_shrinks_before_usable_points(programme, clock) -> None:
    customer = make_customer()
    make_order(customer=customer, amount=50, ordered_at=clock() - timedelta(days=20))
    order = bought(customer, clock, 80)
    refund(order, clock, 30)
    assert state(customer, clock) == (50, 50, 0)
    assert nothing_more_to_do(clock)


def test_a_refund_after_spending_takes_other_points_and_then_makes_debt(
    usable_at_once, clock
) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    assert spend(customer.pk, 90, "spend", clock()) == 90
    bought(customer, clock, 20)
    refund(order, clock, 60)  # 10 of its own, 20 of the other's, 30 owed
    assert state(customer, clock) == (0, 0, 30)
    assert dict(PointsLot.objects.values_list("original", "remaining")) == {100: 0, 20: 0}
    bought(customer, clock, 25)
    assert state(customer, clock) == (0, 0, 5)  # repaid by the next accrual
    bought(customer, clock, 10)
    assert state(customer, clock) == (0, 5, 0)
    assert nothing_more_to_do(clock)


def test_a_refund_after_the_rate_changed_goes_by_the_recorded_rate(programme, clock) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    rule = EarningRule.objects.get()
    change_rule(
        rule_id=rule.pk,
        points=5,
        valid_from=clock.forward(days=1),
        happened_at=clock(),
        actor=ACTOR,
    )
    refund(order, clock.forward(hours=1) and clock, 40)
    assert state(customer, clock) == (60, 0, 0)
    edit(order, clock, amount=Decimal(120))
    assert state(customer, clock) == (80, 0, 0)  # 120 - 40, at 1 point each
    newer = bought(customer, clock, 10)
    assert state(customer, clock) == (130, 0, 0)
    refund(newer, clock, 4)
    assert state(customer, clock) == (110, 0, 0)
    assert nothing_more_to_do(clock)


def test_a_refund_taken_back_gives_the_points_back(programme, clock) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    row = refund(order, clock, 60)
    clock.forward(days=20)
    smaller = correct_refund(refund_id=row.pk, amount=Decimal(25), happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    assert state(customer, clock) == (0, 75, 0)
    correct_refund(refund_id=smaller.pk, amount=Decimal(0), happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    assert state(customer, clock) == (0, 100, 0)
    assert [points for _kind, _reason, points in settled()] == [-60, 35, 25]
    # What came back is as old as the purchase.
    assert PointsLot.objects.values("available_from").distinct().count() == 1
    assert nothing_more_to_do(clock)


def test_a_refund_beyond_the_order_takes_everything_and_never_more(programme, clock) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    Refund.objects.create(  # an import may know no better
        order=order,
        amount=Decimal(500),
        currency=order.currency,
        actor=ACTOR,
        refunded_at=clock(),
        recorded_at=clock(),
    )
    accrue_due(clock())
    assert state(customer, clock) == (0, 0, 0)
    assert settled() == [("settle", "refunded", -100)]
    assert nothing_more_to_do(clock)


def test_a_refund_in_another_currency_changes_nothing(programme, clock) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100, currency="CHF")
    refund(order, clock, 40)
    assert state(customer, clock) == (0, 0, 0)
    assert settled() == [("settle", "refunded", 0)]
    edit(order, clock, currency=programme.currency)  # it was a slip: it earns by the rule of then
    assert state(customer, clock) == (60, 0, 0)
    assert nothing_more_to_do(clock)


def test_a_refund_known_before_the_order_earned_is_settled_with_it(programme, clock) -> None:
    customer = make_customer()
    order = make_order(
        customer=customer, amount=100, ordered_at=clock(), status="placed", delivered_at=None
    )
    accrue_due(clock())
    refund(order, clock, 30)
    clock.forward(days=3)
    accrue_due(clock())
    edit(order, clock, status="delivered")
    assert state(customer, clock) == (70, 0, 0)
    assert nothing_more_to_do(clock)


def test_lines_of_a_rule_follow_what_is_left_of_each(programme, clock) -> None:
    coffee, cup = make_product(category="coffee"), make_product(category="cups")
    add_rule(
        kind="multiplier",
        name="Coffee",
        factor=Decimal(3),
        conditions={"categories": ["coffee"]},
        valid_from=clock(),
        happened_at=clock(),
        actor=ACTOR,
    )
    customer = make_customer()
    lines = [NewLine(coffee.pk, Decimal(2), Decimal(10)), NewLine(cup.pk, Decimal(1), Decimal(30))]
    order = bought(customer, clock, lines=lines)
    assert state(customer, clock) == (50 + 40, 0, 0)
    of_coffee, of_cup = order.lines.order_by("pk")
    refund(order, clock, line=of_cup)
    assert state(customer, clock) == (20 + 40, 0, 0)
    refund(order, clock, 5, line=of_coffee)
    assert state(customer, clock) == (15 + 30, 0, 0)
    type(coffee).objects.filter(pk=coffee.pk).update(category="tea")  # what counted then counts
    refund(order, clock, 5, line=of_coffee)
    assert state(customer, clock) == (10 + 20, 0, 0)
    refund(order, clock)
    assert state(customer, clock) == (0, 0, 0)
    assert nothing_more_to_do(clock)


def test_a_bonus_for_a_large_purchase_goes_when_too_little_is_left(programme, clock) -> None:
    add_rule(
        kind="bonus",
        name="Large",
        points=200,
        conditions={"minimum_amount": "100"},
        valid_from=clock(),
        happened_at=clock(),
        actor=ACTOR,
    )
    customer = make_customer()
    order = bought(customer, clock, 150)
    assert state(customer, clock) == (350, 0, 0)
    row = refund(order, clock, 60)
    assert state(customer, clock) == (90, 0, 0)
    correct_refund(refund_id=row.pk, amount=Decimal(10), happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    assert state(customer, clock) == (340, 0, 0)
    assert nothing_more_to_do(clock)


def test_a_capped_purchase_loses_points_only_below_its_cap(programme, clock) -> None:
    change_rule(
        rule_id=EarningRule.objects.get().pk,
        caps={"per_order": 100},
        valid_from=clock.forward(minutes=1),
        happened_at=clock(),
        actor=ACTOR,
    )
    customer = make_customer()
    order = bought(customer, clock.forward(minutes=1) and clock, 500)
    refund(order, clock, 300)
    assert state(customer, clock) == (100, 0, 0)
    refund(order, clock, 130)
    assert state(customer, clock) == (70, 0, 0)
    edit(order, clock, amount=Decimal(900))
    assert state(customer, clock) == (100, 0, 0)
    assert nothing_more_to_do(clock)
