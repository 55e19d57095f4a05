"""What a known record takes from a file: every filled cell, only where it is empty, or nothing."""

from decimal import Decimal

import pytest

from crm.imports.mapping import Mapping
from crm.models import ConsentEvent, Customer, Location, Product
from crm.selectors.custom_fields import custom_values_of
from crm.services.custom_fields import record_custom_field
from tests.cast import ACTOR, NOON
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db

OLD = (
    "external_id,name,city,email,phone,tags,marketing_consent,skin,shoe\n"
    "1,Ann,,old@x.org,,vip,yes,dry,\n"
)
NEW = (
    "external_id,name,city,email,phone,tags,marketing_consent,skin,shoe\n"
    "1,Anna,Perm,new@x.org,+79123456789,loud,no,oily,41.5\n"
    "2,Bob,Omsk,b@x.org,,,,,\n"
)


@pytest.fixture(autouse=True)
def _fields(db):
    for key, kind in {"skin": "text", "shoe": "number"}.items():
        record_custom_field(key=key, label=key, kind=kind, happened_at=NOON, actor=ACTOR)


def held():
    """Everything a file may change of the known customer."""
    customer = Customer.objects.get(external_id="1")
    own = {one.field.key: one.value for one in custom_values_of([customer.pk])}
    primary = customer.contact_points.filter(is_primary=True).values_list("value", flat=True)
    last = ConsentEvent.objects.filter(customer=customer, purpose="marketing").latest("pk")
    return {
        "name": customer.name,
        "city": customer.city,
        "addresses": set(primary),
        "tags": set(customer.tags.values_list("tag__name", flat=True)),
        "consent": last.is_granted,
        **own,
    }


BEFORE = {
    "name": "Ann",
    "city": "",
    "addresses": {"old@x.org"},
    "tags": {"vip"},
    "consent": True,
    "skin": "dry",
}
FILLED = {
    "name": "Anna",
    "city": "Perm",
    "addresses": {"new@x.org", "+79123456789"},
    "tags": {"vip", "loud"},
    "consent": False,
    "skin": "oily",
    "shoe": Decimal("41.5"),
}


@pytest.mark.parametrize(
    ("options", "expected", "done"),
    [
        ({}, FILLED, (1, 1, 0, 0)),
        (
            {"overwrite": "empty"},
            BEFORE
            | {
                "city": "Perm",
                "addresses": {"old@x.org", "+79123456789"},
                "shoe": Decimal("41.5"),
            },
            (1, 1, 0, 0),
        ),
        ({"overwrite": "nothing"}, BEFORE, (1, 0, 1, 0)),
        (
            {"kept": ("custom.skin", "email", "marketing_consent", "name", "tags")},
            BEFORE
            | {
                "city": "Perm",
                "addresses": {"old@x.org", "+79123456789"},
                "shoe": Decimal("41.5"),
            },
            (1, 1, 0, 0),
        ),
        ({"kept": ("city", "phone", "custom.shoe")}, FILLED, (1, 1, 0, 0)),  # nothing there yet
    ],
)
def test_a_known_customer_takes_what_the_mapping_lets(imported, options, expected, done):
    imported("customers", OLD)
    assert held() == BEFORE

    outcome = imported("customers", NEW, mapping=Mapping(**options))

    assert counts(outcome) == done
    assert held() == expected
    new = Customer.objects.get(external_id="2")  # new ones take everything
    assert (new.name, new.city, new.contact_points.count()) == ("Bob", "Omsk", 1)
    again = imported("customers", NEW, mapping=Mapping(**options))
    assert counts(again) == (0, 0, 2, 0)


@pytest.mark.parametrize(
    ("options", "name", "category", "price"),
    [
        ({}, "Soap", "care", 2),
        ({"overwrite": "empty"}, "Old", "care", 0),  # a price of nought is a price
        ({"overwrite": "nothing"}, "Old", "", 0),
        ({"kept": ("name",)}, "Old", "care", 2),
    ],
)
def test_a_known_product_takes_what_the_mapping_lets(imported, options, name, category, price):
    imported("products", "sku,name,price\nA,Old,0\n")

    text = "sku,name,category,price\nA,Soap,care,2\nB,New,care,3\n"
    imported("products", text, mapping=Mapping(**options))

    product = Product.objects.get(sku="A")
    assert (product.name, product.category, product.price) == (name, category, price)
    assert Product.objects.get(sku="B").name == "New"
    assert counts(imported("products", text, mapping=Mapping(**options))) == (0, 0, 2, 0)


def test_with_nothing_overwritten_new_products_still_get_their_offer(imported):
    imported("products", "sku,name\nA,Old\n")

    imported(
        "products",
        "sku,special_offer_sku\nA,B\nB,C\nC,A\n",
        mapping=Mapping(overwrite="nothing"),
    )

    offers = Product.objects.values_list("sku", "special_offer__sku")
    assert dict(offers) == {"A": None, "B": "C", "C": "A"}


def test_a_kept_offer_is_only_filled_in(imported):
    imported("products", "sku,special_offer_sku\nA,B\nB,\nC,\n")

    text = "sku,special_offer_sku\nA,C\nB,C\n"
    imported("products", text, mapping=Mapping(kept=("special_offer_sku",)))

    offers = Product.objects.values_list("sku", "special_offer__sku")
    assert dict(offers) == {"A": "B", "B": "C", "C": None}


def test_a_kept_shop_stays(imported):
    imported("locations", "code,name\nold,Old\nnew,New\n")
    imported("customers", "external_id,location\n1,old\n2,\n")

    text = "external_id,location\n1,new\n2,new\n"
    outcome = imported("customers", text, mapping=Mapping(kept=("location",)))

    assert counts(outcome) == (0, 1, 1, 0)
    shops = Customer.objects.values_list("external_id", "location__code")
    assert dict(shops) == {"1": "old", "2": "new"}


def test_a_known_shop_takes_what_the_mapping_lets(imported):
    imported("locations", "code,name,timezone\na,Old,\n")

    text = "code,name,timezone\na,New,Europe/Moscow\n"
    imported("locations", text, mapping=Mapping(overwrite="empty"))

    shop = Location.objects.get()
    assert (shop.name, shop.timezone) == ("Old", "Europe/Moscow")
