from decimal import Decimal

import pytest

from crm.models import Location, Product
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db


def test_it_records_shops(imported):
    text = "code,name,timezone\ns1,Centre,Asia/Shanghai\ns2,North,\ns3,,\ns4,West,Mars/Base\n"

    outcome = imported("locations", text)

    assert counts(outcome) == (2, 0, 0, 2)
    assert list(Location.objects.order_by("code").values_list("code", "name", "timezone")) == [
        ("s1", "Centre", "Asia/Shanghai"),
        ("s2", "North", ""),
    ]
    assert counts(imported("locations", text)) == (0, 0, 2, 2)


def test_it_records_products(imported, settings):
    settings.KEEPWELL_CURRENCY = "EUR"
    text = "sku,name,category,kind,price,cost,currency,consumption_days\n"
    text += "A,Tea,Drinks,CORE,1.2345,1,usd,30\nB,,,,,,,\n"

    outcome = imported("products", text)

    assert counts(outcome) == (2, 0, 0, 0)
    tea = Product.objects.get(sku="A")
    assert (tea.name, tea.category, tea.kind, tea.currency) == ("Tea", "Drinks", "core", "USD")
    assert (tea.price, tea.cost, tea.consumption_days) == (Decimal("1.2345"), Decimal(1), 30)
    bare = Product.objects.get(sku="B")
    assert (bare.kind, bare.currency, bare.price, bare.name) == ("other", "EUR", None, "")
    assert len(tea.ref) == 12


def test_a_special_offer_may_stand_further_down_the_file(imported):
    text = "sku,special_offer_sku\nA,C\nB,A\nC,\n"

    assert counts(imported("products", text)) == (3, 0, 0, 0)

    offers = dict(Product.objects.values_list("sku", "special_offer__sku"))
    assert offers == {"A": "C", "B": "A", "C": None}
    assert counts(imported("products", text)) == (0, 0, 3, 0)
    assert counts(imported("products", "sku,special_offer_sku\nA,B\n")) == (0, 1, 0, 0)
    assert Product.objects.get(sku="A").special_offer.sku == "B"


def test_an_unknown_special_offer_is_refused_with_what_depends_on_it(imported):
    outcome = imported("products", "sku,special_offer_sku\nA,B\nB,NOPE\nC,\n")

    assert counts(outcome) == (1, 0, 0, 2)
    assert list(Product.objects.values_list("sku", flat=True)) == ["C"]


def test_a_changed_price_updates_only_that(imported):
    imported("products", "sku,name,price\nA,Tea,1\nB,Milk,2\n")

    assert counts(imported("products", "sku,price\nA,1.5\nB,2\n")) == (0, 1, 1, 0)
    assert list(Product.objects.order_by("sku").values_list("name", "price")) == [
        ("Tea", Decimal("1.5")),
        ("Milk", Decimal(2)),
    ]
