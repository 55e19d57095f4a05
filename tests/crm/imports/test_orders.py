from datetime import UTC, datetime
from decimal import Decimal

import pytest

from common.models import Event
from crm.models import Order, OrderLine, OrderVersion, Product
from crm.services import NewLine, line_amount, record_order
from tests.cast import NOON, make_customer
from tests.crm.imports.conftest import counts, orders_file

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("catalogue")]


@pytest.fixture(autouse=True)
def ann(db):
    return make_customer(external_id="ann")


@pytest.fixture(autouse=True)
def bob(db):
    return make_customer(external_id="bob")


def state(order_id):
    """amount, status, and (sku, occurrence, quantity, unit_price) of an order's lines."""
    order = Order.objects.get(external_id=order_id)
    lines = OrderLine.objects.filter(order=order).order_by("product__sku", "occurrence")
    return (
        order.amount,
        order.status,
        list(lines.values_list("product__sku", "occurrence", "quantity", "unit_price")),
    )


def test_lines_of_an_order_may_stand_anywhere(imported, ann):
    outcome = imported(
        "orders",
        orders_file(
            [
                ("o1", "ann", "2024-02-01 10:00", "A", 2, "1.25"),
                ("o2", "bob", "2024-02-02 10:00", "A", 1, "1.25"),
                ("o1", "ann", "2024-02-01 09:30", "B", "1.5", "2.3333"),
            ]
        ),
    )

    assert counts(outcome) == (2, 0, 0, 0)
    assert outcome.rows == 3
    order = Order.objects.get(external_id="o1")
    assert order.customer == ann
    assert order.ordered_at == datetime(2024, 2, 1, 9, 30, tzinfo=UTC)  # the earliest
    assert order.delivered_at == order.ordered_at
    assert (order.entry, order.currency, order.cost) == ("history", "USD", None)
    assert order.recorded_at == order.revised_at
    # 1.5 × 2.3333 = 3.49995 → half to even
    assert state("o1") == (
        Decimal("6.0000"),
        "delivered",
        [("A", 1, Decimal(2), Decimal("1.25")), ("B", 1, Decimal("1.5"), Decimal("2.3333"))],
    )


def test_it_makes_what_the_service_makes_of_the_same_lines(imported, ann):
    lines = [
        (Decimal("1.5"), Decimal("2.3333"), Decimal("0.1")),
        (Decimal(3), Decimal("0.0001"), Decimal(0)),
    ]
    products = dict(Product.objects.values_list("sku", "id"))
    typed = record_order(
        customer_id=ann.pk,
        ordered_at=NOON,
        happened_at=NOON,
        actor="system",
        entry="history",
        external_id="typed",
        lines=[
            NewLine(products["A"], quantity, price, discount, Decimal("0.5"))
            for quantity, price, discount in lines
        ],
    )
    text = "order_id,customer_id,ordered_at,sku,quantity,unit_price,discount,unit_cost\n"
    for quantity, price, discount in lines:
        text += f"file,ann,{NOON.isoformat()},A,{quantity},{price},{discount or ''},0.5\n"

    imported("orders", text)

    read = Order.objects.get(external_id="file")
    for name in ("amount", "cost", "currency", "status", "ordered_at", "delivered_at", "entry"):
        assert getattr(read, name) == getattr(typed, name), name
    columns = ("product", "occurrence", "quantity", "unit_price", "discount", "unit_cost", "amount")
    assert list(read.lines.order_by("occurrence").values_list(*columns)) == list(
        typed.lines.order_by("occurrence").values_list(*columns)
    )
    assert read.amount == sum(line_amount(*line) for line in lines)


def test_identical_lines_are_kept(imported):
    row = ("o1", "ann", "2024-02-01", "A", 1, 2)

    assert counts(imported("orders", orders_file([row, row, row]))) == (1, 0, 0, 0)
    assert counts(imported("orders", orders_file([row, row, row]))) == (0, 0, 1, 0)

    assert state("o1")[0] == Decimal(6)
    assert [line[1] for line in state("o1")[2]] == [1, 2, 3]


def test_a_corrected_line_corrects_the_order_and_keeps_its_past(imported):
    row = ("o1", "ann", "2024-02-01", "A", 1)
    imported("orders", orders_file([(*row, 2), (*row, 2)]))
    before = Order.objects.get()

    outcome = imported("orders", orders_file([(*row, 2), (*row, 3)]))

    assert counts(outcome) == (0, 1, 0, 0)
    after = Order.objects.get()
    assert (before.amount, after.amount) == (Decimal(4), Decimal(5))
    assert after.recorded_at == before.recorded_at
    version = OrderVersion.objects.get()
    assert (version.order_id, version.amount) == (before.pk, Decimal(4))
    assert (version.recorded_from, version.recorded_until) == (
        before.revised_at,
        after.revised_at,
    )
    assert counts(imported("orders", orders_file([(*row, 2), (*row, 3)]))) == (0, 0, 1, 0)


def test_lines_no_longer_in_the_file_are_taken_out(imported):
    first = ("o1", "ann", "2024-02-01", "A", 1, 2)
    imported("orders", orders_file([first, ("o1", "ann", "2024-02-01", "B", 1, 5)]))

    assert counts(imported("orders", orders_file([first]))) == (0, 1, 0, 0)

    assert state("o1") == (Decimal(2), "delivered", [("A", 1, Decimal(1), Decimal(2))])


def test_a_refused_row_takes_no_line_out(imported):
    first = ("o1", "ann", "2024-02-01", "A", 1, 2)
    second = ("o1", "ann", "2024-02-01", "B", 1, 5)
    imported("orders", orders_file([first, second]))

    outcome = imported("orders", orders_file([first, (*second[:4], "x", 5)]))

    assert counts(outcome) == (0, 0, 1, 1)
    assert state("o1")[0] == Decimal(7)


def test_a_bad_line_is_refused_and_the_order_made_of_the_good_ones(imported):
    outcome = imported(
        "orders",
        orders_file(
            [
                ("o1", "ann", "2024-02-01", "A", 1, 2),
                ("o1", "ann", "2024-02-01", "NOPE", 1, 2),
                ("o2", "nobody", "2024-02-01", "A", 1, 2),
                ("o3", "ann", "2024-02-31", "A", -1, "1.23456"),
                ("o4", "ann", "2024-02-01", "", "", ""),
                ("o5", "ann", "2024-02-01", "A", "", 1),
            ]
        ),
    )

    assert counts(outcome) == (1, 0, 0, 5)
    assert [(row["line"], row["column"]) for row in outcome.rejects] == [
        (3, "sku"),
        (4, "customer_id"),
        (5, "ordered_at"),
        (5, "quantity"),
        (5, "unit_price"),
        (6, "sku"),
        (7, "quantity"),
    ]
    assert state("o1")[0] == Decimal(2)
    assert Order.objects.count() == 1


def test_rows_that_contradict_their_order_are_refused(imported):
    text = "order_id,customer_id,ordered_at,currency,sku,quantity,unit_price,amount\n"
    text += "o1,ann,2024-02-01,EUR,A,1,2,\no1,bob,2024-02-01,EUR,A,1,2,\n"
    text += "o1,ann,2024-02-01,USD,A,1,2,\no1,ann,2024-02-01,,B,1,3,\no1,ann,2024-02-01,,,,,9\n"
    text += "o2,ann,2024-02-01,,,,,9\no2,ann,2024-02-01,,,,,9\no3,ann,2024-02-01,,A,1,2,9\n"

    outcome = imported("orders", text)

    assert counts(outcome) == (2, 0, 0, 5)
    assert {row["line"]: row["column"] for row in outcome.rejects} == {
        3: "customer_id",
        4: "currency",
        6: "amount",
        8: "amount",
        9: "amount",
    }
    assert (state("o1")[0], state("o2")[0]) == (Decimal(5), Decimal(9))


def test_an_order_may_be_just_an_amount(imported):
    text = "order_id,customer_id,ordered_at,amount,cost,status\n"
    text += "o1,ann,2024-02-01,0,,\no2,ann,2024-02-01,12.3456,7,placed\n"

    assert counts(imported("orders", text)) == (2, 0, 0, 0)

    assert state("o1") == (Decimal(0), "delivered", [])  # an order of value 0 is an order
    assert state("o2") == (Decimal("12.3456"), "placed", [])
    assert Order.objects.get(external_id="o2").delivered_at is None
    assert counts(imported("orders", text)) == (0, 0, 2, 0)


def test_an_amount_does_not_replace_lines(imported):
    imported("orders", orders_file([("o1", "ann", "2024-02-01", "A", 1, 2)]))

    outcome = imported("orders", "order_id,customer_id,ordered_at,amount\no1,ann,2024-02-01,9\n")

    assert counts(outcome) == (0, 0, 0, 1)
    assert state("o1")[0] == Decimal(2)


def test_a_delivery_follows_the_file(imported):
    head = "order_id,customer_id,ordered_at,amount,status,delivered_at\n"
    imported("orders", head + "o1,ann,2024-02-01,9,placed,\no2,ann,2024-02-01,9,,2024-01-31\n")
    assert Order.objects.filter(external_id="o2").count() == 0  # delivered before ordered

    outcome = imported("orders", head + "o1,ann,2024-02-01,9,delivered,2024-02-03\n")

    assert counts(outcome) == (0, 1, 0, 0)
    order = Order.objects.get(external_id="o1")
    assert (order.status, order.delivered_at) == ("delivered", datetime(2024, 2, 3, tzinfo=UTC))
    assert OrderVersion.objects.get().status == "placed"
    imported("orders", head + "o1,ann,2024-02-05,9,,\n")
    order.refresh_from_db()
    assert order.delivered_at == order.ordered_at == datetime(2024, 2, 5, tzinfo=UTC)


def test_a_file_without_a_status_does_not_revive_a_cancelled_order(imported):
    head = "order_id,customer_id,ordered_at,amount,status\n"
    imported("orders", head + "o1,ann,2024-02-01,9,cancelled\n")

    outcome = imported("orders", "order_id,customer_id,ordered_at,amount\no1,ann,2024-02-01,9\n")

    assert counts(outcome) == (0, 0, 1, 0)
    assert state("o1")[1] == "cancelled"


def test_history_and_live_are_told_apart_and_stay_so(imported):
    text = orders_file([("o1", "ann", "2024-02-01", "A", 1, 2)])
    imported("orders", text, mode="live")

    assert Order.objects.get().entry == "live"
    assert counts(imported("orders", text, mode="history")) == (0, 0, 1, 0)
    assert Order.objects.get().entry == "live"


def test_amounts_no_database_holds_are_refused(imported):
    outcome = imported(
        "orders", orders_file([("o1", "ann", "2024-02-01", "A", "99999999999", "99999999999")])
    )

    assert counts(outcome) == (0, 0, 0, 1)


def test_one_event_tells_of_a_batch_that_changed_something(imported):
    text = orders_file([(f"o{n}", "ann", "2024-02-01", "A", 1, 2) for n in range(5)])
    outcome = imported("orders", text)
    imported("orders", text)

    event = Event.objects.get(kind="import.finished")
    assert event.subject_ref == outcome.batch
    assert event.codes == {"kind": "orders", "mode": "history", "created": 5, "updated": 0}
    assert not Event.objects.filter(kind="order.recorded").exists()
