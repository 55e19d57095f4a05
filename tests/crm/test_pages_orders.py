"""Purchases: the list, one purchase, the quick sale."""

from datetime import timedelta
from decimal import Decimal

import pytest

from common.time import now
from crm.models import Order, OrderVersion
from crm.services import NewLine
from tests.cast import NOON, make_customer, make_location, make_order, make_product

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

NEW = "/orders/new/"
EMPTY_LINES = {
    "lines-TOTAL_FORMS": "5",
    "lines-INITIAL_FORMS": "0",
}


def sale(**fields):
    """A form as the browser sends it; ``line0_sku`` becomes ``lines-0-sku``."""
    sent = {"ordered_at": "2026-03-02T12:00"} | EMPTY_LINES
    for name, value in fields.items():
        if name.startswith("line"):
            number, _, field = name.removeprefix("line").partition("_")
            name = f"lines-{number}-{field}"
        sent[name] = value
    return sent


@pytest.mark.parametrize("how", ["ref", "external_id", "email", "phone"])
def test_a_purchase_is_recorded_for_whoever_is_named(client_for, stan, settings, how):
    settings.KEEPWELL_TIMEZONE = "Europe/Moscow"
    customer = make_customer(external_id="C-1", email="a@example.com", phone="+79123456789")
    make_product(sku="tea", price=Decimal("3.5"))
    make_location(code="north")
    named = {
        "ref": customer.ref,
        "external_id": "C-1",
        "email": "A@example.com",
        "phone": "8 912 345 67 89",
    }
    sent = sale(customer=named[how], location="north", line0_sku="tea", line0_quantity="1,5")
    answer = client_for(stan).post(NEW, sent)
    order = Order.objects.get()
    assert answer["Location"] == f"/orders/{order.ref}/"
    assert order.customer == customer
    assert (order.amount, order.entry, order.location.code) == (Decimal("5.25"), "live", "north")
    assert order.ordered_at.isoformat() == "2026-03-02T09:00:00+00:00"


def test_one_amount_and_nobody_is_a_purchase(client_for, stan):
    client_for(stan).post(NEW, sale(amount="99.90"))
    order = Order.objects.get()
    assert (order.amount, order.customer) == (Decimal("99.90"), None)


def test_a_customer_meant_by_two_is_asked_for_again(client_for, stan):
    make_customer(email="family@example.com")
    make_customer(email="family@example.com")
    answer = client_for(stan).post(NEW, sale(customer="family@example.com", amount="5"))
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["customer"]
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"amount": "-1"},
        {"amount": "NaN"},
        {"amount": "1e5"},
        {"amount": "５"},
        {"amount": "1.00001"},
        {"amount": "5", "customer": "nobody"},
        {"amount": "5", "customer": "a\x00"},
        {"amount": "5", "ordered_at": ""},
        {"amount": "5", "ordered_at": "2199-01-01T00:00"},
        {"amount": "5", "ordered_at": "1066-10-14T09:00"},
        {"amount": "5", "ordered_at": "2026-13-01T00:00"},
        {"amount": "5", "location": "nowhere"},
        {"line0_sku": "unknown"},
        {"line0_sku": "priceless"},
        {"line0_sku": "tea", "line0_quantity": "-1"},
        {"line0_sku": "tea", "line0_unit_price": "NaN"},
        {"line0_quantity": "2"},
        {"lines-TOTAL_FORMS": "x", "amount": "5"},
        {"lines-TOTAL_FORMS": "99999999", "line0_sku": "unknown"},
    ],
)
def test_rubbish_is_refused_and_writes_nothing(client_for, stan, fields):
    make_product(sku="tea", price=Decimal(3))
    make_product(sku="priceless")
    sent = sale(**{k: v for k, v in fields.items() if "-" not in k})
    sent |= {k: v for k, v in fields.items() if "-" in k}
    answer = client_for(stan).post(NEW, sent)
    assert answer.status_code == 422
    assert not Order.objects.exists()


def test_the_form_starts_with_the_customer_it_was_opened_for(client_for, stan):
    customer = make_customer()
    answer = client_for(stan).get(NEW, {"customer": customer.ref})
    assert answer.context["form"]["customer"].value() == customer.ref


def test_lines_are_shown_with_their_total(client_for, ana):
    tea = make_product(sku="tea", name="Green tea")
    order = make_order(
        customer=make_customer(name="Anna"),
        lines=[NewLine(product_id=tea.pk, quantity=Decimal(2), unit_price=Decimal("3.5"))],
    )
    text = client_for(ana).get(f"/orders/{order.ref}/").content.decode()
    assert "Green tea" in text
    assert "7.00" in text
    assert "Cancel purchase" not in text


def test_a_purchase_is_delivered_then_cancelled_and_its_past_is_kept(client_for, stan):
    order = make_order(status="placed", ordered_at=NOON)
    browser = client_for(stan)
    browser.post(f"/orders/{order.ref}/status/", {"status": "delivered"})
    browser.post(f"/orders/{order.ref}/status/", {"status": "cancelled"})
    order.refresh_from_db()
    assert (order.status, order.delivered_at) == ("cancelled", None)
    assert [row.status for row in OrderVersion.objects.order_by("id")] == ["placed", "delivered"]
    assert browser.get(f"/orders/{order.ref}/").context["may_write"] is False


def test_an_unknown_status_changes_nothing(client_for, stan):
    order = make_order()
    client_for(stan).post(f"/orders/{order.ref}/status/", {"status": "stolen"})
    order.refresh_from_db()
    assert order.status == "delivered"
    assert not OrderVersion.objects.exists()


def test_the_list_is_newest_first_and_filtered(client_for, stan):
    shop = make_location(code="north")
    old = make_order(ordered_at=NOON - timedelta(days=1), location_id=shop.pk)
    new = make_order(ordered_at=NOON, status="placed")
    browser = client_for(stan)

    def orders(**query):
        return browser.get("/orders/", query).context["orders"]

    assert orders() == [new, old]
    assert orders(shop="north") == [old]
    assert orders(status="placed") == [new]
    assert orders(status="nonsense") == [new, old]


def test_the_pages_cost_the_same_for_many(client_for, stan, django_assert_max_num_queries):
    products = [make_product() for _number in range(6)]
    for _number in range(8):
        lines = [
            NewLine(product_id=product.pk, quantity=Decimal(1), unit_price=Decimal(1))
            for product in products
        ]
        order = make_order(customer=make_customer(), location_id=make_location().pk, lines=lines)
    browser = client_for(stan)
    for url in ("/orders/", f"/orders/{order.ref}/", NEW):
        with django_assert_max_num_queries(7):
            assert browser.get(url).status_code == 200


def test_the_form_proposes_the_present_local_time(client_for, stan, settings, clock):
    settings.KEEPWELL_TIMEZONE = "Asia/Yekaterinburg"
    assert now() == NOON
    answer = client_for(stan).get(NEW)
    assert answer.context["form"]["ordered_at"].value() == "2026-03-02T17:00"
