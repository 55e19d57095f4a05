"""Exports of well-known programs: recognised by their header and read into the right records."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from common.time import now
from crm.imports.detection import look_at
from crm.imports.files import import_file
from crm.imports.presets import presets, recognise
from crm.models import ConsentEvent, ContactPoint, Customer, CustomerTag, Order, OrderLine, Product
from tests.cast import ACTOR, make_customer, make_product
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db
SAMPLES = Path(__file__).parent / "samples"


def import_sample(name, key):
    """Import a sample as the wizard would: look at it, take the preset's mapping, go."""
    path = SAMPLES / name
    findings = look_at(path)
    preset = presets()[key]
    mapping = findings.settle(preset.mapping_for(findings.header))
    moment = now()
    return import_file(
        kind=preset.kind,
        path=path,
        mode="history",
        actor=ACTOR,
        happened_at=moment,
        mapping=mapping,
    )


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("shopify_customers.csv", "shopify_customers"),
        ("shopify_orders.csv", "shopify_orders"),
        ("shopify_products.csv", "shopify_products"),
        ("woocommerce_customers.csv", "woocommerce_customers"),
        ("woocommerce_orders.csv", "woocommerce_orders"),
        ("woocommerce_products.csv", "woocommerce_products"),
        ("hubspot_contacts.csv", "hubspot_contacts"),
        ("cdnow_master.txt", "cdnow"),
        ("cdnow_sample.txt", "cdnow_sample"),
        ("spreadsheet_orders.csv", "spreadsheet_orders"),
    ],
)
def test_an_export_is_recognised_by_its_header(name, key):
    assert recognise(look_at(SAMPLES / name)).key == key


def test_another_file_is_not_taken_for_an_export(csv_file):
    assert recognise(look_at(csv_file("Name,Email\nAnn,ann@example.org\n"))) is None


def test_every_preset_maps_to_columns_that_its_kind_has(db):
    from crm.imports.kinds import Context, kinds

    for preset in presets().values():
        kind = kinds()[preset.kind](Context(preset.mapping, "history", ACTOR))
        assert set(filter(None, preset.mapping.columns.values())) <= kind.columns.keys()
        assert preset.mapping.values.keys() <= kind.columns.keys()


def test_customers_of_shopify_come_in_by_email_with_names_joined():
    outcome = import_sample("shopify_customers.csv", "shopify_customers")

    assert counts(outcome) == (2, 0, 0, 0)  # the one without an address is passed over
    ada = Customer.objects.get(name="Ada Brook")
    assert (ada.external_id, ada.city, ada.country) == ("6501234567890", "Leeds", "GB")
    tags = CustomerTag.objects.filter(customer=ada)
    assert set(tags.values_list("tag__name", flat=True)) == {"tea", "vip"}
    assert set(ContactPoint.objects.filter(customer=ada).values_list("value", flat=True)) == {
        "ada.brook@example.org",
        "+441132000001",
    }
    ben = Customer.objects.get(name="Ben Carter")
    assert ContactPoint.objects.get(customer=ben, kind="phone").value == "+441904000002"
    granted = ConsentEvent.objects.filter(is_granted=True)
    assert set(granted.values_list("customer_id", "purpose")) == {
        (ada.pk, "marketing"),
        (ada.pk, "surveys"),
    }
    assert counts(import_sample("shopify_customers.csv", "shopify_customers")) == (0, 0, 2, 0)


def test_orders_of_shopify_carry_their_head_to_every_line():
    import_sample("shopify_customers.csv", "shopify_customers")
    import_sample("shopify_products.csv", "shopify_products")
    for sku in ("TEA-B-50", "Gift card"):
        make_product(sku=sku)

    outcome = import_sample("shopify_orders.csv", "shopify_orders")

    assert outcome.rejects == []
    assert counts(outcome) == (3, 0, 0, 0)
    order = Order.objects.get(external_id="#1003")
    assert order.customer.name == "Ada Brook"
    # Ten past midnight in Berlin is still the day before in UTC: an instant, not a day.
    assert order.ordered_at == datetime(2024, 6, 1, 22, 10, tzinfo=UTC)
    assert (order.amount, order.currency, order.status, order.channel) == (
        Decimal("44.5"),
        "EUR",
        "delivered",
        "web",
    )
    assert list(
        OrderLine.objects.filter(order=order)
        .order_by("product__sku")
        .values_list("product__sku", "quantity", "unit_price", "discount")
    ) == [
        ("POT-1", Decimal(1), Decimal("22.5"), Decimal(2)),
        ("TEA-G-100", Decimal(2), Decimal(12), Decimal(0)),
    ]
    statuses = dict(Order.objects.values_list("external_id", "status"))
    assert statuses == {"#1001": "cancelled", "#1002": "delivered", "#1003": "delivered"}
    assert counts(import_sample("shopify_orders.csv", "shopify_orders")) == (0, 0, 3, 0)


def test_orders_of_shopify_as_totals_are_the_subtotals_of_their_heads():
    for email in ("ada.brook@example.org", "ben.carter@example.org"):
        make_customer(email=email)

    outcome = import_sample("shopify_orders.csv", "shopify_order_totals")

    assert (counts(outcome), outcome.rows) == ((3, 0, 0, 0), 3)
    assert dict(Order.objects.values_list("external_id", "amount")) == {
        "#1001": Decimal(30),
        "#1002": Decimal(9),
        "#1003": Decimal("44.5"),
    }


def test_products_of_shopify_are_variants_with_their_heads_name():
    outcome = import_sample("shopify_products.csv", "shopify_products")

    assert counts(outcome) == (3, 0, 0, 0)  # rows of pictures are passed over
    assert set(Product.objects.values_list("sku", "name", "category", "price", "cost")) == {
        ("TEA-G-100", "Green tea", "Tea", Decimal(12), Decimal("4.25")),
        ("TEA-G-250", "Green tea", "Tea", Decimal(27), Decimal("9.75")),
        ("POT-1", "Teapot", "Ware", Decimal("22.5"), None),
    }


def test_a_shop_on_woocommerce_comes_in_whole():
    assert counts(import_sample("woocommerce_customers.csv", "woocommerce_customers")) == (
        (2, 0, 0, 0)
    )
    assert counts(import_sample("woocommerce_products.csv", "woocommerce_products")) == (2, 0, 0, 0)

    outcome = import_sample("woocommerce_orders.csv", "woocommerce_orders")

    assert outcome.rejects == []
    assert set(Order.objects.values_list("external_id", "customer__name", "amount", "status")) == {
        ("501", "Cora Dale", Decimal(32), "delivered"),
        ("502", "Eli Ford", Decimal(8), "cancelled"),
    }


def test_contacts_of_hubspot_come_in_and_nobody_consents_by_it():
    outcome = import_sample("hubspot_contacts.csv", "hubspot_contacts")

    assert counts(outcome) == (2, 0, 0, 0)
    fay, gus = Customer.objects.order_by("external_id")
    assert (fay.external_id, fay.name, fay.source) == ("901", "Fay Grant", "Organic Search")
    assert fay.acquired_at == datetime(2024, 3, 12, 9, 14, tzinfo=UTC)
    assert gus.name == "Gus"
    assert not ConsentEvent.objects.filter(is_granted=True).exists()


def test_orders_of_shopify_alone_make_their_customers_and_products(db):
    outcome = import_sample("shopify_orders.csv", "shopify_orders")

    assert outcome.rejects == []
    assert Order.objects.count() == 3
    assert set(ContactPoint.objects.values_list("value", flat=True)) == {
        "ada.brook@example.org",
        "ben.carter@example.org",
    }
    assert set(Product.objects.values_list("sku", "name")) == {
        ("TEA-G-100", "Green tea - 100 g"),
        ("POT-1", "Teapot"),
        ("TEA-B-50", "Black tea - 50 g"),
        ("Gift card", "Gift card"),
    }
    assert counts(import_sample("shopify_orders.csv", "shopify_orders")) == (0, 0, 3, 0)


@pytest.mark.parametrize(
    ("name", "key", "orders", "customers", "revenue"),
    [
        ("cdnow_master.txt", "cdnow", 6, 4, "131.52"),
        ("cdnow_sample.txt", "cdnow_sample", 3, 2, "122.40"),
    ],
)
def test_cdnow_comes_in_as_it_is(name, key, orders, customers, revenue):
    outcome = import_sample(name, key)

    assert outcome.rejects == []
    assert (Order.objects.count(), Customer.objects.count()) == (orders, customers)
    assert sum(Order.objects.values_list("amount", flat=True)) == Decimal(revenue)
    assert set(Customer.objects.values_list("external_id", flat=True)) >= {"00004"}
    assert counts(import_sample(name, key)) == (0, 0, orders, 0)


def test_a_plain_spreadsheet_needs_its_findings_only(db):
    for external_id in ("C-1", "C-2"):
        make_customer(external_id=external_id)

    assert counts(import_sample("spreadsheet_orders.csv", "spreadsheet_orders")) == (2, 0, 0, 0)

    assert dict(Order.objects.values_list("external_id", "amount")) == {
        "A-1": Decimal("1234.5"),
        "A-2": Decimal(12),
    }


def run(*arguments):
    """Exit code and what stood on stdout."""
    out = io.StringIO()
    try:
        call_command("import_data", *map(str, arguments), stdout=out, stderr=io.StringIO())
    except SystemExit as error:
        return error.code, out.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def test_the_command_takes_a_preset(db):
    code, out = run(
        "orders", SAMPLES / "shopify_orders.csv", "--preset", "shopify_orders", "--json"
    )

    assert (code, json.loads(out)["created"]) == (0, 3)


def test_a_preset_for_another_kind_has_exit_code_2(db):
    sample = SAMPLES / "shopify_orders.csv"

    assert run("customers", sample, "--preset", "shopify_orders")[0] == 2

    assert not Order.objects.exists()


def test_a_file_that_lacks_what_the_preset_needs_is_refused_with_exit_code_1(db, csv_file):
    path = csv_file("Name,Email\n#1,a@example.org\n")

    code, out = run("orders", path, "--preset", "shopify_orders", "--json")

    assert (code, json.loads(out)["code"]) == (1, "import_unreadable")
    assert "ordered_at" in json.loads(out)["title"]
