"""Products and shops."""

from decimal import Decimal

import pytest

from crm.models import Location, Product
from tests.cast import make_location, make_product

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_staff_record_and_change_a_product(client_for, stan):
    browser = client_for(stan)
    make_product(sku="gift")
    sent = {
        "sku": "tea",
        "name": "Tea",
        "kind": "front_end",
        "price": "3,50",
        "currency": "eur",
        "special_offer": "gift",
        "consumption_days": "30",
    }
    assert browser.post("/products/new/", sent).status_code == 302
    tea = Product.objects.get(sku="tea")
    assert (tea.price, tea.currency, tea.special_offer.sku) == (Decimal("3.50"), "EUR", "gift")
    form = browser.get(f"/products/{tea.ref}/edit/").context["form"]
    sent = {name: form[name].value() for name in form.fields} | {"price": ""}
    sent = {name: "" if value is None else value for name, value in sent.items()}
    assert browser.post(f"/products/{tea.ref}/edit/", sent).status_code == 302
    tea.refresh_from_db()
    assert (tea.price, tea.name, tea.special_offer.sku) == (None, "Tea", "gift")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", ""),
        ("sku", "taken"),
        ("price", "-1"),
        ("price", "Infinity"),
        ("currency", "E1"),
        ("special_offer", "unknown"),
        ("consumption_days", "0"),
        ("consumption_days", "1e9"),
    ],
)
def test_rubbish_is_an_error_of_its_field(client_for, stan, field, value):
    make_product(sku="taken")
    sent = {"sku": "new", "kind": "other", "currency": "EUR"} | {field: value}
    answer = client_for(stan).post("/products/new/", sent)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert Product.objects.count() == 1


def test_products_are_found_by_sku_and_name(client_for, ana):
    tea, cup = make_product(sku="T-1", name="Green tea"), make_product(sku="C-1", name="Cup")
    Product.objects.filter(pk=tea.pk).update(kind="core")
    browser = client_for(ana)

    def found(**query):
        return browser.get("/products/", query).context["products"]

    assert found() == [cup, tea]
    assert found(text="green") == [tea]
    assert found(text="c-1") == [cup]
    assert found(kind="core") == [tea]
    assert found(text="%") == []


def test_managers_record_and_rename_a_shop(client_for, mara):
    browser = client_for(mara)
    sent = {"code": "north/1", "name": "North", "timezone": "Asia/Yekaterinburg"}
    assert browser.post("/locations/new/", sent).status_code == 302
    url = "/locations/edit/north/1/"
    assert browser.post(url, {"code": "other", "name": "North Pole"}).status_code == 302
    shop = Location.objects.get()
    assert (shop.code, shop.name, shop.timezone) == ("north/1", "North Pole", "")


def test_staff_look_at_shops_but_do_not_change_them(client_for, stan):
    make_location(code="north", name="North")
    browser = client_for(stan)
    assert "North" in browser.get("/locations/").content.decode()
    assert browser.post("/locations/edit/north/", {"name": "X"}).status_code == 403
    assert Location.objects.get().name == "North"


def test_a_shop_code_in_use_is_an_error_of_its_field(client_for, mara):
    make_location(code="north")
    answer = client_for(mara).post("/locations/new/", {"code": "north", "name": "Other"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["code"]
    assert Location.objects.count() == 1


@pytest.mark.parametrize("path", ["/locations/edit/%07/", "/locations/edit/nowhere/"])
def test_a_shop_nobody_knows_answers_404(client_for, mara, path):
    assert client_for(mara).get(path).status_code == 404
