"""Fields of the business's own: defined, filled in everywhere, typed everywhere."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidInput
from common.models import Event
from crm.models import Customer, CustomField, CustomFieldValue
from crm.selectors.custom_fields import custom_values_of
from crm.services.custom_fields import (
    KeyTaken,
    change_custom_field,
    clean_value,
    record_custom_field,
    set_custom_values,
)
from tests.cast import ACTOR, NOON, make_customer

pytestmark = pytest.mark.django_db

HAPPENING = {"happened_at": NOON, "actor": ACTOR}
API = "/api/v1/customers/"


@pytest.fixture
def fields(db):
    """One of each kind."""
    kinds = {"skin": "text", "shoe": "number", "checked": "date", "pets": "boolean"}
    made = {
        key: record_custom_field(key=key, label=key.title(), kind=kind, **HAPPENING)
        for key, kind in kinds.items()
    }
    made["size"] = record_custom_field(
        key="size", label="Size", kind="choice", choices=["S", "M", "L"], **HAPPENING
    )
    return made


VALUES = {
    "skin": "dry",
    "shoe": "41.5",
    "checked": "2026-02-28",
    "pets": True,
    "size": "M",
}


def held(customer):
    return {own.field.key: own.value for own in custom_values_of([customer.pk])}


TYPED = {
    "skin": "dry",
    "shoe": Decimal("41.5"),
    "checked": date(2026, 2, 28),
    "pets": True,
    "size": "M",
}


# --- Defining -----------------------------------------------------------------------------------
def test_managers_define_them_in_the_product(client_for, mara):
    browser = client_for(mara)
    sent = {"label": "Size", "key": "size", "kind": "choice", "choices": "S\nM\n\nM\nL"}
    assert browser.post("/customers/fields/new/", sent).status_code == 302
    field = CustomField.objects.get()
    assert (field.label, field.kind, field.choices) == ("Size", "choice", ["S", "M", "L"])
    changed = {"label": "Shirt", "key": "other", "kind": "text", "choices": "M\nXL"}
    assert browser.post("/customers/fields/size/edit/", changed).status_code == 302
    field.refresh_from_db()
    assert (field.key, field.kind, field.label) == ("size", "choice", "Shirt")
    assert field.choices == ["M", "XL"]
    assert "Shirt" in browser.get("/customers/fields/").text


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        ({"key": "Größe"}, "key"),
        ({"key": "1st"}, "key"),
        ({"key": "taken"}, "key"),
        ({"kind": "blob"}, "kind"),
        ({"label": " "}, "label"),
        ({"kind": "choice", "choices": " \n "}, "choices"),
    ],
)
def test_what_can_not_be_defined_is_an_error_of_its_field(client_for, mara, sent, wrong):
    record_custom_field(key="taken", label="Taken", kind="text", **HAPPENING)
    sent = {"label": "Size", "key": "size", "kind": "number"} | sent
    answer = client_for(mara).post("/customers/fields/new/", sent)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [wrong]
    assert CustomField.objects.count() == 1


def test_an_archived_field_is_shown_nowhere_and_comes_back_with_its_values(
    client_for, mara, fields
):
    customer = make_customer()
    set_custom_values(customer_id=customer.pk, values={"skin": "dry"}, **HAPPENING)
    browser = client_for(mara)
    browser.post("/customers/fields/skin/archive/")
    assert held(customer) == {}
    assert "custom.skin" not in browser.get(f"/customers/{customer.ref}/edit/").text
    with pytest.raises(InvalidInput):
        set_custom_values(customer_id=customer.pk, values={"skin": "oily"}, **HAPPENING)
    with pytest.raises(KeyTaken):
        record_custom_field(key="skin", label="Again", kind="text", **HAPPENING)
    browser.post("/customers/fields/skin/archive/", {"restore": "1"})
    assert held(customer) == {"skin": "dry"}


# --- On the page --------------------------------------------------------------------------------
def test_staff_fill_them_in_on_the_form_and_see_them_on_the_page(client_for, stan, fields):
    browser = client_for(stan)
    sent = {"name": "Anna", "kind": "person"}
    sent |= {f"custom.{key}": value for key, value in VALUES.items()} | {"custom.pets": "yes"}
    answer = browser.post("/customers/new/", sent)
    assert answer.status_code == 302
    customer = Customer.objects.get()
    assert held(customer) == TYPED
    page = browser.get(f"/customers/{customer.ref}/details/").text
    assert "Checked" in page
    assert "41.5" in page
    form = browser.get(f"/customers/{customer.ref}/edit/").context["form"]
    again = {name: form[name].value() or "" for name in form.fields}
    events = Event.objects.count()
    browser.post(f"/customers/{customer.ref}/edit/", again)
    assert (held(customer), Event.objects.count()) == (TYPED, events)
    browser.post(f"/customers/{customer.ref}/edit/", again | {"custom.size": "", "custom.shoe": ""})
    assert held(customer).keys() == {"skin", "checked", "pets"}
    event = Event.objects.filter(kind="customer.changed").latest("pk")
    assert event.codes == {"fields": ["custom.shoe", "custom.size"]}
    assert event.detail.content["custom.size"] == ["M", None]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("shoe", text) for text in ("big", "NaN", "1e9", "1.23456")),
        *(("checked", text) for text in ("31.12.2026", "0001-01-01")),
        *(("size", "XXL"), ("pets", "perhaps"), ("skin", "a\x00b"), ("skin", "x" * 256)),
    ],
)
def test_rubbish_is_an_error_of_its_field_and_writes_nothing(client_for, stan, fields, key, value):
    sent = {"name": "Anna", "kind": "person", f"custom.{key}": value}
    answer = client_for(stan).post("/customers/new/", sent)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [f"custom.{key}"]
    assert not Customer.objects.exists()


def test_a_former_choice_stays_for_whom_it_was_chosen(client_for, stan, fields):
    customer = make_customer()
    set_custom_values(customer_id=customer.pk, values={"size": "S"}, **HAPPENING)
    change_custom_field(
        field_id=fields["size"].pk, label="Size", choices=["M", "L"], position=5, **HAPPENING
    )
    browser = client_for(stan)
    form = browser.get(f"/customers/{customer.ref}/edit/").context["form"]
    sent = {name: form[name].value() or "" for name in form.fields} | {"city": "Perm"}
    assert browser.post(f"/customers/{customer.ref}/edit/", sent).status_code == 302
    assert held(customer) == {"size": "S"}
    with pytest.raises(InvalidInput):
        set_custom_values(customer_id=make_customer().pk, values={"size": "S"}, **HAPPENING)


@given(number=st.decimals(-99999999999, 99999999999, places=4))
def test_any_number_of_four_decimals_is_kept_exactly(number):
    field = CustomField(key="n", label="N", kind="number")
    assert clean_value(field, str(number)) == number


# --- API ----------------------------------------------------------------------------------------
def test_the_api_reads_and_writes_typed_values(api_client, fields):
    api = api_client("staff")
    created = api.post(API, {"name": "Anna", "custom": VALUES}, format="json")
    assert created.status_code == 201, created.json()
    customer = Customer.objects.get()
    assert held(customer) == TYPED
    assert created.json()["custom"] == VALUES | {"shoe": "41.50"}
    url = f"{API}{customer.ref}/"
    told = api.patch(url, {"custom": {"size": None, "shoe": 42}}, format="json").json()
    assert told["custom"] == {"skin": "dry", "checked": "2026-02-28", "pets": True, "shoe": "42.00"}


@pytest.mark.parametrize(
    ("key", "value"),
    [("shoe", "big"), ("shoe", True), ("checked", 5), ("size", "XXL"), ("pets", "perhaps"),
     ("nothing", "x"), ("skin", ["x"]), ("skin", "a\x00")],
)  # fmt: skip
def test_the_api_refuses_a_value_of_another_kind(api_client, fields, key, value):
    customer = make_customer(name="Anna")
    sent = {"name": "Other", "custom": {key: value}}
    answer = api_client().patch(f"{API}{customer.ref}/", sent, format="json")
    assert answer.status_code == 400, answer.json()
    assert any("custom" in name for name in answer.json()["errors"])
    customer.refresh_from_db()
    assert customer.name == "Anna"
    assert not CustomFieldValue.objects.exists()


def test_analysts_get_no_free_text(api_client, fields):
    customer = make_customer()
    set_custom_values(customer_id=customer.pk, values=VALUES, **HAPPENING)
    told = api_client("analyst").get(f"{API}{customer.ref}/").json()["custom"]
    assert told.keys() == VALUES.keys() - {"skin"}


# --- A merged person ----------------------------------------------------------------------------
def test_a_person_has_their_own_value_else_that_of_another_record(fields):
    person, record = make_customer(), make_customer()
    set_custom_values(customer_id=person.pk, values={"size": "S"}, **HAPPENING)
    set_custom_values(customer_id=record.pk, values={"size": "L", "skin": "dry"}, **HAPPENING)
    values = {own.field.key: own.value for own in custom_values_of([person.pk, record.pk])}
    assert values == {"size": "S", "skin": "dry"}
