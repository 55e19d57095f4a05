"""A file corrects orders by the rules that hold in the pages, and the past of lines is kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from common.time import now
from crm.models import Order, OrderLineVersion
from crm.selectors.as_of import LINE, lines_as_of, orders_as_of
from crm.services import change_order
from crm.services.order_lines import LineRefunded
from crm.services.refunds import LineBack, correct_refund, record_refund
from tests.cast import ACTOR, make_customer
from tests.crm.imports.conftest import counts

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]
HEAD = "order_id,customer_id,ordered_at,sku,quantity,unit_price,status\n"
FIRST = HEAD + "o1,ann,2024-02-01,A,2,3,\no1,ann,2024-02-01,B,1,9,\n"


@pytest.fixture
def order(imported: Any) -> Order:
    """Two of A at 3 and one of B at 9: 15."""
    make_customer(external_id="ann")
    imported("orders", FIRST)
    return Order.objects.get()


def test_what_lines_were_before_a_file_corrected_them_can_be_read(
    imported: Any, order: Order
) -> None:
    before = now()
    known = sorted(order.lines.values_list(*LINE))

    corrected = HEAD + "o1,ann,2024-02-01,A,2,4,\no1,ann,2024-02-01,C,1,5,\n"
    assert counts(imported("orders", corrected)) == (0, 1, 0, 0)

    past = OrderLineVersion.objects.order_by("product__sku")
    assert [(row.product.sku, row.amount) for row in past] == [("A", 6), ("B", 9)]
    order.refresh_from_db()
    assert {row.recorded_until for row in past} == {order.revised_at}

    def read(at: Any) -> tuple[Any, Any]:
        [head] = orders_as_of(at, at)
        return head["amount"], sorted(
            tuple(row[name] for name in LINE) for row in lines_as_of(at, at)
        )

    assert read(before) == (15, known)
    assert read(now())[0] == 13
    assert [row[-1] for row in read(now())[1]] == [8, 5]


@pytest.mark.parametrize("row", ["o1,ann,2024-02-01,A,2,3,delivered", "o1,ann,2024-02-02,A,2,3,"])
def test_a_cancelled_order_stays_cancelled_whatever_a_file_says(
    imported: Any, order: Order, row: str
) -> None:
    change_order(order_id=order.pk, status="cancelled", happened_at=now(), actor=ACTOR)

    outcome = imported("orders", HEAD + f"{row}\n")

    assert counts(outcome) == (0, 0, 0, 1)
    assert "cancelled" in outcome.rejects[0]["reason"]
    order.refresh_from_db()
    assert (order.status, order.amount, order.versions.count()) == ("cancelled", 15, 1)
    # The file as it was changes nothing, so nothing is refused.
    assert counts(imported("orders", FIRST)) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "o1,ann,2024-02-01,A,2,3,cancelled\no1,ann,2024-02-01,B,1,9,\n",
        "o1,ann,2024-02-01,A,1,3,\no1,ann,2024-02-01,B,1,12,\n",
        "o1,ann,2024-02-01,B,9,9,\n",
        "o1,ann,2024-02-01,A,2,1,\n",
    ],
    ids=["cancelled", "fewer than came back", "the line is gone", "less than was given back"],
)
def test_an_order_does_not_become_less_than_what_was_given_back(
    imported: Any, order: Order, text: str
) -> None:
    line = order.lines.get(product__sku="A")
    back = [LineBack(line.pk, Decimal(2))]
    record_refund(order_id=order.pk, lines=back, refunded_at=now(), happened_at=now(), actor=ACTOR)

    outcome = imported("orders", HEAD + text)

    assert outcome.counts.updated == 0
    assert outcome.rejected == text.count("o1")
    order.refresh_from_db()
    assert (order.amount, order.lines.count()) == (15, 2)
    assert not OrderLineVersion.objects.exists()


def test_a_line_that_a_refund_taken_back_names_can_become_less_but_not_go(
    imported: Any, order: Order
) -> None:
    line = order.lines.get(product__sku="A")
    at = {"happened_at": now(), "actor": ACTOR}
    [back] = record_refund(order_id=order.pk, lines=[LineBack(line.pk)], refunded_at=now(), **at)
    correct_refund(refund_id=back.pk, amount=Decimal(0), **at)

    gone = imported("orders", HEAD + "o1,ann,2024-02-01,B,1,9,\n")

    assert counts(gone) == (0, 0, 0, 1)
    assert gone.rejects[0]["reason"] == str(LineRefunded.message)
    order.refresh_from_db()
    assert (order.amount, order.lines.count(), order.versions.count()) == (15, 2, 0)
    assert not OrderLineVersion.objects.exists()

    less = imported("orders", HEAD + "o1,ann,2024-02-01,A,1,3,\no1,ann,2024-02-01,B,1,9,\n")

    assert counts(less) == (0, 1, 0, 0)
    line.refresh_from_db()
    assert (line.quantity, line.amount) == (1, 3)
