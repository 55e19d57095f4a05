"""A customer's timeline: events and orders in one line, newest first."""

from datetime import timedelta

import pytest

from common.services import record_event
from crm.models import Customer
from crm.selectors.identity import records_of
from crm.selectors.timeline import customer_timeline
from crm.services.interactions import NewContact, record_interaction
from tests.cast import NOON, make_customer, make_order

pytestmark = pytest.mark.django_db


def event_at(customer, moment, kind="complaint.received"):
    return record_event(
        kind=kind,
        subject_kind="test",
        subject_ref="x",
        customer_id=customer.pk,
        occurred_at=moment,
        actor="system",
    )


def test_orders_and_events_interleave_newest_first():
    customer = make_customer(happened_at=NOON)
    order = make_order(customer=customer, ordered_at=NOON + timedelta(hours=1))
    later = event_at(customer, NOON + timedelta(hours=2))
    entries = customer_timeline(customer.pk).entries
    assert [entry.order or entry.event.kind for entry in entries] == [
        later.kind,
        order,
        "customer.recorded",
    ]


def test_every_entry_is_seen_once_even_within_one_instant():
    customer = make_customer(happened_at=NOON)
    for _number in range(4):
        make_order(customer=customer, ordered_at=NOON)
        event_at(customer, NOON)
    seen, cursor = [], ""
    for _page in range(10):
        page = customer_timeline(customer.pk, cursor=cursor, size=2)
        seen += [(bool(entry.order), (entry.order or entry.event).pk) for entry in page.entries]
        cursor = page.next_cursor
        if not cursor:
            break
    assert len(seen) == 9
    assert seen == sorted(set(seen), reverse=True)


def test_a_stranger_is_not_in_the_timeline():
    customer, stranger = make_customer(), make_customer()
    make_order(customer=stranger)
    assert [entry.event.kind for entry in customer_timeline(customer.pk).entries] == [
        "customer.recorded"
    ]


def test_it_is_filtered_by_kind():
    customer = make_customer(happened_at=NOON, consent=True)
    order = make_order(customer=customer, ordered_at=NOON)
    orders = customer_timeline(customer.pk, kind="orders").entries
    consents = customer_timeline(customer.pk, kind="consent.given").entries
    assert [entry.order for entry in orders] == [order]
    assert [entry.event.codes["purpose"] for entry in consents] == ["surveys", "marketing"]


def test_a_page_costs_a_query_per_table(django_assert_num_queries):
    customer = make_customer()
    with django_assert_num_queries(3):
        customer_timeline(customer.pk)


def test_the_fragment_shows_what_happened_and_who_did_it(client_for, stan):
    customer = make_customer()
    browser = client_for(stan)
    browser.post(
        f"/customers/{customer.ref}/consent/", {"purpose": "marketing", "is_granted": "yes"}
    )
    answer = browser.get(f"/customers/{customer.ref}/timeline/", headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert "<html" not in text
    assert "Consent given" in text
    assert "Offers and news" in text
    assert "Stan" in text


def test_without_scripts_the_tab_is_a_page(client_for, stan):
    customer = make_customer()
    answer = client_for(stan).get(f"/customers/{customer.ref}/timeline/")
    assert "<html" in answer.content.decode()
    assert "HX-Request" in answer["Vary"]


@pytest.mark.parametrize("query", [{"kind": "nonsense"}, {"kind": "\x07"}, {"cursor": "\x07"}])
def test_rubbish_in_the_address_shows_everything(client_for, stan, query):
    customer = make_customer()
    answer = client_for(stan).get(f"/customers/{customer.ref}/timeline/", query)
    assert len(answer.context["entries"]) == 1


# --- Contacts, periods, people of several records ---------------------------------------------
def contact_at(customer, moment, text="", direction="inbound"):
    return record_interaction(
        contact=NewContact(
            customer_id=customer.pk,
            channel="phone",
            direction=direction,
            text=text,
            occurred_at=moment,
            source="staff",
        ),
        happened_at=moment,
        actor="system",
    )


def test_contacts_stand_for_themselves_once():
    customer = make_customer(happened_at=NOON)
    contact = contact_at(customer, NOON + timedelta(hours=1), "Where is my parcel?")
    order = make_order(customer=customer, ordered_at=NOON + timedelta(hours=2))
    entries = customer_timeline(customer.pk).entries
    shown = [entry.order or entry.contact or entry.event.kind for entry in entries]
    assert shown == [order, contact, "customer.recorded"]
    only = customer_timeline(customer.pk, kind="contacts").entries
    assert [entry.contact for entry in only] == [contact]


def test_words_of_contacts_are_for_those_who_may_read_them(client_for, stan, ana):
    customer = make_customer()
    contact_at(customer, NOON, "SECRETWORDS")
    contact_at(customer, NOON, "Mind his temper", direction="internal")
    url = f"/customers/{customer.ref}/timeline/"
    shown = client_for(stan).get(url).text
    assert "SECRETWORDS" in shown
    assert "Mind his temper" in shown
    hidden = client_for(ana).get(url)
    assert len(hidden.context["entries"]) == 3
    assert "SECRETWORDS" not in hidden.text
    assert "temper" not in hidden.text


def test_it_is_cut_by_days_of_the_organisation(client_for, stan):
    customer = make_customer(happened_at=NOON)
    for day in range(5):
        make_order(customer=customer, ordered_at=NOON + timedelta(days=day))
    url = f"/customers/{customer.ref}/timeline/"
    browser = client_for(stan)

    def days(**query):
        entries = browser.get(url, {"kind": "orders"} | query).context["entries"]
        return [entry.at.day for entry in entries]

    assert days(first_day="2026-03-03", last_day="2026-03-04") == [4, 3]
    assert days(first_day="2026-03-05") == [6, 5]
    assert days(last_day="2026-03-02") == [2]
    assert days(first_day="yesterday", last_day="\x08") == [6, 5, 4, 3, 2]


def test_a_person_of_several_records_has_one_timeline(client_for, stan):
    person, record = make_customer(happened_at=NOON), make_customer(happened_at=NOON)
    for hour in range(1, 8):
        make_order(customer=person if hour % 2 else record, ordered_at=NOON + timedelta(hours=hour))
        event_at(record if hour % 2 else person, NOON + timedelta(hours=hour))
    contact_at(record, NOON + timedelta(hours=9))
    Customer.objects.filter(pk=record.pk).update(person=person)
    ids, cursor, seen = records_of(person.pk), "", []
    for _page in range(20):
        page = customer_timeline(*ids, cursor=cursor, size=2)
        seen += page.entries
        if not (cursor := page.next_cursor):
            break
    assert len(seen) == 17  # 7 purchases, 7 events, a contact, two recorded customers
    assert [entry.at for entry in seen] == sorted((entry.at for entry in seen), reverse=True)
    assert len({(type(row).__name__, row.pk) for row in map(row_of, seen)}) == 17
    browser = client_for(stan)
    for ref in (person.ref, record.ref):
        answer = browser.get(f"/customers/{ref}/timeline/")
        assert answer.context["customer"] == person
        assert len(answer.context["entries"]) == 17
    orders = browser.get(f"/customers/{record.ref}/orders/").context["orders"]
    assert len(orders) == 7


def row_of(entry):
    return entry.order or entry.contact or entry.event


def test_a_page_of_several_records_costs_no_more_with_their_number(django_assert_num_queries):
    customers = [make_customer() for _number in range(6)]
    for customer in customers:
        make_order(customer=customer)
        contact_at(customer, NOON)
    with django_assert_num_queries(6):
        assert len(customer_timeline(*[customer.pk for customer in customers]).entries) == 18
