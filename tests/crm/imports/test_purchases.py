"""Files of purchases from elsewhere: no ids, unknown customers and products, what may change."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from common.time import now
from crm.imports.mapping import Mapping
from crm.models import (
    ContactPoint,
    Customer,
    CustomerFigures,
    ImportBatch,
    ImportChange,
    ImportRange,
    Order,
    OrderLine,
    OrderLineVersion,
    OrderVersion,
    Product,
    SearchTerm,
)
from crm.services.erasure import erase_customer
from tests.cast import ACTOR, make_customer
from tests.crm.imports.conftest import counts, orders_file

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
MAKE = Mapping(create_missing=True)
NUMBERED = Mapping(number_orders=True)
ANNS = [("o1", "ann", "2024-02-01", "A", 2, 3), ("o1", "ann", "2024-02-01", "B", 1, 4)]


def amounts():
    return sorted(Order.objects.values_list("customer__external_id", "amount"))


def test_unknown_customers_are_made_with_their_first_purchase_of_the_file(imported, catalogue):
    ann = make_customer(external_id="ann")
    rows = [
        ("o1", "new", "2024-03-01", "A", 1, 5),
        ("o2", "ann", "2024-03-01", "A", 1, 5),
        ("o3", "new", "2024-01-05", "A", 1, 7),
        ("o4", "bad", "2024-01-01", "NOPE", 1, 7),
    ]

    outcome = imported("orders", orders_file(rows[:3]), mapping=MAKE)

    new = Customer.objects.exclude(pk=ann.pk).get()
    assert counts(outcome) == (3, 0, 0, 0)
    assert outcome.also_made == {"customers": 1}
    assert (new.external_id, new.acquired_at) == ("new", datetime(2024, 1, 5, tzinfo=UTC))
    assert (new.stage, new.kind, new.name) == ("lead", "person", "")
    assert (new.figures.orders, new.figures.revenue) == (2, Decimal(12))
    assert list(SearchTerm.objects.filter(customer=new).values_list("kind", "term")) == [
        ("id", "new")
    ]
    assert amounts() == [("ann", 5), ("new", 5), ("new", 7)]


def test_unknown_products_are_made_with_the_name_the_file_gives(imported, catalogue):
    make_customer(external_id="ann")
    text = (
        "order_id,customer_id,ordered_at,sku,product_name,quantity,unit_price\n"
        "o1,ann,2024-02-01,TEA,,1,2\n"
        "o2,ann,2024-02-02,TEA,Green tea,1,2\n"
        "o3,ann,2024-02-02,CUP,,1,2\n"
        "o4,ann,2024-02-02,A,Not its name,1,2\n"
    )

    outcome = imported("orders", text, mapping=MAKE)

    assert counts(outcome) == (4, 0, 0, 0)
    assert outcome.also_made == {"products": 2}
    made = Product.objects.exclude(sku__in="ABC").order_by("sku")
    assert list(made.values_list("sku", "name", "kind")) == [
        ("CUP", "", "other"),
        ("TEA", "Green tea", "other"),
    ]
    assert not Product.objects.filter(name="Not its name").exists()


def test_without_the_setting_nobody_is_made(imported, catalogue):
    outcome = imported("orders", orders_file(ANNS))

    assert counts(outcome) == (0, 0, 0, 2)
    assert not Customer.objects.exists()


def test_who_only_stands_in_refused_rows_is_not_made(imported, catalogue):
    outcome = imported("orders", orders_file([("o1", "x", "never", "NEW", 1, 2)]), mapping=MAKE)

    assert counts(outcome) == (0, 0, 0, 1)
    assert outcome.also_made == {}
    assert (Customer.objects.count(), Product.objects.count()) == (0, 3)


def test_a_check_makes_nobody_and_says_how_many_it_would_make(imported, catalogue):
    outcome = imported(
        "orders",
        orders_file([*ANNS, ("o2", "bob", "2024-02-01", "NEW", 1, 1)]),
        mapping=MAKE,
        is_dry_run=True,
    )

    assert counts(outcome) == (2, 0, 0, 0)
    assert outcome.also_made == {"customers": 2, "products": 1}
    assert (Customer.objects.count(), Product.objects.count()) == (0, 3)


@pytest.mark.parametrize(
    ("by", "cell", "again", "stored"),
    [
        ("email", "Ann@Example.org", "ann@example.ORG", "ann@example.org"),
        ("phone", "8 912 345-67-89", "+79123456789", "+79123456789"),
    ],
)
def test_customers_known_by_an_address_are_made_with_it(
    imported, catalogue, by, cell, again, stored
):
    rows = [("o1", cell, "2024-02-01", "A", 1, 2), ("o2", again, "2024-02-02", "A", 1, 2)]
    mapping = Mapping(create_missing=True, match_by=by)

    first = imported("orders", orders_file(rows), mapping=mapping)
    second = imported("orders", orders_file(rows), mapping=mapping)

    customer = Customer.objects.get()
    contact = ContactPoint.objects.get()
    assert (customer.external_id, contact.kind, contact.normalized) == (None, by, stored)
    assert contact.is_primary
    assert customer.figures.orders == 2
    assert (counts(first), counts(second)) == ((2, 0, 0, 0), (0, 0, 2, 0))
    assert second.also_made == {}


def test_somebody_erased_is_never_made_anew(imported, catalogue):
    ann = make_customer(external_id="ann", email="ann@example.org")
    erase_customer(customer_id=ann.pk, happened_at=now(), actor=ACTOR)
    by_email = [("o9", "ann@example.org", "2024-02-01", "A", 1, 2)]

    by_id = imported("orders", orders_file(ANNS), mapping=MAKE)
    by_address = imported(
        "orders", orders_file(by_email), mapping=Mapping(create_missing=True, match_by="email")
    )

    assert (counts(by_id), counts(by_address)) == ((0, 0, 0, 2), (0, 0, 0, 1))
    assert {reject["value"] for reject in by_id.rejects + by_address.rejects} == {""}
    assert Customer.objects.count() == 1


def test_purchases_without_ids_are_told_apart_by_customer_time_and_occurrence(imported):
    make_customer(external_id="ann")
    make_customer(external_id="bob")
    rows = [
        "ann,2024-02-01,5",
        "bob,2024-02-01,5",
        "ann,2024-02-01,5",
        "ann,2024-02-02 10:00:00.5,7",
    ]
    text = "\n".join(["customer_id,ordered_at,amount", *rows])

    first = imported("orders", text, mapping=NUMBERED)
    second = imported("orders", text, mapping=NUMBERED)
    more = imported("orders", text + "\nann,2024-02-01,9\n", mapping=NUMBERED)

    assert counts(first) == (4, 0, 0, 0)
    assert counts(second) == (0, 0, 4, 0)
    assert counts(more) == (1, 0, 4, 0)
    assert amounts() == [("ann", 5), ("ann", 5), ("ann", 7), ("ann", 9), ("bob", 5)]
    ann = Customer.objects.get(external_id="ann")
    assert Order.objects.filter(external_id__startswith=f"{ann.ref}-").count() == 4


def test_a_plain_list_of_purchases_needs_nothing_beforehand(imported):
    text = "customer_id,ordered_at,quantity,amount\n1,1997-01-01,1,11.77\n1,1997-01-01,2,12\n"
    mapping = Mapping(number_orders=True, create_missing=True)

    checked = imported("orders", text, mapping=mapping, is_dry_run=True)
    first = imported("orders", text, mapping=mapping)
    second = imported("orders", text, mapping=mapping)

    assert counts(checked) == counts(first) == (2, 0, 0, 0)
    assert counts(second) == (0, 0, 2, 0)
    assert CustomerFigures.objects.get().revenue == Decimal("23.77")


def test_with_ids_in_the_file_purchases_are_known_by_them(imported, catalogue):
    make_customer(external_id="ann")

    imported("orders", orders_file(ANNS), mapping=NUMBERED)

    assert Order.objects.get().external_id == "o1"


@pytest.fixture
def known(imported, catalogue):
    """An order of two lines without a channel."""
    make_customer(external_id="ann")
    imported("orders", orders_file(ANNS))
    return Order.objects.get()


CHANGED = (
    "order_id,customer_id,ordered_at,channel,sku,quantity,unit_price,unit_cost\n"
    "o1,ann,2024-02-03,web,A,5,3,1\n"
    "o1,ann,2024-02-03,web,C,1,1,1\n"
)


def state(order):
    order.refresh_from_db()
    lines = order.lines.order_by("product__sku")
    return (
        order.ordered_at.day,
        order.channel,
        order.amount,
        list(lines.values_list("product__sku", "quantity", "unit_cost")),
    )


@pytest.mark.parametrize(
    ("mapping", "wanted"),
    [
        (Mapping(), (3, "web", 16, [("A", 5, 1), ("C", 1, 1)])),
        (Mapping(overwrite="nothing"), (1, "", 10, [("A", 2, None), ("B", 1, None)])),
        (Mapping(overwrite="empty"), (1, "web", 10, [("A", 2, 1), ("B", 1, None)])),
        (
            Mapping(kept=("ordered_at", "quantity")),
            (1, "web", 7, [("A", 2, 1), ("C", 1, 1)]),
        ),
        (Mapping(kept=("sku",)), (3, "web", 19, [("A", 5, 1), ("B", 1, None)])),
    ],
)
def test_a_known_order_takes_what_the_mapping_lets_it(imported, known, mapping, wanted):
    outcome = imported("orders", CHANGED, mapping=mapping)

    is_changed = mapping.overwrite != "nothing"
    assert counts(outcome) == (0, is_changed, not is_changed, 0)
    assert state(known) == wanted
    assert counts(imported("orders", CHANGED, mapping=mapping)) == (0, 0, 1, 0)
    customer = CustomerFigures.objects.get()
    assert customer.revenue == known.amount


def test_an_amount_alone_is_kept_too(imported):
    make_customer(external_id="ann")
    imported("orders", "order_id,customer_id,ordered_at,amount\no1,ann,2024-02-01,5\n")

    text = "order_id,customer_id,ordered_at,amount\no1,ann,2024-02-01,6\n"
    assert counts(imported("orders", text, mapping=Mapping(kept=("amount",)))) == (0, 0, 1, 0)
    assert counts(imported("orders", text)) == (0, 1, 0, 0)


def test_what_an_import_made_is_noted_as_ranges(imported, catalogue):
    outcome = imported("orders", orders_file(ANNS), mapping=MAKE)

    batch = ImportBatch.objects.get(ref=outcome.batch)
    order, customer = Order.objects.get(), Customer.objects.get()
    noted = ImportRange.objects.filter(batch=batch).order_by("table")
    assert list(noted.values_list("table", "first_id", "last_id")) == [
        ("crm.Customer", customer.pk, customer.pk),
        ("crm.Order", order.pk, order.pk),
    ]
    assert not ImportChange.objects.filter(batch=batch).exists()


def test_what_an_import_changed_is_noted_row_by_row(imported, known):
    line_a, line_b = OrderLine.objects.order_by("product__sku")

    outcome = imported("orders", CHANGED)

    batch = ImportBatch.objects.get(ref=outcome.batch)
    changes = {
        (change.table, change.object_id): change
        for change in ImportChange.objects.filter(batch=batch)
    }
    line_c = OrderLine.objects.get(product__sku="C")
    pasts = OrderLineVersion.objects.values_list("pk", flat=True)
    assert set(changes) == {
        ("crm.Order", known.pk),
        ("crm.OrderVersion", OrderVersion.objects.get().pk),
        ("crm.OrderLine", line_a.pk),
        ("crm.OrderLine", line_b.pk),
        ("crm.OrderLine", line_c.pk),
        *(("crm.OrderLineVersion", pk) for pk in pasts),
    }
    order = changes["crm.Order", known.pk]
    assert (order.before["amount"], order.after["amount"]) == (100_000, 160_000)
    assert set(order.after) == {
        "amount",
        "channel",
        "cost",
        "delivered_at",
        "ordered_at",
        "revised_at",
    }
    assert changes["crm.OrderLine", line_a.pk].after["quantity"] == 50_000
    assert changes["crm.OrderLine", line_b.pk].before["order_id"] == known.pk
    assert changes["crm.OrderLine", line_b.pk].after == {}
    assert changes["crm.OrderLine", line_c.pk].before == {}
    assert {change.customer_id for change in changes.values()} == {known.customer_id}
