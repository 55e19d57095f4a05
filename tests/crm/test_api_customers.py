"""``/api/v1/customers/``: what a program may ask, send and be refused."""

import json
from datetime import date

import pytest

from common.models import Event
from common.time import now
from crm.models import ConsentEvent, Customer
from crm.services import record_consent
from crm.services.merges import merge_customers
from tests.cast import NOON, make_customer, make_location

URL = "/api/v1/customers/"

pytestmark = pytest.mark.django_db

RUBBISH_TEXT = ["a\x00b", "a\u202eb", "\u200fa", "x" * 300]


def test_it_records_a_customer_with_consents_and_tags(api_client):
    make_location(code="north")
    sent = {
        "external_id": "C-1",
        "name": "  Anna\tB.  ",
        "email": "Anna@Example.COM",
        "phone": "8 (912) 345-67-89",
        "language": "ru",
        "country": "RU",
        "city": "Perm",
        "birth_date": "1990-02-28",
        "source": "fair",
        "acquired_at": "2026-01-05T10:00:00+03:00",
        "acquisition_cost": "12.5",
        "location": "north",
        "tags": ["vip"],
        "consents": {"marketing": True, "surveys": False},
    }
    answer = api_client().post(URL, sent, format="json")
    assert answer.status_code == 201
    told = answer.json()
    ref = told.pop("ref")
    assert told.pop("person") == ref
    assert told.pop("recorded_at").endswith("Z")
    assert told == {
        "external_id": "C-1",
        "kind": "person",
        "name": "Anna B.",
        "email": "anna@example.com",
        "phone": "+79123456789",
        "emails": ["anna@example.com"],
        "phones": ["+79123456789"],
        "preferred_channel": "",
        "language": "ru",
        "country": "RU",
        "city": "Perm",
        "birth_date": "1990-02-28",
        "industry": "",
        "source": "fair",
        "acquired_at": "2026-01-05T07:00:00Z",
        "acquisition_cost": "12.50",
        "stage": "lead",
        "location": "north",
        "tags": ["vip"],
        "consents": {"marketing": True, "surveys": False},
        "custom": {},
        "is_invented": False,
        "possible_duplicates": [],
    }
    assert answer["Location"] == f"{URL}{ref}/"


def test_it_finds_a_customer_by_ref_and_by_external_id(api_client):
    customer = make_customer(external_id="C-7", name="Seven")
    api = api_client("analyst")
    assert api.get(f"{URL}{customer.ref}/").json()["name"] == "Seven"
    assert api.get(f"{URL}C-7/").json()["ref"] == customer.ref


def test_a_stranger_answers_404_as_a_problem(api_client):
    answer = api_client().get(f"{URL}nobody/")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_a_second_customer_with_the_same_external_id_is_refused(api_client):
    make_customer(external_id="C-1", name="First")
    answer = api_client().post(URL, {"external_id": "C-1", "name": "Second"}, format="json")
    assert answer.status_code == 409
    assert answer.json()["code"] == "external_id_taken"
    assert list(answer.json()["errors"]) == ["external_id"]
    assert Customer.objects.get().name == "First"


def test_the_same_key_and_body_create_one_customer_and_get_one_answer(api_client):
    api = api_client()
    first = api.post(URL, {"name": "Once"}, format="json", headers={"Idempotency-Key": "k1"})
    second = api.post(URL, {"name": "Once"}, format="json", headers={"Idempotency-Key": "k1"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert Customer.objects.count() == 1


def test_a_refusal_is_remembered_with_its_key(api_client):
    api = api_client()
    bad = {"email": "nonsense"}
    first = api.post(URL, bad, format="json", headers={"Idempotency-Key": "k1"})
    second = api.post(URL, bad, format="json", headers={"Idempotency-Key": "k1"})
    other = api.post(URL, {"name": "X"}, format="json", headers={"Idempotency-Key": "k1"})
    assert (first.status_code, second.status_code, other.status_code) == (400, 400, 409)
    assert first.json() == second.json()
    assert other.json()["code"] == "idempotency_key_reused"
    assert not Customer.objects.exists()


def test_patch_changes_what_is_given_and_leaves_the_rest(api_client):
    customer = make_customer(name="Anna", city="Perm", email="a@example.com")
    answer = api_client("staff").patch(f"{URL}{customer.ref}/", {"city": "Omsk"}, format="json")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["name"], told["city"], told["email"]) == ("Anna", "Omsk", "a@example.com")
    changed = Event.objects.get(kind="customer.changed")
    assert changed.codes == {"fields": ["city"]}
    assert changed.detail.content == {"city": ["Perm", "Omsk"]}


def test_patch_withdraws_consent_once(api_client):
    customer = make_customer(consent=True)
    api = api_client("staff")
    for _again in range(2):
        answer = api.patch(f"{URL}{customer.ref}/", {"consents": {"surveys": False}}, format="json")
    assert answer.json()["consents"] == {"marketing": True, "surveys": False}
    withdrawn = ConsentEvent.objects.get(customer=customer, is_granted=False)
    assert (withdrawn.purpose, withdrawn.source) == ("surveys", "api")


def test_consent_never_asked_for_reads_as_null(api_client):
    customer = make_customer()
    told = api_client().get(f"{URL}{customer.ref}/").json()
    assert told["consents"] == {"marketing": None, "surveys": None}


def test_analysts_see_addresses_and_numbers_masked(api_client):
    customer = make_customer(email="kim@example.com", phone="+79123456789")
    api = api_client("analyst")
    for told in (
        api.get(f"{URL}{customer.ref}/").json(),
        api.get(URL).json()["results"][0],
    ):
        assert (told["email"], told["phone"]) == ("k•••@•••.com", "•••89")


def test_analysts_see_no_birth_dates(api_client):
    customer = make_customer(birth_date=date(1990, 2, 28))
    url = f"{URL}{customer.ref}/"
    assert api_client("analyst").get(url).json()["birth_date"] is None
    assert api_client("staff").get(url).json()["birth_date"] == "1990-02-28"


def test_analysts_may_not_probe_addresses(api_client):
    make_customer(email="kim@example.com")
    assert api_client("analyst").get(URL, {"email": "kim@example.com"}).status_code == 403


@pytest.mark.parametrize("role", ["analyst", "customer", None])
def test_those_who_may_not_write_change_nothing(api_client, role):
    answer = api_client(role).post(URL, {"name": "X"}, format="json")
    assert answer.status_code == (401 if role is None else 403)
    assert not Customer.objects.exists()


@pytest.mark.parametrize("role", ["customer", None])
def test_those_who_may_not_read_see_nothing(api_client, role):
    make_customer()
    assert api_client(role).get(URL).status_code == (401 if role is None else 403)


def test_filters_narrow_the_list(api_client):
    make_location(code="north")
    here = make_customer(external_id="A", email="a@example.com")
    there = make_customer(external_id="B", happened_at=NOON)
    Customer.objects.filter(pk=there.pk).update(stage="loyal")
    api = api_client()

    def refs(**filters):
        return [row["ref"] for row in api.get(URL, filters).json()["results"]]

    assert refs() == [there.ref, here.ref]
    assert refs(external_id="A") == [here.ref]
    assert refs(email="A@Example.com") == [here.ref]
    assert refs(stage="loyal") == [there.ref]
    assert refs(recorded_until="2026-03-02T12:00:01Z") == [there.ref]
    assert refs(recorded_since="2026-03-02T12:00:01Z") == [here.ref]
    assert refs(ordering="recorded_at") == [there.ref, here.ref]
    assert refs(external_id="nobody") == []


@pytest.mark.parametrize(
    "query",
    [
        {"stage": "unheard-of"},
        {"recorded_since": "yesterday"},
        {"recorded_since": "0001-01-01"},
        {"external_id": "a\x07b"},
        {"ordering": "password"},
        {"cursor": "nonsense"},
    ],
)
def test_a_bad_filter_is_a_field_error(api_client, query):
    answer = api_client().get(URL, query)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == list(query)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("name", text) for text in RUBBISH_TEXT],
        ("name", "\ud800"),
        ("name", ["a"]),
        ("name", {"a": 1}),
        ("name", None),
        ("external_id", "x" * 65),
        ("email", "a@b@c"),
        ("email", "kim"),
        ("phone", "٠١٢٣٤٥"),
        ("phone", "12"),
        ("kind", "alien"),
        ("kind", ["person"]),
        ("birth_date", "1899-12-31"),
        ("birth_date", "2026-02-30"),
        ("birth_date", 19900101),
        ("acquired_at", "2201-01-01T00:00:00Z"),
        ("acquired_at", "20260101"),
        ("acquisition_cost", "NaN"),
        ("acquisition_cost", "１２"),
        ("acquisition_cost", "1.23456"),
        ("acquisition_cost", True),
        ("acquisition_cost", 1e30),
        ("location", "no-such-shop"),
        ("consents", {"espionage": True}),
        ("consents", {"marketing": "perhaps"}),
        ("consents", []),
        ("tags", "vip"),
        ("tags", ["a\x00"]),
        ("stage", "loyal"),
        ("naem", "Anna"),
    ],
)
def test_rubbish_is_a_field_error_and_writes_nothing(api_client, field, value):
    body = json.dumps({field: value})
    answer = api_client().post(URL, body, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert {name.partition(".")[0] for name in answer.json()["errors"]} == {field}
    assert not Customer.objects.exists()
    assert not Event.objects.filter(kind__startswith="customer.").exists()


@pytest.mark.parametrize("body", ["", "[]", "null", "7", '"x"', "{", '{"name": NaN}', "\x00"])
def test_a_body_that_is_no_object_is_refused(api_client, body):
    answer = api_client().post(URL, body, content_type="application/json")
    assert answer.status_code in (201, 400)
    assert answer.status_code == 400 or body == ""
    assert "problem+json" in answer["Content-Type"] or body == ""


def test_pages_hold_every_customer_once(api_client):
    customers = [make_customer(happened_at=NOON) for _number in range(5)]
    api = api_client()
    url, seen = f"{URL}?page_size=2&ordering=recorded_at", []
    while url:
        page = api.get(url).json()
        seen += [row["ref"] for row in page["results"]]
        url = page["next"]
    assert seen == [customer.ref for customer in customers]


def test_a_merged_record_names_its_person_and_tells_the_persons_consent(api_client):
    person, record = make_customer(consent=True), make_customer()
    merge_customers(
        person_id=person.pk, record_id=record.pk, source="staff", happened_at=NOON, actor="system"
    )
    record_consent(
        customer_id=record.pk,
        purpose="surveys",
        is_granted=False,
        happened_at=now(),
        actor="system",
        source="staff",
    )
    for ref in (person.ref, record.ref):
        told = api_client().get(f"{URL}{ref}/").json()
        assert (told["ref"], told["person"]) == (ref, person.ref)
        assert told["consents"] == {"marketing": True, "surveys": False}


def test_a_page_costs_the_same_for_many_customers(api_client, django_assert_max_num_queries):
    for number in range(8):
        make_customer(consent=True, phone=f"+7912345678{number}", tags=["vip"])
    api = api_client()
    with django_assert_max_num_queries(8):
        assert len(api.get(URL).json()["results"]) == 8
