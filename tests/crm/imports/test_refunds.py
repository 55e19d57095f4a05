from datetime import UTC, datetime
from decimal import Decimal

import pytest

from common.models import Event
from common.time import now
from crm.imports.mapping import Mapping
from crm.models import ImportRange, Order, Refund
from crm.selectors.refunds import refunded_amount, refunds_in_force
from crm.services.erasure import erase_customer
from crm.services.orders import OrderCancelled, cancel_order
from crm.services.refunds import correct_refund, record_refund
from tests.cast import ACTOR, make_customer, make_product
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db
HEAD = "refund_id,order_id,refunded_at,amount,sku,quantity,reason\n"
FILE = HEAD + (
    "r1,o1,2026-02-10,4,A,1,Too small\nr2,o1,2026-02-11 10:00,2.5,,,\nr3,o2,2026-02-12,50,,,\n"
)


@pytest.fixture(autouse=True)
def _orders(imported):
    """o1: 2 A for 8, A for 5, B for 7; o2: an amount of 50."""
    make_product(sku="A")
    make_product(sku="B")
    make_customer(external_id="ann")
    imported(
        "orders",
        "order_id,customer_id,ordered_at,sku,quantity,unit_price\n"
        "o1,ann,2026-02-01,A,2,4\no1,ann,2026-02-01,A,1,5\no1,ann,2026-02-01,B,1,7\n",
    )
    imported("orders", "order_id,customer_id,ordered_at,amount\no2,ann,2026-02-02,50\n")


def in_force():
    rows = refunds_in_force().order_by("external_id").select_related("line__product", "note")
    return [
        (
            row.external_id,
            row.line and (row.line.product.sku, row.line.occurrence),
            row.quantity,
            row.amount,
        )
        for row in rows
    ]


def told(outcome):
    return [(row["line"], row["column"], row["value"], row["reason"]) for row in outcome.rejects]


def test_it_records_what_was_given_back_for_lines_and_for_whole_orders(imported):
    outcome = imported("refunds", FILE)

    assert counts(outcome) == (3, 0, 0, 0)
    assert in_force() == [
        ("r1", ("A", 1), Decimal(1), Decimal(4)),
        ("r2", None, None, Decimal("2.5")),
        ("r3", None, None, Decimal(50)),
    ]
    first = Refund.objects.get(external_id="r1")
    assert first.note.text == "Too small"
    assert first.refunded_at == datetime(2026, 2, 10, tzinfo=UTC)
    assert (first.currency, first.actor) == ("USD", ACTOR)
    assert not Event.objects.filter(kind="refund.recorded").exists()


def test_the_same_file_again_gives_nothing_back(imported):
    imported("refunds", FILE)

    assert counts(imported("refunds", FILE)) == (0, 0, 3, 0)
    assert Refund.objects.count() == 3


def test_a_changed_refund_is_a_new_row_in_the_old_ones_place_and_zero_takes_it_back(imported):
    imported("refunds", FILE)

    outcome = imported(
        "refunds",
        HEAD
        + "r1,o1,2026-02-10,3.5,A,,\nr2,o1,2026-02-11 10:00,0,,,\nr3,o2,2026-02-12,50,,,Late\n",
    )

    assert counts(outcome) == (0, 3, 0, 0)
    assert in_force() == [
        ("r1", ("A", 1), Decimal(1), Decimal("3.5")),
        ("r3", None, None, Decimal(50)),
    ]
    corrected = refunds_in_force().get(external_id="r1")
    assert corrected.replaces == Refund.objects.get(external_id="r1", replaces=None)
    assert corrected.note.text == "Too small"  # an empty cell says nothing
    assert refunds_in_force().get(external_id="r3").note.text == "Late"
    assert counts(imported("refunds", FILE)) == (0, 2, 1, 0)  # the file is what counts


def test_each_line_gives_back_no_more_than_was_paid_for_it(imported):
    outcome = imported(
        "refunds",
        HEAD + "r1,o1,2026-02-10,4,A,1,\n"  # of the first line
        "r2,o1,2026-02-10,4,A,1,\n"  # the rest of it
        "r3,o1,2026-02-10,5,A,1,\n"  # of the second
        "r4,o1,2026-02-10,1,A,,\n"
        "r5,o1,2026-02-10,8,B,1,\n"
        "r6,o1,2026-02-10,7,B,2,\n"
        "r7,o1,2026-02-10,7.01,,,\n"
        "r8,o1,2026-02-10,7,,,\n"
        "r9,o1,2026-02-10,0.01,,,\n",
    )

    too_much = "That is more than was paid, less what was given back before."
    everything = "Everything that was paid for this purchase has been given back."
    assert counts(outcome) == (4, 0, 0, 5)
    assert [row[:3] for row in in_force()] == [
        ("r1", ("A", 1), Decimal(1)),
        ("r2", ("A", 1), Decimal(1)),
        ("r3", ("A", 2), Decimal(1)),
        ("r8", None, None),
    ]
    assert told(outcome) == [
        (5, "amount", "1.00", too_much),
        (6, "amount", "8.00", too_much),
        (7, "amount", "7.00", too_much),
        (8, "amount", "7.01", too_much),
        (10, "amount", "0.01", everything),
    ]
    assert counts(imported("refunds", FILE, is_dry_run=True))[3] == 1  # r2 as an amount of o1


def test_a_correction_may_use_what_another_one_frees_wherever_it_stands(imported):
    imported("refunds", HEAD + "r1,o2,2026-02-10,30,,,\nr2,o2,2026-02-10,20,,,\n")

    outcome = imported("refunds", HEAD + "r1,o2,2026-02-10,45,,,\nr2,o2,2026-02-10,5,,,\n")

    assert counts(outcome) == (0, 2, 0, 0)
    assert refunded_amount(Order.objects.get(external_id="o2").pk) == Decimal(50)


def test_what_the_pages_gave_back_counts_too(imported):
    order = Order.objects.get(external_id="o2")
    [refund] = record_refund(
        order_id=order.pk,
        refunded_at=order.ordered_at,
        happened_at=now(),
        actor=ACTOR,
        amount=Decimal(20),
        external_id="till",
    )
    correct_refund(refund_id=refund.pk, amount=Decimal(10), happened_at=now(), actor=ACTOR)

    outcome = imported("refunds", HEAD + "r1,o2,2026-02-10,41,,,\nr2,o2,2026-02-10,40,,,\n")

    assert counts(outcome) == (1, 0, 0, 1)
    assert [row[0] for row in in_force()] == ["r2", "till"]
    assert counts(imported("refunds", HEAD + "till,o2,2026-02-02,10,,,\n")) == (0, 0, 1, 0)


def test_what_can_be_no_refund_is_told_with_its_reason(imported):
    imported("refunds", FILE)
    imported("orders", "order_id,customer_id,ordered_at,amount\no3,ann,2026-02-02,5\n")
    cancel_order(order_id=Order.objects.get(external_id="o3").pk, happened_at=now(), actor=ACTOR)

    outcome = imported(
        "refunds",
        HEAD + "x1,nope,2026-02-10,1,,,\n"
        "x2,o1,2026-02-10,1,NOPE,,\n"
        "x3,o1,2026-02-10,-1,,,\n"
        "x4,o1,2026-02-10,0,,,\n"
        "x5,o1,2026-01-31,1,,,\n"
        "x6,o1,2026-02-10,1,,1,\n"
        "x7,o1,2026-02-10,1,A,0,\n"
        "x8,o3,2026-02-10,1,,,\n"
        "x9,o1,2026-02-10,1,,,\n"
        "x9,o1,2026-02-10,2,,,\n"
        "x9,o2,2026-02-10,1,,,\n"
        "r3,o1,2026-02-10,1,,,\n"
        "r1,o1,2026-02-10,4,B,,\n",
    )

    assert counts(outcome) == (1, 0, 0, 12)
    assert told(outcome) == [
        (2, "order_id", "nope", "There is no purchase with this id."),
        (3, "sku", "NOPE", "There is no product with this SKU."),
        (4, "amount", "-1", "Enter a number from 0 to 99999999999."),
        (5, "amount", "0.00", "Give back more than nothing."),
        (6, "refunded_at", "", "Money can't be given back before the purchase."),
        (7, "quantity", "1", "Say of which product."),
        (8, "quantity", "0", "Give back more than nothing."),
        (9, "order_id", "", str(OrderCancelled.message)),
        (11, "refund_id", "x9", "Line 10 says something else about this refund."),
        (12, "refund_id", "x9", "Line 10 gives this refund to another purchase."),
        (13, "refund_id", "r3", "This refund is of another purchase."),
        (14, "sku", "", "This refund is of another product."),
    ]


def test_live_tells_of_each_refund_on_the_customers_timeline(imported):
    imported("refunds", FILE, mode="live")
    imported("refunds", HEAD + "r3,o2,2026-02-12,40,,,\n", mode="live")

    order = Order.objects.get(external_id="o2")
    events = Event.objects.filter(customer_id=order.customer_id, subject_kind="refund")
    assert [(event.kind, event.codes["amount"]) for event in events.order_by("id")] == [
        ("refund.recorded", "4.00"),
        ("refund.recorded", "2.50"),
        ("refund.recorded", "50.00"),
        ("refund.corrected", "40.00"),
    ]


def test_a_mapping_may_keep_what_is_known(imported):
    imported("refunds", FILE)

    changed = HEAD + "r1,o1,2026-02-10,1,A,,Other\nr3,o2,2026-02-12,1,,,Late\n"

    assert counts(imported("refunds", changed, mapping=Mapping(overwrite="nothing")))[1] == 0
    assert counts(imported("refunds", changed, mapping=Mapping(overwrite="empty")))[1] == 1
    assert {row[3] for row in in_force()} == {Decimal(4), Decimal("2.5"), Decimal(50)}
    assert refunds_in_force().get(external_id="r3").note.text == "Late"


def test_of_an_erased_customers_purchase_the_money_counts_and_no_words_are_kept(imported):
    imported("refunds", FILE)
    customer = Order.objects.get(external_id="o1").customer
    erase_customer(customer_id=customer.pk, happened_at=now(), actor=ACTOR)

    outcome = imported(
        "refunds", FILE.replace("r3,o2,2026-02-12,50,,,", "r4,o1,2026-02-12,1,,,Ann")
    )

    assert counts(outcome) == (1, 0, 2, 0)
    assert not hasattr(Refund.objects.get(external_id="r4"), "note")


def test_the_rows_made_are_noted_for_undoing(imported):
    imported("refunds", FILE)

    made = ImportRange.objects.get(table="crm.Refund")
    ids = list(Refund.objects.order_by("id").values_list("id", flat=True))
    assert (made.first_id, made.last_id) == (ids[0], ids[-1])
