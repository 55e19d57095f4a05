"""The pages, the API and the customer's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from common.registry import personal_data
from mailing.models import Message, MessageContent
from mailing.services import send_due
from tests.cast import NOON, make_customer
from tests.mailing.conftest import Mailbox

Queue = Callable[..., Message]
ClientFor = Callable[[User | None], Client]

pytestmark = pytest.mark.django_db


def test_the_list_costs_the_same_for_one_message_and_for_many(
    queue: Queue, client_for: ClientFor, stan: User, django_assert_max_num_queries: Any
) -> None:
    queue()
    browser = client_for(stan)
    with django_assert_max_num_queries(12) as one:
        assert browser.get("/messages/").status_code == 200
    for _ in range(9):
        queue()
    with django_assert_max_num_queries(len(one)):
        assert browser.get("/messages/").status_code == 200


def test_the_list_shows_one_state_when_asked(
    queue: Queue, client_for: ClientFor, stan: User
) -> None:
    queue(make_customer(name="Waiting Wanda"))
    failed = queue(make_customer(name="Failed Fred"))
    Message.objects.filter(pk=failed.pk).update(state="failed", reason="refused")
    page = client_for(stan).get("/messages/?state=failed").content.decode()
    assert "Failed Fred" in page
    assert "Waiting Wanda" not in page


def test_the_message_page_shows_words_and_tries_but_no_personal_link(
    mailbox: Mailbox,
    queue: Queue,
    client_for: ClientFor,
    stan: User,
    django_assert_max_num_queries: Any,
) -> None:
    mailbox.on_rcpt = lambda address: "550 nobody here"
    message = queue(
        make_customer(name="Kim"), context={"link": "https://shop.example/s/secret-token/"}
    )
    send_due(NOON)
    browser = client_for(stan)
    with django_assert_max_num_queries(12):
        page = browser.get(f"/messages/{message.ref}/").content.decode()
    assert "Dear Kim" in page
    assert "nobody here" in page
    assert "secret-token" not in page


def test_an_analyst_sees_neither_words_nor_address(
    mailbox: Mailbox, queue: Queue, client_for: ClientFor, ana: User
) -> None:
    message = queue(make_customer(email="kim@customers.example"))
    send_due(NOON)
    page = client_for(ana).get(f"/messages/{message.ref}/").content.decode()
    assert "Dear" not in page
    assert "kim@customers.example" not in page


def test_a_manager_decides_about_an_unclear_message(
    queue: Queue, client_for: ClientFor, mara: User
) -> None:
    message = queue()
    Message.objects.filter(pk=message.pk).update(state="uncertain", handed_over_at=NOON)
    answer = client_for(mara).post(f"/messages/{message.ref}/sent/")
    assert answer.status_code == 302
    message.refresh_from_db()
    assert message.state == "sent"


def test_staff_may_not_decide_about_an_unclear_message(
    queue: Queue, client_for: ClientFor, stan: User
) -> None:
    message = queue()
    Message.objects.filter(pk=message.pk).update(state="uncertain", handed_over_at=NOON)
    for action in ("sent", "resend"):
        assert client_for(stan).post(f"/messages/{message.ref}/{action}/").status_code == 403
    message.refresh_from_db()
    assert message.state == "uncertain"


def test_the_customer_page_lists_the_latest_messages(
    queue: Queue, client_for: ClientFor, stan: User
) -> None:
    customer = make_customer()
    message = queue(customer)
    Message.objects.update(recorded_at=customer.recorded_at)
    page = client_for(stan).get(f"/customers/{customer.ref}/panels/").content.decode()
    assert f"/messages/{message.ref}/" in page


def test_the_api_lists_messages_by_state_and_customer(
    queue: Queue, api_client: Callable[..., Any]
) -> None:
    customer = make_customer()
    message = queue(customer)
    queue()
    program = api_client("staff")
    [row] = program.get(f"/api/v1/messages/?customer={customer.ref}&state=pending").json()[
        "results"
    ]
    assert row == {
        "ref": message.ref,
        "kind": "service",
        "channel": "email",
        "customer": customer.ref,
        "template": "hello",
        "language": "en",
        "state": "pending",
        "reason": "",
        "attempts": 0,
        "written_at": "2026-03-02T12:00:00Z",
        "due_at": "2026-03-02T12:00:00Z",
        "sent_at": None,
    }
    assert program.get(f"/api/v1/messages/{message.ref}/").json() == row
    assert program.get("/api/v1/messages/?state=nonsense").status_code == 400


def test_erasing_a_customer_takes_the_words_and_stops_what_waits(queue: Queue) -> None:
    customer, other = make_customer(), make_customer()
    message, kept = queue(customer), queue(other)
    for name in ("mailing.Message", "mailing.MessageContent"):
        erase = personal_data[name].erase
        assert erase is not None
        assert erase([customer.pk]) == 1
    message.refresh_from_db()
    assert (message.state, message.reason) == ("suppressed", "erased")
    assert list(MessageContent.objects.values_list("message_id", flat=True)) == [kept.pk]


def test_the_export_holds_a_customers_own_messages_only(queue: Queue) -> None:
    customer = make_customer()
    message = queue(customer)
    queue()
    export = personal_data["mailing.Message"].export
    assert export is not None
    assert [row["ref"] for row in export([customer.pk])] == [message.ref]
