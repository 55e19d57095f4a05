"""Refunded, corrected and cancelled purchases: what was earned follows what is left of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from crm.models import Customer, Order, OrderLine, OrderVersion, Refund
from crm.services import change_order
from crm.services.order_lines import NewLine
from crm.services.refunds import LineBack, correct_refund, record_refund
from loyalty.models import EarnedLine, EarningRule, PointsAccount, PointsLot, PointsTransaction
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services import accrue_due, add_rule, change_rule
from loyalty.services.settlement import settle_batch, settle_order
from tests.cast import ACTOR, make_customer, make_order, make_product
from tests.loyalty.ledger import spend

pytestmark = pytest.mark.django_db
Clock = Callable[[], datetime]


@pytest.fixture
def usable_at_once(open_with: Callable[..., Any]) -> Any:
    return open_with(pending_days=0)


def bought(
    customer: Customer, clock: Any, amount: Any = None, lines: Any = (), **fields: Any
) -> Order:
    """A purchase that has earned."""
    order = make_order(
        customer=customer, amount=amount, lines=list(lines), ordered_at=clock(), **fields
    )
    accrue_due(clock())
    return order


def refund(order: Order, clock: Any, amount: Any = None, line: OrderLine | None = None) -> Any:
    """Give money back now and settle."""
    [row] = record_refund(
        order_id=order.pk,
        amount=None if amount is None or line else Decimal(amount),
        lines=[LineBack(line.pk, amount=None if amount is None else Decimal(amount))]
        if line
        else (),
        refunded_at=clock(),
        happened_at=clock(),
        actor=ACTOR,
    )
    accrue_due(clock())
    return row


def edit(order: Order, clock: Any, **changes: Any) -> None:
    clock.forward(minutes=1)
    change_order(order_id=order.pk, happened_at=clock(), actor=ACTOR, **changes)
    accrue_due(clock())


def state(customer: Customer, clock: Any) -> tuple[int, int, int]:
    balance = balance_of(customer.pk, clock())
    return balance.pending, balance.available, balance.debt


def settled() -> list[tuple[str, str, int]]:
    """What was written after the purchases earned: kind, reason, points."""
    rows = PointsTransaction.objects.filter(kind__in=["settle", "reversal"]).order_by("pk")
    return list(rows.values_list("kind", "reason", "points"))


def nothing_more_to_do(clock: Any) -> bool:
    before = PointsTransaction.objects.count()
    done = accrue_due(clock(), everything=True)
    for order in Order.objects.all():
        assert settle_order(order_id=order.pk, happened_at=clock(), actor=ACTOR) == []
    return (
        done == 0 and PointsTransaction.objects.count() == before and verify_ledger().drifts == []
    )


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


def test_an_order_placed_and_then_delivered_earns_without_a_correction(programme, clock) -> None:
    customer = make_customer()
    order = make_order(
        customer=customer, amount=100, ordered_at=clock(), status="placed", delivered_at=None
    )
    edit(order, clock, status="delivered")
    assert state(customer, clock) == (100, 0, 0)
    assert settled() == []
    assert nothing_more_to_do(clock)
    edit(order, clock, amount=Decimal(300))  # what was known before stays without an answer
    assert state(customer, clock) == (300, 0, 0)
    assert nothing_more_to_do(clock)


def test_an_order_corrected_upwards_earns_the_difference(programme, clock) -> None:
    customer = make_customer()
    order = bought(customer, clock, "0.40")
    assert PointsTransaction.objects.get().reason == "too_small"
    edit(order, clock, amount=Decimal(40))
    edit(order, clock, amount=Decimal(55))
    edit(order, clock, amount=Decimal(50))
    edit(order, clock, channel="web")
    assert state(customer, clock) == (50, 0, 0)
    assert [points for _kind, _reason, points in settled()] == [40, 15, -5, 0]
    assert nothing_more_to_do(clock)


def test_several_facts_at_once_are_answered_one_by_one(programme, clock) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    for amount in (80, 120):
        change_order(order_id=order.pk, amount=Decimal(amount), happened_at=clock(), actor=ACTOR)
        clock.forward(minutes=1)
    record_refund(
        order_id=order.pk,
        amount=Decimal(50),
        refunded_at=clock(),
        happened_at=clock(),
        actor=ACTOR,
    )
    accrue_due(clock())
    assert settled() == [
        ("settle", "edited", -20),
        ("settle", "edited", 40),
        ("settle", "refunded", -50),
    ]
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


def test_lines_added_earn_and_lines_taken_out_do_not(programme, clock) -> None:
    coffee, cup = make_product(category="coffee"), make_product(category="cups")
    add_rule(
        kind="bonus",
        name="Coffee",
        points=25,
        conditions={"categories": ["coffee"]},
        valid_from=clock(),
        happened_at=clock(),
        actor=ACTOR,
    )
    customer = make_customer()
    with_cup = [NewLine(cup.pk, Decimal(1), Decimal(30))]
    with_both = [*with_cup, NewLine(coffee.pk, Decimal(1), Decimal(10))]
    order = bought(customer, clock, lines=with_cup)
    edit(order, clock, lines=with_both)
    assert state(customer, clock) == (40 + 25, 0, 0)
    edit(order, clock, lines=with_cup)
    assert state(customer, clock) == (30, 0, 0)
    edit(order, clock, lines=with_both)
    assert state(customer, clock) == (40 + 25, 0, 0)
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


def test_a_cancelled_order_loses_everything_and_a_restored_one_earns_again_once(
    programme, clock
) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    refund(order, clock, 20)

    def now_is(status: str) -> None:
        """As an import of another system's corrections may have it."""
        row = Order.objects.get(pk=order.pk)
        clock.forward(minutes=1)
        known = {name: getattr(row, name) for name in ("status", "amount", "currency", "channel")}
        OrderVersion.objects.create(
            order=row,
            recorded_from=row.revised_at,
            recorded_until=clock(),
            actor=ACTOR,
            ordered_at=row.ordered_at,
            delivered_at=row.delivered_at,
            customer_id=row.customer_id,
            **known,
        )
        delivered_at = row.ordered_at if status == "delivered" else None
        Order.objects.filter(pk=row.pk).update(
            status=status, delivered_at=delivered_at, revised_at=clock()
        )
        accrue_due(clock())

    found = []
    for status in ("cancelled", "delivered", "cancelled", "delivered"):
        now_is(status)
        found.append(state(customer, clock)[0])
        assert nothing_more_to_do(clock)
    assert found == [0, 80, 0, 80]
    assert settled()[:2] == [("settle", "refunded", -20), ("reversal", "cancelled", -80)]
    assert [row for row in settled() if row[2]][2:] == [
        ("settle", "edited", 80),
        ("reversal", "cancelled", -80),
        ("settle", "edited", 80),
    ]
    net = EarnedLine.objects.filter(source=f"order:{order.pk}").aggregate(Sum("points"))
    assert net["points__sum"] == 80


def test_an_order_that_is_open_again_earns_when_it_is_delivered(programme, clock) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    edit(order, clock, status="placed")
    assert state(customer, clock) == (0, 0, 0)
    edit(order, clock, status="delivered")
    assert state(customer, clock) == (100, 0, 0)
    assert nothing_more_to_do(clock)


def test_an_order_given_to_somebody_else_takes_its_points_along(usable_at_once, clock) -> None:
    wrong, right = make_customer(), make_customer()
    order = bought(wrong, clock, 100)
    spend(wrong.pk, 70, "spend", clock())
    edit(order, clock, customer_id=right.pk)
    assert state(wrong, clock) == (0, 0, 70)
    assert state(right, clock) == (0, 100, 0)
    refund(order, clock, 40)
    assert state(right, clock) == (0, 60, 0)
    edit(order, clock, customer_id=None)
    assert state(right, clock) == (0, 0, 0)
    assert state(wrong, clock) == (0, 0, 70)
    assert nothing_more_to_do(clock)


@pytest.mark.parametrize(("status", "expected"), [("frozen", 100), ("closed", 60)])
def test_a_membership_that_is_not_open_gets_back_at_most_what_it_had(
    programme, clock, status, expected
) -> None:
    customer = make_customer()
    order = bought(customer, clock, 100)
    row = refund(order, clock, 40)
    PointsAccount.objects.get().membership.__class__.objects.update(status=status)
    correct_refund(refund_id=row.pk, amount=Decimal(0), happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    edit(order, clock, amount=Decimal(300))
    assert state(customer, clock) == (expected, 0, 0)
    assert nothing_more_to_do(clock)


def test_histories_are_never_settled(programme, clock) -> None:
    customer = make_customer()
    order = make_order(customer=customer, amount=80, ordered_at=clock(), entry="history")
    refund(order, clock, 20)
    edit(order, clock, amount=Decimal(90))
    assert PointsTransaction.objects.count() == 0


def test_settling_a_page_of_orders_takes_as_many_statements_as_one(programme, clock) -> None:
    orders = [bought(make_customer(), clock, 100) for _ in range(6)]
    counts = []
    for some in (orders[:1], orders[1:]):
        for order in some:
            record_refund(
                order_id=order.pk,
                amount=Decimal(10),
                refunded_at=clock(),
                happened_at=clock(),
                actor=ACTOR,
            )
        with CaptureQueriesContext(
            connection,
        ) as queries:
            ids = settle_batch(
                programme=programme,
                order_ids=[order.pk for order in some],
                happened_at=clock(),
                actor=ACTOR,
            )
        assert len(ids) == len(some)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_correction_stamped_before_the_order_earned_is_found_all_the_same(
    programme, clock
) -> None:
    """The clock of an import is read before it waits for the order that is just earning."""
    customer = make_customer()
    order = bought(customer, clock, 100)
    OrderVersion.objects.create(
        order=order,
        recorded_from=order.recorded_at - timedelta(days=1),
        recorded_until=clock() - timedelta(seconds=5),
        actor=ACTOR,
        ordered_at=order.ordered_at,
        delivered_at=order.delivered_at,
        customer_id=customer.pk,
        amount=order.amount,
        currency=order.currency,
    )
    Order.objects.filter(pk=order.pk).update(amount=Decimal(70))
    accrue_due(clock())
    assert state(customer, clock) == (70, 0, 0)
    assert settled() == [("settle", "edited", -30)]
    assert nothing_more_to_do(clock)
