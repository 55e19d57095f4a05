"""``/api/v1/orders/``: purchases come in as they happen."""

import json
from decimal import Decimal

import pytest

from common.models import Event
from crm.models import Order, OrderLine, OrderVersion
from tests.cast import NOON, make_customer, make_location, make_order, make_product

URL = "/api/v1/orders/"

pytestmark = pytest.mark.django_db


def fields_named(answer):
    """The fields a problem names; ``lines.0.sku`` is about ``lines``."""
    return {name.partition(".")[0] for name in answer.json().get("errors", {})}


def test_it_records_a_purchase_with_lines(api_client, settings):
    settings.KEEPWELL_CURRENCY = "EUR"
    customer = make_customer(external_id="C-1")
    make_location(code="north")
    make_product(sku="tea", name="Tea", price=Decimal("3.50"), cost=Decimal("1.25"))
    make_product(sku="cup", name="Cup")
    sent = {
        "external_id": "O-1",
        "customer": "C-1",
        "ordered_at": "2026-03-02T12:00:00Z",
        "location": "north",
        "channel": "till",
        "lines": [
            {"sku": "tea", "quantity": "2"},
            {"sku": "cup", "unit_price": "9.99", "discount": "1", "unit_cost": "4"},
        ],
    }
    answer = api_client("staff").post(URL, sent, format="json")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert told["lines"] == [
        {
            "sku": "tea",
            "name": "Tea",
            "quantity": "2.00",
            "unit_price": "3.50",
            "discount": "0.00",
            "unit_cost": "1.25",
            "amount": "7.00",
        },
        {
            "sku": "cup",
            "name": "Cup",
            "quantity": "1.00",
            "unit_price": "9.99",
            "discount": "1.00",
            "unit_cost": "4.00",
            "amount": "8.99",
        },
    ]
    ref, *_times = (told.pop(name) for name in ("ref", "recorded_at", "revised_at", "lines"))
    assert told == {
        "external_id": "O-1",
        "customer": customer.ref,
        "customer_external_id": "C-1",
        "location": "north",
        "channel": "till",
        "status": "delivered",
        "entry": "live",
        "ordered_at": "2026-03-02T12:00:00Z",
        "delivered_at": "2026-03-02T12:00:00Z",
        "amount": "15.99",
        "cost": "6.50",
        "refunded": "0.00",
        "currency": "EUR",
    }
    assert answer["Location"] == f"{URL}{ref}/"


def test_an_amount_without_lines_and_without_a_customer_is_a_purchase(api_client):
    answer = api_client().post(URL, {"amount": "0"}, format="json")
    assert answer.status_code == 201
    assert answer.json()["amount"] == "0.00"
    assert answer.json()["customer"] is None


def test_the_same_order_id_is_refused_the_second_time(api_client):
    api = api_client()
    api.post(URL, {"external_id": "O-1", "amount": "5"}, format="json")
    answer = api.post(URL, {"external_id": "O-1", "amount": "6"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "order_id_taken")
    assert Order.objects.get().amount == 5


def test_a_retried_purchase_is_recorded_once(api_client):
    api = api_client()
    answers = [
        api.post(URL, {"amount": "5"}, format="json", headers={"Idempotency-Key": "sale-1"})
        for _again in range(3)
    ]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["ref"] for answer in answers}) == 1
    assert Order.objects.count() == 1


def test_delivery_keeps_the_state_before(api_client):
    order = make_order(customer=make_customer(), status="placed", ordered_at=NOON)
    answer = api_client("staff").patch(
        f"{URL}{order.ref}/",
        {"status": "delivered", "delivered_at": "2026-03-03T09:00:00Z"},
        format="json",
    )
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["delivered_at"]) == ("delivered", "2026-03-03T09:00:00Z")
    before = OrderVersion.objects.get(order=order)
    assert (before.status, before.delivered_at) == ("placed", None)


def test_a_cancelled_purchase_stays_cancelled(api_client):
    program = api_client("staff")
    order = make_order(amount=10)
    url = f"/api/v1/orders/{order.ref}/"
    assert program.patch(url, {"status": "cancelled"}, format="json").status_code == 200

    answer = program.patch(url, {"status": "delivered"}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (409, "order_cancelled")
    order.refresh_from_db()
    assert order.status == "cancelled"
    assert order.versions.count() == 1


def test_a_delivery_before_the_order_is_refused(api_client):
    order = make_order(status="placed", ordered_at=NOON)
    answer = api_client().patch(
        f"{URL}{order.ref}/",
        {"status": "delivered", "delivered_at": "2026-03-02T11:59:59Z"},
        format="json",
    )
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["delivered_at"]
    order.refresh_from_db()
    assert order.status == "placed"
    assert not OrderVersion.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, None),
        ({"lines": []}, None),
        ({"amount": "-1"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1e5"}, "amount"),
        ({"amount": [1]}, "amount"),
        ({"amount": "5", "customer": "nobody"}, "customer"),
        ({"amount": "5", "customer": "a\x00"}, "customer"),
        ({"amount": "5", "custmer": "C-1"}, "custmer"),
        ({"amount": "5", "location": "nowhere"}, "location"),
        ({"amount": "5", "currency": "EURO"}, "currency"),
        ({"amount": "5", "currency": "ЕВР"}, "currency"),
        ({"amount": "5", "ordered_at": "2150-01-01"}, "ordered_at"),
        ({"amount": "5", "ordered_at": "0020-01-01"}, "ordered_at"),
        ({"amount": "5", "ordered_at": {}}, "ordered_at"),
        ({"amount": "5", "status": "lost"}, "status"),
        ({"amount": "5", "entry": "history"}, "entry"),
        ({"amount": "5", "lines": [{"sku": "tea"}]}, "amount"),
        ({"lines": [{"sku": "unknown"}]}, "lines"),
        ({"lines": [{"sku": "priceless"}]}, "lines"),
        ({"lines": [{"sku": "tea", "quantity": "-1"}]}, "lines"),
        ({"lines": [{"sku": "tea", "quantity": "1.00001"}]}, "lines"),
        ({"lines": [{"sku": "tea", "unit_price": "-1"}]}, "lines"),
        ({"lines": [{"quantity": 1}]}, "lines"),
        ({"lines": [7]}, "lines"),
        ({"lines": {}}, "lines"),
        ({"lines": [{"sku": "tea"}] * 501}, "lines"),
    ],
)
def test_rubbish_is_a_field_error_and_writes_nothing(api_client, body, field):
    make_product(sku="tea", price=Decimal(3))
    make_product(sku="priceless")
    answer = api_client().post(URL, json.dumps(body), content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert fields_named(answer) == ({field} if field else set())
    assert not Order.objects.exists()
    assert not OrderLine.objects.exists()
    assert not Event.objects.filter(kind="order.recorded").exists()


def test_filters_narrow_the_list(api_client):
    customer = make_customer(external_id="C-1")
    theirs = make_order(customer=customer, ordered_at=NOON, external_id="O-1")
    nobodys = make_order(status="placed")
    api = api_client("analyst")

    def refs(**filters):
        return [row["ref"] for row in api.get(URL, filters).json()["results"]]

    assert refs() == [nobodys.ref, theirs.ref]
    assert refs(customer="C-1") == [theirs.ref]
    assert refs(customer=customer.ref) == [theirs.ref]
    assert refs(customer="nobody") == []
    assert refs(external_id="O-1") == [theirs.ref]
    assert refs(status="placed") == [nobodys.ref]
    assert refs(ordered_until="2026-03-02T12:00:01Z") == [theirs.ref]
    assert refs(ordering="ordered_at") == [theirs.ref, nobodys.ref]


def test_those_who_only_read_cannot_sell(api_client):
    assert api_client("analyst").post(URL, {"amount": "5"}, format="json").status_code == 403
    assert api_client(None).post(URL, {"amount": "5"}, format="json").status_code == 401
    assert not Order.objects.exists()


def test_a_page_costs_the_same_for_many_orders(api_client, django_assert_max_num_queries):
    for _number in range(6):
        make_order(customer=make_customer(), location_id=make_location().pk)
    api = api_client()
    with django_assert_max_num_queries(4):
        assert len(api.get(URL).json()["results"]) == 6


@pytest.mark.parametrize(
    "lines",
    [
        [{"quantity": "99999999999", "unit_price": "99999999999"}],
        [{"quantity": "1", "unit_price": "99999999999"}] * 2,
        [{"quantity": "99999999999", "unit_price": "0", "unit_cost": "99999999999"}],
    ],
    ids=["one line", "their sum", "the cost"],
)
def test_it_refuses_amounts_larger_than_it_can_add_up(api_client, lines):
    make_product(sku="tea")
    sent = {"lines": [{"sku": "tea"} | line for line in lines]}
    answer = api_client("staff").post(URL, sent, format="json")
    assert answer.status_code == 400
    assert fields_named(answer) <= {"lines", "cost"}
    assert not Order.objects.exists()
