"""Money given back: never more than was paid, corrected by new rows, and the order stays."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import DomainError
from common.models import Event
from crm.models import Order, Refund, RefundNote
from crm.selectors.refunds import refunded_amount, refunded_lines
from crm.services import NewLine, change_order
from crm.services.order_lines import LineRefunded
from crm.services.orders import OrderCancelled, OrderRefunded
from crm.services.refunds import (
    LineBack,
    NothingToRefund,
    RefundIdTaken,
    RefundReplaced,
    RefundTooLarge,
    correct_refund,
    record_refund,
)
from tests.cast import ACTOR, NOON, make_customer, make_order, make_product
from tests.requirements import tries

pytestmark = pytest.mark.django_db
HAPPENING = {"happened_at": NOON, "actor": ACTOR}


def refund(order: Order, **fields: Any) -> list[Refund]:
    return record_refund(order_id=order.pk, **({"refunded_at": NOON} | HAPPENING | fields))


@pytest.fixture
def order(db: None) -> Order:
    """Three teas for 9.9999 and one cup for 6.99."""
    tea, cup = make_product(sku="tea"), make_product(sku="cup")
    lines = [
        NewLine(tea.pk, Decimal(3), Decimal("3.3333")),
        NewLine(cup.pk, Decimal(1), Decimal("6.99")),
    ]
    return make_order(customer=make_customer(), lines=lines, ordered_at=NOON)


def test_a_whole_order_is_given_back_and_the_order_row_stays_as_it_was(order: Order) -> None:
    before = Order.objects.filter(pk=order.pk).values().get()

    [row] = refund(order, reason="Too small")

    assert (row.amount, row.currency, row.line) == (order.amount, order.currency, None)
    assert row.note.text == "Too small"
    assert Order.objects.filter(pk=order.pk).values().get() == before
    event = Event.objects.get(kind="refund.recorded")
    assert event.customer_id == order.customer_id
    assert event.codes == {
        "amount": str(order.amount),
        "currency": order.currency,
        "order": order.ref,
    }
    with pytest.raises(NothingToRefund):
        refund(order)


def test_lines_come_back_by_quantity_and_the_last_one_takes_what_rounding_left(
    order: Order,
) -> None:
    tea = order.lines.get(product__sku="tea")  # 3 × 3.3333 = 9.9999
    [first] = refund(order, lines=[LineBack(tea.pk, Decimal(1))])
    rest = refund(order, lines=[LineBack(tea.pk), LineBack(order.lines.get(product__sku="cup").pk)])

    assert first.amount == Decimal("3.33")
    assert [row.amount for row in rest] == [Decimal("6.6699"), Decimal("6.99")]
    assert refunded_lines(order.pk)[tea.pk].quantity == 3
    assert refunded_amount(order.pk) == order.amount


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": Decimal("17")},
        {"lines": [("tea", Decimal(4), None)]},
        {"lines": [("tea", Decimal(1), Decimal(10))]},
        {"lines": [("tea", None, None), ("tea", None, None)]},
        {"amount": Decimal(0)},
        {"amount": Decimal(-1)},
        {"amount": Decimal(1), "lines": [("tea", None, None)]},
        {"amount": Decimal(1), "refunded_at": NOON.replace(year=2025)},
    ],
)
def test_more_than_was_paid_or_nonsense_is_refused_and_writes_nothing(
    order: Order, fields: dict[str, Any]
) -> None:
    if "lines" in fields:
        fields = fields | {
            "lines": [
                LineBack(order.lines.get(product__sku=sku).pk, quantity, amount)
                for sku, quantity, amount in fields["lines"]
            ]
        }
    with pytest.raises(DomainError):
        refund(order, **fields)
    assert not Refund.objects.exists()
    assert not RefundNote.objects.exists()
    assert not Event.objects.filter(kind="refund.recorded").exists()


def test_a_correction_stands_in_the_place_of_the_row_and_zero_takes_it_back(order: Order) -> None:
    [first] = refund(order, amount=Decimal(5), external_id="R-1", reason="Broken")
    second = correct_refund(refund_id=first.pk, amount=Decimal(7), **HAPPENING)

    assert (second.replaces, second.external_id, second.note.text) == (first, "R-1", "Broken")
    assert refunded_amount(order.pk) == 7
    with pytest.raises(RefundReplaced):
        correct_refund(refund_id=first.pk, amount=Decimal(6), **HAPPENING)
    with pytest.raises(RefundTooLarge):
        correct_refund(refund_id=second.pk, amount=Decimal(17), **HAPPENING)

    correct_refund(refund_id=second.pk, amount=Decimal(0), **HAPPENING)

    assert refunded_amount(order.pk) == 0
    assert [row.amount for row in Refund.objects.order_by("id")] == [5, 7, 0]
    assert refund(order)[0].amount == order.amount


def test_the_same_refund_id_is_refused_the_second_time(order: Order) -> None:
    refund(order, amount=Decimal(1), external_id="R-1")
    with pytest.raises(RefundIdTaken):
        refund(order, amount=Decimal(1), external_id="R-1")
    assert Refund.objects.count() == 1


def test_an_order_can_not_become_less_than_what_was_given_back(order: Order) -> None:
    tea = order.lines.get(product__sku="tea")
    refund(order, lines=[LineBack(tea.pk, Decimal(2))])
    cup = NewLine(order.lines.get(product__sku="cup").product_id, Decimal(9), Decimal(9))

    with pytest.raises(OrderRefunded):
        change_order(order_id=order.pk, status="cancelled", **HAPPENING)
    with pytest.raises(LineRefunded):
        change_order(order_id=order.pk, lines=[cup], **HAPPENING)
    one_tea = NewLine(tea.product_id, Decimal(1), Decimal(90))
    with pytest.raises(LineRefunded):
        change_order(order_id=order.pk, lines=[one_tea, cup], **HAPPENING)

    order.refresh_from_db()
    assert (order.status, order.amount) == ("delivered", Decimal("16.9899"))
    assert order.lines.count() == 2
    assert not order.versions.exists()


def test_a_line_that_a_refund_names_stays_even_if_that_was_taken_back(order: Order) -> None:
    tea = order.lines.get(product__sku="tea")
    [row] = refund(order, lines=[LineBack(tea.pk, Decimal(1))])
    correct_refund(refund_id=row.pk, amount=Decimal(0), **HAPPENING)
    cup = NewLine(order.lines.get(product__sku="cup").product_id, Decimal(1), Decimal(9))
    with pytest.raises(LineRefunded):
        change_order(order_id=order.pk, lines=[cup], **HAPPENING)
    assert order.lines.count() == 2
    assert not order.versions.exists()


def test_a_cancelled_order_has_nothing_to_give_back(order: Order) -> None:
    change_order(order_id=order.pk, status="cancelled", **HAPPENING)
    with pytest.raises(OrderCancelled):
        refund(order)
    assert not Refund.objects.exists()


amounts = st.decimals(min_value=0, max_value=20, places=2)
step = st.tuples(
    st.sampled_from(["amount", "line", "correct"]), st.integers(0, 5), amounts, st.integers(0, 4)
)


@settings(
    max_examples=tries(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(step, max_size=10))
def test_whatever_is_tried_no_more_comes_back_than_was_paid(order: Order, steps: Any) -> None:
    sid = transaction.savepoint()
    lines = {line.pk: line for line in order.lines.order_by("id")}
    for kind, which, amount, quantity in steps:
        rows = list(Refund.objects.order_by("id"))
        before = refunded_amount(order.pk)
        try:
            with transaction.atomic():
                if kind == "amount":
                    refund(order, amount=amount)
                elif kind == "line":
                    line = list(lines)[which % len(lines)]
                    refund(order, lines=[LineBack(line, Decimal(quantity))])
                elif rows:
                    row = rows[which % len(rows)]
                    correct_refund(refund_id=row.pk, amount=amount, **HAPPENING)
        except DomainError:
            assert refunded_amount(order.pk) == before
        assert 0 <= refunded_amount(order.pk) <= order.amount
        for line_id, back in refunded_lines(order.pk).items():
            assert back.amount <= lines[line_id].amount
            assert back.quantity <= lines[line_id].quantity
    transaction.savepoint_rollback(sid)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="needs PostgreSQL")
def test_two_refunds_at_once_never_give_back_more_than_was_paid() -> None:
    assert connection.vendor == "postgresql"
    order = make_order(amount=100, ordered_at=NOON)
    gate = threading.Barrier(6)
    answers: list[Any] = []

    def give() -> None:
        try:
            gate.wait()
            answers.append(refund(order, amount=Decimal(30)))
        except RefundTooLarge as error:
            answers.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=give) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(isinstance(answer, list) for answer in answers) == 3
    assert len(answers) == 6
    assert refunded_amount(order.pk) == 90
