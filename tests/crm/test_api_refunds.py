"""``/api/v1/refunds/``, and the pages that give money back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crm.models import Order, Refund
from crm.selectors.refunds import refunded_amount
from crm.services import NewLine
from tests.cast import NOON, make_customer, make_location, make_order, make_product

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
URL = "/api/v1/refunds/"


@pytest.fixture
def order(db: None) -> Order:
    """Two teas at 5 and a cup at 9 for Anna: 19."""
    lines = [
        NewLine(make_product(sku="tea", name="Tea").pk, Decimal(2), Decimal(5)),
        NewLine(make_product(sku="cup").pk, Decimal(1), Decimal(9)),
    ]
    customer = make_customer(name="Anna", external_id="C-1")
    return make_order(customer=customer, lines=lines, ordered_at=NOON, external_id="O-1")


def test_programs_give_back_a_line_an_amount_and_the_rest(api_client: Any, order: Order) -> None:
    api = api_client("staff")
    body = {
        "external_id": "R-1",
        "order": "O-1",
        "sku": "tea",
        "quantity": "1",
        "reason": "Torn",
        "refunded_at": "2026-03-03T12:00:00Z",
    }
    first = api.post(URL, body, format="json", headers={"Idempotency-Key": "k"})
    assert first.status_code == 201, first.content
    told = first.json()
    ref = told.pop("ref")
    told.pop("recorded_at")
    assert told == {
        "external_id": "R-1",
        "order": order.ref,
        "order_external_id": "O-1",
        "customer": order.customer.ref,
        "sku": "tea",
        "occurrence": 1,
        "quantity": "1.00",
        "amount": "5.00",
        "currency": order.currency,
        "reason": "Torn",
        "replaces": None,
        "replaced_by": None,
        "is_in_force": True,
        "is_simulated": False,
        "refunded_at": "2026-03-03T12:00:00Z",
    }
    assert first["Location"] == f"{URL}{ref}/"
    assert api.post(URL, body, format="json", headers={"Idempotency-Key": "k"}).json()["ref"] == ref
    assert api.post(URL, {"order": "O-1", "amount": "4"}, format="json").status_code == 201
    assert api.post(URL, {"order": "O-1"}, format="json").json()["amount"] == "10.00"
    refused = api.post(URL, {"order": "O-1", "amount": "0.01"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_refund")
    assert api.get("/api/v1/orders/O-1/").json()["refunded"] == "19.00"
    assert api_client("analyst").get(f"{URL}{ref}/").json()["reason"] is None


def test_a_correction_is_a_new_row(api_client: Any, order: Order) -> None:
    api = api_client("staff")
    made = api.post(URL, {"order": "O-1", "amount": "4", "external_id": "R-1"}, format="json")
    answer = api.patch(f"{URL}R-1/", {"amount": "0"}, format="json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["replaces"] == made.json()["ref"]
    assert answer.json()["is_in_force"] is False
    assert refunded_amount(order.pk) == 0

    def amounts(**filters: Any) -> list[str]:
        return [row["amount"] for row in api.get(URL, filters).json()["results"]]

    assert sorted(amounts(order="O-1")) == ["0.00", "4.00"]
    assert amounts(in_force="true") == []
    assert sorted(amounts(customer="C-1", in_force="false")) == ["0.00", "4.00"]
    assert amounts(order="nobody") == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"order": "unknown"},
        {"order": "O-1", "amount": "-1"},
        {"order": "O-1", "amount": "0"},
        {"order": "O-1", "quantity": "1"},
        {"order": "O-1", "sku": "unknown"},
        {"order": "O-1", "sku": "tea", "occurrence": 2},
        {"order": "O-1", "amount": "1", "refunded_at": "2026-03-01T12:00:00Z"},
        {"order": "O-1", "amount": "1", "refunded_at": "2199-01-01"},
        {"order": "O-1", "amuont": "1"},
    ],
)
def test_rubbish_is_a_field_error_and_writes_nothing(
    api_client: Any, order: Order, body: dict[str, Any]
) -> None:
    answer = api_client("staff").post(URL, body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert not Refund.objects.exists()


def test_staff_give_money_back_in_the_page_and_see_it_everywhere(
    client_for: Any, stan: Any, ana: Any, order: Order
) -> None:
    browser, page = client_for(stan), f"/orders/{order.ref}/refund/"
    tea = order.lines.get(product__sku="tea")
    assert browser.get(page).status_code == 200
    base = {"refunded_at": "2026-03-03T12:00", "reason": "Torn box"}
    for bad in (
        {"how": "amount"},
        {"how": "amount", "amount": "20"},
        {"how": "lines"},
        {"how": "lines", f"quantity_{tea.pk}": "3"},
        {"how": "rest", "refunded_at": "2199-01-01T00:00"},
        {"how": "everything"},
    ):
        assert browser.post(page, base | bad).status_code == 422, bad
    assert not Refund.objects.exists()

    browser.post(page, base | {"how": "lines", f"quantity_{tea.pk}": "1"})

    refund = Refund.objects.get()
    assert (refund.amount, refund.line) == (5, tea)
    for url in (f"/orders/{order.ref}/", "/orders/", f"/customers/{order.customer.ref}/orders/"):
        assert "5.00" in browser.get(url).text, url
    assert "Torn box" in browser.get("/refunds/").text
    assert "Torn box" not in client_for(ana).get("/refunds/").text
    assert "Torn box" not in client_for(ana).get(f"/orders/{order.ref}/").text

    correct = f"/refunds/{refund.ref}/correct/"
    sent = {"amount": "4", "refunded_at": "2026-03-03T12:00", "reason": "Torn box"}
    browser.post(correct, sent)
    assert browser.post(correct, sent | {"amount": "3"}).status_code == 422  # the latest counts
    assert refunded_amount(order.pk) == 4
    assert [row.amount for row in browser.get("/refunds/").context["refunds"]] == [4]


def test_the_list_is_filtered_by_shop_and_costs_the_same_for_many(
    client_for: Any, stan: Any, django_assert_max_num_queries: Any
) -> None:
    from crm.services.refunds import record_refund

    shops = [make_location(code=f"shop-{n}") for n in range(2)]
    for number in range(6):
        made = make_order(
            customer=make_customer(), location_id=shops[number % 2].pk, ordered_at=NOON
        )
        record_refund(
            order_id=made.pk, refunded_at=NOON, happened_at=NOON, actor="system", reason="x"
        )
    browser = client_for(stan)
    with django_assert_max_num_queries(12):
        assert len(browser.get("/refunds/").context["refunds"]) == 6
    assert len(browser.get("/refunds/", {"shop": "shop-1"}).context["refunds"]) == 3


def test_shops_are_read_renamed_and_filtered_by_programs(api_client: Any) -> None:
    make_location(code="no/rth 1", name="North")
    make_location(code="south", name="South")
    api = api_client("manager")
    url = "/api/v1/locations/no/rth 1/"
    answer = api.patch(url, {"timezone": "Asia/Shanghai"}, format="json")
    assert answer.status_code == 200, answer.content
    assert (answer.json()["name"], answer.json()["timezone"]) == ("North", "Asia/Shanghai")
    assert api.patch(url, {"code": "x"}, format="json").status_code == 400
    found = api.get("/api/v1/locations/", {"name": "ort", "ordering": "name"}).json()["results"]
    assert [one["code"] for one in found] == ["no/rth 1"]
    assert api_client("staff").patch(url, {"name": "x"}, format="json").status_code == 403
