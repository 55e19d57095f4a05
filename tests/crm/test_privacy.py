"""What crm keeps about a customer is exported, and erased down to an anonymous shell."""

from datetime import date

import pytest

from common.models import ChangeDetail, Event
from common.registry import personal_data
from crm.models import ContactPoint, Customer, SearchTerm
from crm.services import update_customer
from tests.cast import NOON, make_customer, make_order

pytestmark = pytest.mark.django_db

OF_CRM = [
    "crm.Customer",
    "crm.ContactPoint",
    "crm.SearchTerm",
    "crm.CustomerTag",
    "common.ChangeDetail",
]


@pytest.fixture
def anna():
    customer = make_customer(
        name="Anna Petrova",
        external_id="C-1",
        email="anna@example.com",
        phone="+79123456789",
        country="RU",
        city="Perm",
        industry="Tea",
        source="fair",
        birth_date=date(1990, 2, 28),
        tags=["vip"],
        happened_at=NOON,
    )
    update_customer(customer_id=customer.pk, happened_at=NOON, actor="system", city="Omsk")
    make_order(customer=customer, amount=7)
    return customer


def test_the_export_holds_what_is_known(anna):
    def exported(model):
        return personal_data[model].export([anna.pk])

    assert exported("crm.Customer")[0]["name"] == "Anna Petrova"
    assert [row["value"] for row in exported("crm.ContactPoint")] == [
        "anna@example.com",
        "+79123456789",
    ]
    assert exported("crm.CustomerTag") == [{"tag__name": "vip"}]
    assert exported("common.ChangeDetail")[0]["content"] == {"city": ["Perm", "Omsk"]}
    assert exported("crm.Order")[0]["amount"] == "7.00"


def test_erasure_leaves_an_anonymous_shell(anna):
    stranger = make_customer(name="Boris", email="boris@example.com")
    for model in OF_CRM:
        personal_data[model].erase([anna.pk])
    anna.refresh_from_db()
    assert (anna.name, anna.external_id, anna.city, anna.birth_date) == ("", None, "", None)
    assert (anna.country, anna.source, anna.industry) == ("RU", "fair", "Tea")
    assert anna.erased_at is not None
    assert set(ContactPoint.objects.values_list("customer", flat=True)) == {stranger.pk}
    assert set(SearchTerm.objects.values_list("customer", flat=True)) == {stranger.pk}
    assert not ChangeDetail.objects.exists()
    assert Event.objects.filter(customer_id=anna.pk, kind="customer.changed").exists()
    assert Customer.objects.get(pk=stranger.pk).name == "Boris"


def test_nothing_personal_is_left_in_the_event_log(anna):
    for event in Event.objects.all():
        text = f"{event.codes} {event.subject_ref}"
        for word in ("Anna", "anna", "Perm", "Omsk", "7912"):
            assert word not in text
