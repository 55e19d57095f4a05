"""Whom a row means: by id, by email or by phone."""

import time
from threading import Thread

import pytest
from django.db import connection

from common.time import now
from crm.imports.customers import Customers
from crm.imports.mapping import Mapping
from crm.models import ContactPoint, Customer, Order
from crm.services.erasure import erase_customer
from crm.services.merges import merge_customers
from tests.cast import ACTOR, make_customer
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db

BY_EMAIL, BY_PHONE = Mapping(match_by="email"), Mapping(match_by="phone")


def why(outcome):
    """(line, column, reason) of what was refused."""
    return [(row["line"], row["column"], row["reason"]) for row in outcome.rejects]


def merged(person, record):
    merge_customers(
        person_id=person.pk, record_id=record.pk, source="staff", happened_at=now(), actor=ACTOR
    )


def test_a_known_address_updates_its_customer_instead_of_doubling(imported):
    ann = make_customer(name="Ann", email="Ann@Example.org", external_id="a1")

    outcome = imported(
        "customers", "name,email,city\nAnna,ANN@example.ORG,Perm\nBob,b@x.org,\n", mapping=BY_EMAIL
    )

    assert counts(outcome) == (1, 1, 0, 0)
    ann.refresh_from_db()
    assert (ann.name, ann.city, ann.external_id) == ("Anna", "Perm", "a1")
    bob = Customer.objects.get(name="Bob")
    assert bob.external_id is None
    assert set(bob.search_terms.values_list("kind", "term")) == {
        ("name", "bob"),
        ("email", "b@x.org"),
    }
    assert ContactPoint.objects.count() == 2


def test_numbers_are_compared_as_everywhere(imported):
    ann = make_customer(phone="+7 912 345-67-89")

    outcome = imported("customers", "phone,city\n8 (912) 345 67 89,Perm\n", mapping=BY_PHONE)

    assert counts(outcome) == (0, 1, 0, 0)
    ann.refresh_from_db()
    assert ann.city == "Perm"


def test_the_same_file_twice_changes_nothing(imported):
    text = (
        "name,email,phone,tags,marketing_consent\n"
        "Ann,A@x.org,89123456789,vip,yes\n"
        "Bob,b@x.org,,,no\n"
    )
    assert counts(imported("customers", text, mapping=BY_EMAIL)) == (2, 0, 0, 0)
    assert counts(imported("customers", text, mapping=BY_EMAIL)) == (0, 0, 2, 0)


def test_rows_with_the_same_address_are_one_customer(imported):
    outcome = imported(
        "customers", "email,name,city\nA@x.org,Ann,\na@X.org,,Perm\n", mapping=BY_EMAIL
    )

    assert counts(outcome) == (1, 0, 0, 0)
    customer = Customer.objects.get()
    assert (customer.name, customer.city) == ("Ann", "Perm")
    assert customer.contact_points.get().value == "a@X.org"


def test_a_row_without_the_address_is_refused(imported):
    outcome = imported("customers", "external_id,email,name\n1,,Ann\n", mapping=BY_EMAIL)

    assert why(outcome) == [(2, "email", "Fill this in.")]
    assert not Customer.objects.exists()


def test_an_address_of_several_people_is_refused(imported):
    for name in ("Ann", "Bob"):
        make_customer(name=name, phone="+79123456789")

    outcome = imported("customers", "phone,name\n89123456789,Eve\n", mapping=BY_PHONE)

    assert why(outcome) == [
        (
            2,
            "phone",
            "Several customers have this phone number. Give the id, or merge them first.",
        )
    ]
    assert set(Customer.objects.values_list("name", flat=True)) == {"Ann", "Bob"}


def test_of_a_merged_person_the_record_that_holds_the_address_is_meant(imported):
    person, record = make_customer(name="Ann"), make_customer(name="Anna", email="a@x.org")
    merged(person, record)

    imported("customers", "email,city\na@x.org,Perm\n", mapping=BY_EMAIL)

    person.refresh_from_db()
    record.refresh_from_db()
    assert (person.city, record.city) == ("", "Perm")


def test_if_several_records_of_a_person_hold_it_the_persons_own_is_meant(imported):
    record, person = make_customer(email="a@x.org"), make_customer(email="a@x.org")
    merged(person, record)

    imported("customers", "email,city\na@x.org,Perm\n", mapping=BY_EMAIL)

    person.refresh_from_db()
    record.refresh_from_db()
    assert (person.city, record.city) == ("Perm", "")


def test_the_key_identifies_and_does_not_become_the_primary_address(imported):
    ann = make_customer(email="new@x.org")
    ContactPoint.objects.create(
        customer=ann, kind="email", value="old@x.org", normalized="old@x.org", recorded_at=now()
    )

    outcome = imported("customers", "email\nold@x.org\n", mapping=BY_EMAIL)

    assert counts(outcome) == (0, 0, 1, 0)
    assert ann.contact_points.get(is_primary=True).value == "new@x.org"


def test_an_erased_address_is_refused(imported):
    ann = make_customer(email="a@x.org")
    erase_customer(customer_id=ann.pk, happened_at=now(), actor=ACTOR)

    outcome = imported("customers", "email,name\na@x.org,Ann\n", mapping=BY_EMAIL)

    assert counts(outcome) == (0, 0, 0, 1)
    assert outcome.rejects[0]["reason"].startswith("Erased")
    assert outcome.rejects[0]["value"] == ""
    assert Customer.objects.count() == 1


def test_an_id_is_filled_in_where_there_is_none(imported):
    ann = make_customer(email="a@x.org", external_id=None)

    outcome = imported("customers", "external_id,email\nA7,a@x.org\n", mapping=BY_EMAIL)

    assert counts(outcome) == (0, 1, 0, 0)
    ann.refresh_from_db()
    assert ann.external_id == "A7"
    assert ann.search_terms.filter(kind="id", term="a7").exists()


def test_an_id_that_contradicts_is_refused(imported):
    make_customer(email="a@x.org", external_id="A")
    make_customer(email="b@x.org", external_id="B")
    make_customer(email="c@x.org", external_id=None)

    outcome = imported(
        "customers",
        "external_id,email,city\nX,a@x.org,1\nB,a@x.org,2\nB,c@x.org,3\nB,new@x.org,4\nA,a@x.org,5\n",
        mapping=BY_EMAIL,
    )

    assert why(outcome) == [
        (2, "external_id", "This customer has another id."),
        (3, "external_id", "Another customer has this id."),
        (4, "external_id", "Another customer has this id."),
        (5, "external_id", "The customer with this id has another email or phone number."),
    ]
    assert dict(Customer.objects.values_list("external_id", "city")) == {
        "A": "5",
        "B": "",
        None: "",
    }


def test_ids_that_contradict_within_a_file_are_refused(imported):
    outcome = imported(
        "customers",
        "external_id,email\n1,a@x.org\n2,a@x.org\n1,b@x.org\n,b@x.org\n",
        mapping=BY_EMAIL,
    )

    assert why(outcome) == [
        (3, "external_id", "Line 2 gives this customer another id."),
        (4, "external_id", "Line 2 gives this id to another customer."),
    ]
    assert set(Customer.objects.values_list("external_id", flat=True)) == {"1", None}


def test_the_id_of_another_record_of_the_same_person_is_no_contradiction(imported):
    person = make_customer(email="a@x.org", external_id=None)
    merged(person, make_customer(external_id="R"))

    outcome = imported("customers", "external_id,email,city\nR,a@x.org,Perm\n", mapping=BY_EMAIL)

    assert counts(outcome) == (0, 1, 0, 0)
    person.refresh_from_db()
    assert (person.external_id, person.city) == (None, "Perm")


def test_an_address_given_to_somebody_while_the_file_was_read_is_found(imported, monkeypatch):
    """A page was quicker: its customer is updated, not doubled."""
    settle = Customers.settle

    def late(self, scratch):
        settle(self, scratch)
        make_customer(name="Page", email="a@x.org")
        make_customer(name="One", email="b@x.org")
        make_customer(name="Two", email="b@x.org")

    monkeypatch.setattr(Customers, "settle", late)

    outcome = imported("customers", "email,name\na@x.org,Ann\nb@x.org,Bob\n", mapping=BY_EMAIL)

    assert counts(outcome) == (0, 1, 0, 1)
    assert set(Customer.objects.values_list("name", flat=True)) == {"Ann", "One", "Two"}


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("mapping", "known", "unknown"),
    [(BY_EMAIL, "A@x.org", "no@x.org"), (BY_PHONE, "8 912 345-67-89", "+79990001122")],
)
def test_purchases_name_their_customer_by_the_same_address(imported, mapping, known, unknown):
    ann = make_customer(email="a@x.org", phone="+79123456789")
    text = "order_id,customer_id,ordered_at,amount\n"

    outcome = imported(
        "orders", f"{text}o1,{known},2024-01-01,5\no2,{unknown},2024-01-01,5\n", mapping=mapping
    )

    assert counts(outcome) == (1, 0, 0, 1)
    assert Order.objects.get().customer == ann
    reasons = {
        "email": "There is no customer with this email.",
        "phone": "There is no customer with this phone number.",
    }
    assert why(outcome) == [(3, "customer_id", reasons[mapping.match_by])]


def test_a_dry_run_refuses_the_same(imported):
    make_customer(email="a@x.org", external_id="A")

    outcome = imported(
        "customers", "external_id,email\nX,a@x.org\nY,y@x.org\n", mapping=BY_EMAIL, is_dry_run=True
    )

    assert counts(outcome) == (1, 0, 0, 1)
    assert Customer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer")
def test_nobody_is_given_the_address_between_looking_and_writing(imported, monkeypatch):
    """Another connection that adds the same address waits for the portion's end."""
    apply, waited = Customers.apply, []

    def page():
        waited.append("began")
        make_customer(name="Page", email="a@x.org")
        waited.append("done")
        connection.close()

    def slow(self, records, **options):
        outcome = apply(self, records, **options)
        other = Thread(target=page)
        other.start()
        other.join(0.3)
        waited.append("committing")
        return outcome

    monkeypatch.setattr(Customers, "apply", slow)

    imported("customers", "email,name\na@x.org,Ann\n", mapping=BY_EMAIL)

    deadline = time.monotonic() + 5
    while "done" not in waited and time.monotonic() < deadline:
        time.sleep(0.02)
    assert waited == ["began", "committing", "done"]
