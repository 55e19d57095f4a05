"""A customer's timeline: events and orders in one line, newest first."""

from datetime import timedelta

import pytest

from common.services import record_event
from crm.selectors.timeline import customer_timeline
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
