"""``/api/v1/products/``, ``/api/v1/locations/`` and ``/api/v1/events/``."""

import pytest

from common.models import Event
from crm.models import Location, Product
from tests.cast import make_customer, make_location, make_order, make_product

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_it_records_and_changes_a_product(api_client):
    make_product(sku="gift")
    api = api_client("manager")
    sent = {
        "sku": "tea",
        "name": "Tea",
        "category": "Drinks",
        "kind": "front_end",
        "price": "3.5",
        "currency": "eur",
        "special_offer_sku": "gift",
        "consumption_days": 30,
    }
    answer = api.post("/api/v1/products/", sent, format="json")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert told | sent | {"price": "3.50", "currency": "EUR"} == told
    answer = api.patch(
        f"/api/v1/products/{told['ref']}/", {"price": None, "kind": "core"}, format="json"
    )
    assert answer.json() == told | {"price": None, "kind": "core"}
    changed = Event.objects.get(kind="product.changed")
    assert changed.codes == {"fields": ["kind", "price"]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "sku"),
        ({"sku": ""}, "sku"),
        ({"sku": "x" * 65}, "sku"),
        ({"sku": "new", "price": "-0.01"}, "price"),
        ({"sku": "new", "kind": "free"}, "kind"),
        ({"sku": "new", "currency": "€"}, "currency"),
        ({"sku": "new", "consumption_days": 0}, "consumption_days"),
        ({"sku": "new", "consumption_days": 10**9}, "consumption_days"),
        ({"sku": "new", "special_offer_sku": "unknown"}, "special_offer_sku"),
        ({"sku": "new", "colour": "red"}, "colour"),
    ],
)
def test_rubbish_is_a_field_error_and_writes_nothing(api_client, body, field):
    answer = api_client().post("/api/v1/products/", body, format="json")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not Product.objects.exists()


def test_two_products_cannot_share_a_sku(api_client):
    make_product(sku="tea", name="First")
    other = make_product(sku="cup")
    api = api_client()
    posted = api.post("/api/v1/products/", {"sku": "tea"}, format="json")
    patched = api.patch(f"/api/v1/products/{other.ref}/", {"sku": "tea"}, format="json")
    assert (posted.status_code, patched.status_code) == (409, 409)
    other.refresh_from_db()
    assert other.sku == "cup"


def test_managers_record_shops_and_staff_read_them(api_client):
    sent = {"code": "north", "name": "North", "timezone": "Asia/Yekaterinburg"}
    assert api_client("staff").post("/api/v1/locations/", sent, format="json").status_code == 403
    assert api_client("manager").post("/api/v1/locations/", sent, format="json").status_code == 201
    told = api_client("staff").get("/api/v1/locations/").json()["results"]
    assert [{name: row[name] for name in sent} for row in told] == [sent]


def test_a_shop_in_no_timezone_is_refused(api_client):
    sent = {"code": "north", "timezone": "Mars/Olympus"}
    assert api_client().post("/api/v1/locations/", sent, format="json").status_code == 400
    assert not Location.objects.exists()


def test_the_event_log_tells_of_customers_by_ref(api_client):
    customer = make_customer(external_id="C-1")
    make_order(customer=customer, amount=7)
    make_location()
    api = api_client("analyst")
    told = api.get("/api/v1/events/", {"customer": "C-1"}).json()["results"]
    assert [row["kind"] for row in told] == ["order.recorded", "customer.recorded"]
    assert {row["customer"] for row in told} == {customer.ref}
    assert told[0]["codes"]["amount"] == "7"
    everything = api.get("/api/v1/events/").json()["results"]
    assert "location.recorded" in [row["kind"] for row in everything]
    assert api.get("/api/v1/events/", {"kind": "order.recorded"}).json()["results"] == told[:1]


def test_nobody_writes_the_event_log(api_client):
    assert api_client().post("/api/v1/events/", {"kind": "x"}, format="json").status_code == 403
    assert not Event.objects.filter(kind="x").exists()
