"""The way out: RFC 8058 one-click, and a page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from common.models import Event
from crm.models import ConsentEvent, Customer
from crm.selectors import has_consent
from mailing.models import Message, Suppression
from mailing.services import send_due
from mailing.services.suppressions import unsubscribe_token
from tests.cast import NOON, make_customer
from tests.mailing.conftest import Mailbox

Queue = Callable[..., Message]

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    return make_customer(email="kim@customers.example", consent=True, language="ru")


@pytest.fixture
def link(customer: Customer, queue: Queue) -> str:
    return f"/u/{unsubscribe_token(queue(customer, kind='survey'))}/"


def test_a_post_without_cookies_unsubscribes_at_once(customer: Customer, link: str) -> None:
    program = Client(enforce_csrf_checks=True)
    answer = program.post(link, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert not answer.cookies
    assert not has_consent(customer.pk, "surveys")
    assert has_consent(customer.pk, "marketing")
    consent = ConsentEvent.objects.latest("id")
    assert (consent.purpose, consent.source) == ("surveys", "unsubscribe")
    suppression = Suppression.objects.get()
    assert (suppression.kind, suppression.purpose) == ("unsubscribed", "surveys")


def test_pressing_the_button_on_the_page_needs_no_cookie_either(
    customer: Customer, link: str
) -> None:
    answer = Client(enforce_csrf_checks=True).post(link)
    assert answer.status_code == 200
    assert not has_consent(customer.pk, "surveys")


def test_opening_the_page_changes_nothing(customer: Customer, link: str) -> None:
    answer = Client().get(link)
    assert answer.status_code == 200
    assert b'<form method="post"' in answer.content
    assert has_consent(customer.pk, "surveys")
    assert not Suppression.objects.exists()


def test_posting_again_changes_nothing_more(link: str) -> None:
    for _ in range(2):
        assert Client().post(link).status_code == 200
    assert Suppression.objects.count() == 1
    assert Event.objects.filter(kind="consent.withdrawn").count() == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_made_up_token_is_not_found(link: str, method: str) -> None:
    wrong = link[:-3] + ("aa/" if not link.endswith("aa/") else "bb/")
    assert getattr(Client(), method)(wrong).status_code == 404
    assert getattr(Client(), method)("/u/nothing/").status_code == 404
    assert not Suppression.objects.exists()


def test_service_mail_has_no_way_out(customer: Customer, queue: Queue) -> None:
    token = unsubscribe_token(queue(customer, kind="service"))
    assert Client().post(f"/u/{token}/").status_code == 404


def test_the_link_in_the_header_works_and_stops_what_waits(
    customer: Customer, queue: Queue, mailbox: Mailbox
) -> None:
    queue(customer, kind="marketing")
    send_due(NOON)
    header = str(mailbox.taken[0]["List-Unsubscribe"])
    path = header.strip("<>").split("127.0.0.1:8000")[1]
    waiting = queue(customer, kind="marketing")
    assert Client(enforce_csrf_checks=True).post(path).status_code == 200
    send_due(NOON + timedelta(minutes=1))
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("suppressed", "unsubscribed")
    assert len(mailbox.taken) == 1


def test_the_page_speaks_the_customers_language(link: str) -> None:
    answer = Client(headers={"accept-language": "zh-hans"}).get(link)
    assert answer.headers["Content-Language"] == "ru"
