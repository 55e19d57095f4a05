"""Correcting a purchase: lines, date, customer, shop; the past stays readable."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.models import Order, OrderLineVersion
from crm.services import NewLine, change_order, record_order
from crm.services.orders import AmountOfLines, EmptyOrder, OrderCancelled
from tests.cast import ACTOR, NOON, make_customer, make_location, make_order, make_product

pytestmark = pytest.mark.django_db
HAPPENING = {"happened_at": NOON, "actor": ACTOR}


def lines_of(order: Order) -> list[tuple[str, int, Decimal, Decimal]]:
    rows = order.lines.order_by("product__sku", "occurrence")
    return [(row.product.sku, row.occurrence, row.quantity, row.amount) for row in rows]


def test_lines_are_corrected_and_what_they_were_is_kept() -> None:
    tea, cup, pot = (make_product(sku=sku) for sku in ("tea", "cup", "pot"))
    order = make_order(
        lines=[NewLine(tea.pk, Decimal(2), Decimal(3)), NewLine(cup.pk, Decimal(1), Decimal(9))]
    )
    known_from = order.lines.get(product=tea).recorded_at

    change_order(
        order_id=order.pk,
        lines=[
            NewLine(tea.pk, Decimal(3), Decimal(3), unit_cost=Decimal(1)),
            NewLine(pot.pk, Decimal(1), Decimal(20), unit_cost=Decimal(8)),
        ],
        **HAPPENING,
    )

    order.refresh_from_db()
    assert lines_of(order) == [("pot", 1, 1, 20), ("tea", 1, 3, 9)]
    assert (order.amount, order.cost) == (29, 11)
    assert order.versions.get().amount == 15
    past = OrderLineVersion.objects.order_by("product__sku")
    assert [(row.product.sku, row.quantity, row.amount) for row in past] == [
        ("cup", 1, 9),
        ("tea", 2, 6),
    ]
    assert {(row.recorded_from, row.recorded_until) for row in past} == {
        (known_from, order.revised_at)
    }
    assert {row.recorded_at for row in order.lines.all()} == {order.revised_at}


def test_the_same_lines_again_record_nothing() -> None:
    tea = make_product()
    lines = [NewLine(tea.pk, Decimal(2), Decimal(3)), NewLine(tea.pk, Decimal(2), Decimal(3))]
    order = make_order(lines=lines)
    change_order(order_id=order.pk, lines=lines, **HAPPENING)
    assert not order.versions.exists()
    assert not OrderLineVersion.objects.exists()


def test_a_corrected_time_takes_a_delivery_at_once_along() -> None:
    order = make_order(ordered_at=NOON)
    earlier = NOON - timedelta(days=2)
    change_order(order_id=order.pk, ordered_at=earlier, **HAPPENING)
    order.refresh_from_db()
    assert (order.ordered_at, order.delivered_at) == (earlier, earlier)


def test_an_amount_does_not_replace_lines_and_no_lines_need_an_amount() -> None:
    order = make_order(lines=[NewLine(make_product().pk, Decimal(2), Decimal(3))])
    with pytest.raises(AmountOfLines):
        change_order(order_id=order.pk, amount=Decimal(5), **HAPPENING)
    with pytest.raises(EmptyOrder):
        change_order(order_id=order.pk, lines=[], **HAPPENING)
    change_order(order_id=order.pk, lines=[], amount=Decimal(5), **HAPPENING)
    order.refresh_from_db()
    assert (order.amount, order.lines.count()) == (5, 0)


def test_a_cancelled_order_is_not_corrected() -> None:
    order = make_order(status="cancelled")
    with pytest.raises(OrderCancelled):
        change_order(order_id=order.pk, amount=Decimal(1), **HAPPENING)
    lines = [NewLine(make_product().pk, Decimal(1), Decimal(1))]
    with pytest.raises(OrderCancelled):
        change_order(order_id=order.pk, lines=lines, **HAPPENING)
    assert not order.versions.exists()


def test_two_changes_within_one_instant_are_two_states(clock: Any) -> None:
    order = make_order(amount=1)
    for amount in (2, 3, 4):
        change_order(order_id=order.pk, amount=Decimal(amount), **HAPPENING)
    assert [row.amount for row in order.versions.order_by("recorded_from")] == [1, 2, 3]


def test_staff_correct_who_when_where_and_what(client_for: Any, stan: Any) -> None:
    make_product(sku="tea", price=Decimal(3))
    cup = make_product(sku="cup", cost=Decimal(2))
    order = make_order(lines=[NewLine(cup.pk, Decimal(1), Decimal(9), unit_cost=Decimal(4))])
    customer, shop = make_customer(external_id="C-1"), make_location(code="north")
    browser = client_for(stan)
    page = browser.get(f"/orders/{order.ref}/edit/")
    assert page.context["lines"].initial[0]["sku"] == "cup"

    answer = browser.post(
        f"/orders/{order.ref}/edit/",
        {
            "customer": "C-1",
            "ordered_at": "2026-03-01T10:00",
            "location": "north",
            "channel": "phone",
            "lines-TOTAL_FORMS": "4",
            "lines-INITIAL_FORMS": "1",
            "lines-0-sku": "cup",
            "lines-0-quantity": "2",
            "lines-0-unit_price": "9",
            "lines-0-discount": "1",
            "lines-1-sku": "tea",
        },
    )

    assert answer.status_code == 302, answer.content
    order.refresh_from_db()
    assert (order.customer, order.location, order.channel) == (customer, shop, "phone")
    assert order.ordered_at.isoformat() == "2026-03-01T10:00:00+00:00"
    assert lines_of(order) == [("cup", 1, 2, 17), ("tea", 1, 1, 3)]
    assert order.lines.get(product=cup).unit_cost == 4  # what it cost stays as it was known
    assert "9.00" in browser.get(f"/orders/{order.ref}/").text  # the line before


def test_a_purchase_of_somebody_erased_can_be_corrected_and_stays_theirs(
    client_for: Any, stan: Any
) -> None:
    customer = make_customer()
    order = make_order(customer=customer, amount=5, ordered_at=NOON)
    type(customer).objects.filter(pk=customer.pk).update(erased_at=NOON)
    sent = {"ordered_at": "2026-03-02T12:00", "amount": "6"}
    empty = {"lines-TOTAL_FORMS": "3", "lines-INITIAL_FORMS": "0"}
    answer = client_for(stan).post(f"/orders/{order.ref}/edit/", sent | empty)
    assert answer.status_code == 302, answer.content
    order.refresh_from_db()
    assert (order.amount, order.customer_id) == (6, customer.pk)


def test_programs_correct_a_purchase_by_patch(api_client: Any) -> None:
    make_product(sku="tea", price=Decimal(3))
    order = make_order(amount=5, customer=make_customer())
    api = api_client("staff")
    url = f"/api/v1/orders/{order.ref}/"

    answer = api.patch(
        url, {"lines": [{"sku": "tea", "quantity": "2"}], "customer": None}, format="json"
    )

    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["amount"], told["customer"], told["refunded"]) == ("6.00", None, "0.00")
    refused = api.patch(url, {"amount": "1"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (400, "amount_of_lines")
    assert api.patch(url, {"currency": "USD"}, format="json").status_code == 400


def test_an_order_without_lines_and_amount_is_refused() -> None:
    with pytest.raises(EmptyOrder):
        record_order(customer_id=None, ordered_at=NOON, **HAPPENING)
