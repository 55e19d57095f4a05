from datetime import UTC, datetime

import pytest

from common.models import Event
from common.registry import personal_data
from common.time import now
from crm.imports.mapping import Mapping
from crm.models import Customer, ImportChange, ImportRange, Lead, Run
from crm.selectors.facts import lead_facts
from crm.services.contacts import add_contact
from crm.services.erasure import erase_customer
from tests.cast import ACTOR, make_customer, make_product
from tests.crm.imports.conftest import counts
from tests.crm.standards import make_playbook, step

pytestmark = pytest.mark.django_db
HEAD = "external_id,enquired_at,name,email,phone,source,product_sku\n"
FILE = HEAD + (
    "l1,2026-02-10 10:00,Ann,ann@example.com,+79991234567,fair,A\n"
    "l1,2026-03-01,,,,web,B\n"
    "l2,2026-02-11,,,,,\n"
)
TEN = datetime(2026, 2, 10, 10, tzinfo=UTC)


def at(*when):
    return datetime(*when, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _products(db):
    for sku in "AB":
        make_product(sku=sku)


def known():
    rows = Lead.objects.order_by("enquired_at", "id").select_related("customer", "product")
    return [
        (row.customer.external_id, row.enquired_at, row.product and row.product.sku, row.source)
        for row in rows
    ]


def told(outcome):
    return [(row["line"], row["column"], row["value"], row["reason"]) for row in outcome.rejects]


def test_it_records_people_and_each_of_their_enquiries(imported):
    outcome = imported("leads", FILE)

    assert counts(outcome) == (3, 0, 0, 0)
    assert known() == [
        ("l1", TEN, "A", "fair"),
        ("l2", at(2026, 2, 11), None, ""),
        ("l1", at(2026, 3, 1), "B", "web"),
    ]
    ann = Customer.objects.get(external_id="l1")
    assert (ann.name, ann.stage, ann.acquired_at) == ("Ann", "lead", None)
    assert set(ann.contact_points.values_list("normalized", flat=True)) == {
        "ann@example.com",
        "+79991234567",
    }


def test_the_same_file_again_changes_nothing_in_whatever_order(imported):
    imported("leads", FILE)
    before = [list(model.objects.order_by("id").values()) for model in (Customer, Lead)]
    head, *rows = FILE.splitlines(keepends=True)

    assert counts(imported("leads", FILE)) == (0, 0, 3, 0)
    assert counts(imported("leads", head + "".join(reversed(rows)))) == (0, 0, 3, 0)
    assert [list(model.objects.order_by("id").values()) for model in (Customer, Lead)] == before


def test_a_lead_with_the_id_of_a_customer_is_that_person_and_adds_only_what_is_filled(imported):
    customer = make_customer(
        external_id="l1", name="Anna", email="old@example.com", source="shop", city="Kazan"
    )

    outcome = imported("leads", HEAD + "l1,2026-02-10 10:00,,new@example.com,,fair,A\n")

    assert counts(outcome) == (1, 0, 0, 0)
    customer.refresh_from_db()
    assert (customer.name, customer.source, customer.city) == ("Anna", "shop", "Kazan")
    assert dict(customer.contact_points.values_list("normalized", "is_primary")) == {
        "old@example.com": False,
        "new@example.com": True,
    }
    assert known() == [("l1", TEN, "A", "fair")]


def test_what_an_enquiry_left_out_may_be_told_later(imported):
    imported("leads", HEAD + "l1,2026-02-10 10:00,,,,,\n")

    outcome = imported("leads", HEAD + "l1,2026-02-10 10:00,Ann,,,fair,A\n")
    again = imported("leads", HEAD + "l1,2026-02-10 10:00,,,,,\nl1,2026-02-10 10:00,Anna,,,,\n")

    assert counts(outcome) == (0, 1, 0, 0)
    assert counts(again) == (0, 1, 1, 0)  # the person's name
    assert known() == [("l1", TEN, "A", "fair")]
    lead = Lead.objects.get()
    change = ImportChange.objects.get(table="crm.Lead")
    assert (change.object_id, change.customer_id) == (lead.pk, lead.customer_id)
    assert change.before == {"product_id": None, "source": ""}


def test_several_rows_of_one_enquiry_are_one_and_the_last_filled_cell_counts(imported):
    file = (
        HEAD + "l1,2026-02-10 10:00,,,,fair,\nl1,2026-02-10 10:00,,,,web,A\n"
        "l1,2026-02-10 10:00,,,,,\nl1,2026-02-10 10:00,,,,shop,B\n"
    )

    assert counts(imported("leads", file)) == (2, 0, 2, 0)
    assert sorted(known()) == [("l1", TEN, "A", "web"), ("l1", TEN, "B", "shop")]
    assert counts(imported("leads", file)) == (0, 0, 4, 0)


def test_two_addresses_of_one_person_are_one_enquiry(imported):
    ann = make_customer(external_id="c7", email="ann@example.com")
    other = {"kind": "email", "value": "ann@work.example"}
    add_contact(customer_id=ann.pk, **other, happened_at=now(), actor=ACTOR)
    file = "enquired_at,email,source\n2026-02-10 10:00,ann@example.com,fair\n" + (
        "2026-02-10 10:00,ann@work.example,fair\n"
    )

    assert counts(imported("leads", file, mapping=Mapping(match_by="email"))) == (1, 0, 1, 0)
    assert known() == [("c7", TEN, None, "fair")]


def test_people_may_be_known_by_email_and_what_is_known_be_kept(imported):
    make_customer(external_id="c7", name="Ann", email="ann@example.com", phone="")
    mapping = Mapping(match_by="email", overwrite="nothing")

    outcome = imported(
        "leads",
        "enquired_at,name,email,source\n2026-02-10 10:00,Anna,ANN@example.com,fair\n"
        "2026-02-11,Bob,bob@example.com,web\n2026-02-11,Bo,bob@example.com,\n",
        mapping=mapping,
    )

    assert counts(outcome) == (2, 0, 1, 0)
    assert known() == [("c7", TEN, None, "fair"), (None, at(2026, 2, 11), None, "web")]
    assert set(Customer.objects.values_list("name", flat=True)) == {"Ann", "Bo"}


def test_what_can_be_no_lead_is_told_with_its_reason(imported):
    outcome = imported(
        "leads",
        HEAD + "l1,,,,,,\n,2026-02-10,,,,,\nl3,2026-02-30,,,,,\nl4,2026-02-10,,nobody,,,\n"
        "l5,2026-02-10,,,12,,\nl6,2026-02-10,,,,,NOPE\n",
    )

    assert counts(outcome) == (0, 0, 0, 6)
    assert told(outcome) == [
        (2, "enquired_at", "", "Fill this in."),
        (3, "external_id", "", "Fill this in."),
        (4, "enquired_at", "2026-02-30", "Enter a date or time such as 2026-05-31 14:30."),
        (5, "email", "nobody", "Enter a valid email address."),
        (6, "phone", "12", "Enter a phone number."),
        (7, "product_sku", "NOPE", "There is no product with this SKU."),
    ]
    assert not Customer.objects.exists()


def test_history_starts_nothing_and_live_what_a_new_customer_starts(imported):
    make_customer(external_id="l2")
    make_playbook(step("Ring up"), trigger="customer.recorded")
    first = Run.objects.count()
    assert counts(imported("leads", FILE, mode="live", is_dry_run=True)) == (3, 0, 0, 0)
    assert not Lead.objects.exists()

    imported("leads", HEAD + "l0,2026-02-10,,,,,\n")
    assert Run.objects.count() == first
    assert not Event.objects.filter(kind="lead.recorded").exists()
    imported("leads", FILE, mode="live")

    run = Run.objects.order_by("-pk")[0]
    assert Run.objects.count() == first + 1
    assert run.customer.external_id == "l1"
    events = Event.objects.filter(kind="lead.recorded").order_by("id")
    assert [event.codes for event in events] == [{"sku": "A"}, {"sku": "B"}, {}]


def test_nobody_erased_comes_back_and_their_enquiry_stays_as_a_figure(imported):
    imported("leads", FILE)
    ann = Customer.objects.get(external_id="l1")
    exported = personal_data["crm.Lead"].export([ann.pk])
    erase_customer(customer_id=ann.pk, happened_at=now(), actor=ACTOR)

    outcome = imported("leads", FILE)

    assert [(row["product__sku"], row["source"]) for row in exported] == [
        ("A", "fair"),
        ("B", "web"),
    ]
    assert counts(outcome) == (0, 0, 1, 2)
    facts = list(lead_facts(as_of=at(2026, 2, 20), known_at=now()))
    assert [(row["customer_id"] == ann.pk, row["enquired_at"]) for row in facts] == [
        (True, TEN),
        (False, at(2026, 2, 11)),
    ]


def test_what_was_made_is_noted_for_undoing(imported):
    imported("leads", FILE)

    ranges = ImportRange.objects.values_list("table", flat=True)
    assert sorted(ranges) == ["crm.Customer", "crm.Lead"]
