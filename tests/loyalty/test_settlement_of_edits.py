"""Corrected and cancelled purchases: what was earned follows what they are now."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from crm.models import Order, OrderVersion
from crm.services.order_lines import NewLine
from loyalty.models import EarnedLine, PointsTransaction
from loyalty.services import accrue_due, add_rule
from tests.cast import ACTOR, make_customer, make_order, make_product
from tests.loyalty.ledger import spend
from tests.loyalty.settling import bought, edit, nothing_more_to_do, refund, settled, state

pytestmark = pytest.mark.django_db


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
