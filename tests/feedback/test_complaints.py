"""Complaints, from received to closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from accounts.models import User
from common.errors import InvalidInput
from common.models import CacheRow, Event
from common.time import now
from feedback import services
from feedback.models import Complaint, ComplaintEvent, ComplaintText
from tests.cast import NOON, make_customer, make_product

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User | None], Client]


def make_complaint(**fields: object) -> Complaint:
    defaults = {
        "customer_id": None,
        "text": "The lid was broken",
        "source": "staff",
        "happened_at": NOON,
        "actor": "user:1",
    }
    return services.open_complaint(**(defaults | fields))  # type: ignore[arg-type]


def test_a_complaint_goes_from_received_to_resolved_to_closed() -> None:
    complaint = make_complaint()

    services.resolve_complaint(
        complaint_id=complaint.pk,
        resolution="Sent a new lid",
        happened_at=NOON + timedelta(hours=2),
        actor="user:2",
    )
    services.close_complaint(
        complaint_id=complaint.pk, happened_at=NOON + timedelta(days=1), actor="user:2"
    )

    complaint.refresh_from_db()
    assert complaint.state == "closed"
    assert complaint.resolved_at == NOON + timedelta(hours=2)
    assert complaint.text.resolution == "Sent a new lid"
    steps = ComplaintEvent.objects.order_by("id").values_list("from_state", "to_state", "actor")
    assert list(steps) == [
        ("", "received", "user:1"),
        ("received", "resolved", "user:2"),
        ("resolved", "closed", "user:2"),
    ]


def test_a_received_complaint_can_not_be_closed() -> None:
    complaint = make_complaint()

    with pytest.raises(services.ComplaintNotResolved):
        services.close_complaint(complaint_id=complaint.pk, happened_at=NOON, actor="user:1")
    complaint.refresh_from_db()
    assert complaint.state == "received"
    assert ComplaintEvent.objects.count() == 1


def test_a_complaint_is_resolved_once() -> None:
    complaint = make_complaint()
    resolve = {"complaint_id": complaint.pk, "happened_at": NOON, "actor": "user:1"}
    services.resolve_complaint(resolution="First", **resolve)

    with pytest.raises(services.ComplaintNotOpen):
        services.resolve_complaint(resolution="Second", **resolve)
    assert ComplaintText.objects.get().resolution == "First"


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_a_complaint_without_words_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        make_complaint(text=text)
    assert refusal.value.fields.keys() == {"text"}
    assert Complaint.objects.count() == 0


def test_the_course_of_a_complaint_can_not_be_rewritten() -> None:
    make_complaint()

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ComplaintEvent.objects.all().delete()
    assert ComplaintEvent.objects.count() == 1


def test_the_timeline_never_holds_the_words() -> None:
    customer = make_customer()
    make_complaint(customer_id=customer.pk, category="quality", text="I am Kim, lid broken")

    event = Event.objects.get(kind="complaint.received")
    assert event.customer_id == customer.pk
    assert set(event.codes) == {"number", "category"}


def test_past_complaints_are_recorded_once_with_their_course() -> None:
    customer = make_customer()
    rows = [
        services.PastComplaint(
            external_id=f"p{number}",
            customer_id=customer.pk,
            opened_at=NOON,
            text="Late",
            resolved_at=NOON + timedelta(days=1) if number else None,
            closed_at=NOON + timedelta(days=2) if number == 2 else None,
        )
        for number in range(3)
    ]

    for expected in (3, 0):
        assert services.record_past_complaints(rows=rows, actor="system", source="demo") == expected
    states = Complaint.objects.order_by("external_id").values_list("state", flat=True)
    assert list(states) == ["received", "resolved", "closed"]
    assert ComplaintEvent.objects.count() == 6


def test_staff_log_resolve_and_close_in_the_browser(client_for: ClientFor, stan: User) -> None:
    client, customer = client_for(stan), make_customer(external_id="c-7")
    make_product(sku="lid")

    form = {"customer": "c-7", "text": "Broken", "severity": "high", "product": "lid"}
    logged = client.post("/complaints/new/", form)
    complaint = Complaint.objects.get()
    assert logged.headers["Location"] == f"/complaints/{complaint.ref}/"
    assert (complaint.customer_id, complaint.severity) == (customer.pk, "high")

    client.post(f"/complaints/{complaint.ref}/resolve/", {"resolution": "Replaced"})
    client.post(f"/complaints/{complaint.ref}/close/")
    complaint.refresh_from_db()
    assert complaint.state == "closed"
    assert "Replaced" in client.get(f"/complaints/{complaint.ref}/").content.decode()


def test_an_unknown_customer_or_product_is_said_on_the_field(
    client_for: ClientFor, stan: User
) -> None:
    form = {"customer": "nobody", "text": "Broken", "severity": "high", "product": "nothing"}
    page = client_for(stan).post("/complaints/new/", form)

    assert page.status_code == 422
    assert page.context["form"].errors.keys() == {"customer", "product"}
    assert Complaint.objects.count() == 0


def test_a_complaint_is_logged_for_whoever_is_named_by_email(
    client_for: ClientFor, stan: User
) -> None:
    customer = make_customer(email="kim@example.org")
    form = {"customer": "Kim@example.org", "text": "Cold", "severity": "normal"}
    assert client_for(stan).post("/complaints/new/", form).status_code == 302
    assert Complaint.objects.get().customer == customer


def test_the_front_page_leads_to_whoever_waits_longest(client_for: ClientFor, stan: User) -> None:
    first = make_complaint()
    make_complaint(happened_at=NOON + timedelta(hours=1))
    page = client_for(stan).get("/").content.decode()
    button = page[page.index("btn btn-sm") : page.index("Take next")]
    assert f'href="/complaints/{first.ref}/"' in button


def test_the_head_of_a_customers_page_names_the_complaint_that_waits(
    client_for: ClientFor, stan: User
) -> None:
    customer = make_customer()
    complaint = make_complaint(customer_id=customer.pk)
    browser = client_for(stan)
    assert "Open complaint" in browser.get(f"/customers/{customer.ref}/panels/").content.decode()
    services.resolve_complaint(
        complaint_id=complaint.pk, resolution="Sent a lid", happened_at=NOON, actor="user:2"
    )
    assert (
        "Open complaint" not in browser.get(f"/customers/{customer.ref}/panels/").content.decode()
    )


def test_analysts_see_no_words(client_for: ClientFor, ana: User) -> None:
    complaint = make_complaint(text="SECRETWORDS")
    client = client_for(ana)

    for path in ("/complaints/", f"/complaints/{complaint.ref}/"):
        assert "SECRETWORDS" not in client.get(path).content.decode()


def test_a_signed_in_customer_complains_as_themself(client_for: ClientFor, kim: User) -> None:
    page = client_for(kim).post("/c/", {"text": "Too late"}, follow=True)

    complaint = Complaint.objects.get()
    assert complaint.customer_id == kim.customer.pk
    assert complaint.source == "customer"
    assert complaint.number in page.content.decode()


def test_anybody_can_complain_and_is_not_taken_for_a_customer(client: Client, kim: User) -> None:
    client.post("/c/", {"text": "Too late", "name": "Kim", "email": kim.email})

    complaint = Complaint.objects.get()
    assert complaint.customer_id is None
    assert complaint.text.contact_email == kim.email


def test_a_program_that_fills_the_trap_leaves_nothing(client: Client) -> None:
    page = client.post("/c/", {"text": "Buy this", "website": "https://spam.example"})

    assert page.status_code == 302
    assert Complaint.objects.count() == 0


def test_the_public_form_is_throttled(client: Client) -> None:
    for _number in range(5):
        assert client.post("/c/", {"text": "Too late"}).status_code == 302
    assert client.post("/c/", {"text": "Too late"}).status_code == 422
    assert Complaint.objects.count() == 5


@pytest.mark.parametrize("text", ["a\x00b", "x" * 10_001, "\u2066hidden", "\x07"])
def test_rubbish_is_refused_on_the_field(client: Client, text: str) -> None:
    page = client.post("/c/", {"text": text})

    assert page.status_code == 422
    assert page.context["form"].errors.keys() == {"text"}
    assert Complaint.objects.count() == 0


def test_pages_cost_a_constant_number_of_queries(
    client_for: ClientFor, stan: User, django_assert_max_num_queries: Callable
) -> None:
    for _number in range(30):
        make_complaint(customer_id=make_customer().pk)
    client = client_for(stan)

    for path in ("/complaints/", "/surveys/", f"/complaints/{Complaint.objects.first().ref}/"):
        with django_assert_max_num_queries(12):
            assert client.get(path).status_code == 200


def test_the_limit_of_the_public_form_lasts_for_an_hour(client: Client, settings: Any) -> None:
    database = "django.core.cache.backends.db.DatabaseCache"  # what the product counts with
    settings.CACHES = {"default": {"BACKEND": database, "LOCATION": "common_cache"}}
    for _number in range(2):
        client.post("/c/", {"text": "Too late"})

    [row] = CacheRow.objects.filter(cache_key__contains="complaints:")
    assert row.expires > now() + timedelta(minutes=55)


def test_behind_a_proxy_the_public_form_counts_each_sender_apart(
    client: Client, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = 1
    for number in range(6):
        page = client.post(
            "/c/", {"text": "Too late"}, headers={"X-Forwarded-For": f"192.0.2.{number}"}
        )
        assert page.status_code == 302
    assert Complaint.objects.count() == 6
