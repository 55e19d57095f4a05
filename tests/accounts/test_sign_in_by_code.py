"""Customers sign in by a code sent to their address."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts.models import Role, User
from crm.models import Customer
from crm.services import update_customer
from tests.cast import NOON, make_customer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
REQUEST, CONFIRM = "/accounts/login/code/", "/accounts/login/code/confirm/"


def ask(email: str, client: Client | None = None, **extra: Any) -> Client:
    client = client or Client()
    client.response = client.post(REQUEST, {"email": email}, **extra)  # type: ignore[attr-defined]
    return client


def mailed_code() -> str:
    found = re.search(r"^(\d{6})$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found, mail.outbox[-1].body
    return found[1]


def signed_in(client: Client) -> User | None:
    user_id = client.session.get("_auth_user_id")
    return User.objects.get(pk=user_id) if user_id else None


def test_a_known_customer_signs_in_for_the_first_time() -> None:
    customer = make_customer(name="Nina", email="Nina@Example.com", language="ru")
    client = ask("nina@example.COM")
    assert client.response.status_code == 302
    assert client.response.url == CONFIRM
    assert mail.outbox[-1].to == ["nina@example.com"]
    answer = client.post(CONFIRM, {"code": mailed_code()})
    assert answer.status_code == 302
    user = signed_in(client)
    customer.refresh_from_db()
    assert user == customer.user
    assert (user.email, user.name, user.language) == ("nina@example.com", "Nina", "ru")
    assert user.role == Role.CUSTOMER
    assert not user.has_usable_password()


def test_the_mail_is_in_the_customers_language() -> None:
    make_customer(email="nina@example.com", language="ru")
    ask("nina@example.com")
    assert re.search("[а-я]", mail.outbox[-1].subject + str(mail.outbox[-1].body))


def test_a_wrong_code_does_not_sign_in(kim: User) -> None:
    client = ask(kim.email)
    wrong = "000000" if mailed_code() != "000000" else "000001"
    assert client.post(CONFIRM, {"code": wrong}).status_code == 200
    assert signed_in(client) is None


def test_the_third_wrong_code_ends_the_attempt(kim: User) -> None:
    client = ask(kim.email)
    code = mailed_code()
    wrong = "000000" if code != "000000" else "000001"
    for _attempt in range(3):
        client.post(CONFIRM, {"code": wrong})
    client.post(CONFIRM, {"code": code})
    assert signed_in(client) is None


def test_a_code_works_only_in_the_browser_that_asked(kim: User) -> None:
    ask(kim.email)
    stranger = Client()
    stranger.post(CONFIRM, {"code": mailed_code()})
    assert signed_in(stranger) is None


def test_a_code_works_once(kim: User) -> None:
    client = ask(kim.email)
    code = mailed_code()
    client.post(CONFIRM, {"code": code})
    client.post("/accounts/logout/")
    client.post(CONFIRM, {"code": code})
    assert signed_in(client) is None


def test_getting_a_link_never_signs_in(kim: User) -> None:
    client = ask(kim.email)
    code = mailed_code()
    for url in (CONFIRM, REQUEST, "/accounts/login/"):
        client.get(url, {"code": code, "email": kim.email})
        client.head(url, {"code": code})
        assert signed_in(client) is None


def test_the_answer_is_the_same_for_unknown_addresses(kim: User) -> None:
    known, unknown = ask(kim.email), ask("nobody@example.com")
    assert len(mail.outbox) == 1
    assert known.response.status_code == unknown.response.status_code == 302
    assert known.response.url == unknown.response.url
    pages = [
        re.sub(r"[A-Za-z0-9_=-]{22,}", "", client.get(CONFIRM).text)  # tokens and nonces
        for client in (known, unknown)
    ]
    assert pages[0].replace(kim.email, "X") == pages[1].replace("nobody@example.com", "X")


def test_no_user_comes_into_being_for_an_unknown_address() -> None:
    ask("nobody@example.com")
    assert not User.objects.exists()


def test_staff_get_no_code(stan: User) -> None:
    client = ask(stan.email)
    assert client.response.url == CONFIRM
    assert mail.outbox == []


def test_a_closed_account_gets_no_code(kim: User) -> None:
    User.objects.filter(pk=kim.pk).update(is_active=False)
    ask(kim.email)
    assert mail.outbox == []


def test_an_address_of_two_customers_gets_no_code() -> None:
    make_customer(email="both@example.com")
    make_customer(email="both@example.com")
    ask("both@example.com")
    assert mail.outbox == []
    assert not User.objects.exists()


def test_a_customers_new_address_is_the_one_that_works(kim: User) -> None:
    update_customer(
        customer_id=kim.customer.pk, happened_at=NOON, actor="system", email="new@example.com"
    )
    ask("kim@customers.example")
    assert mail.outbox == []
    client = ask("new@example.com")
    client.post(CONFIRM, {"code": mailed_code()})
    assert signed_in(client) == kim
    kim.refresh_from_db()
    assert kim.email == "new@example.com"


def test_whoever_takes_over_an_address_does_not_take_over_the_account(kim: User) -> None:
    update_customer(
        customer_id=kim.customer.pk, happened_at=NOON, actor="system", email="new@example.com"
    )
    heir = make_customer(name="Heir", email="kim@customers.example")
    client = ask("kim@customers.example")
    client.post(CONFIRM, {"code": mailed_code()})
    heir.refresh_from_db()
    assert signed_in(client) == heir.user != kim
    assert Customer.objects.get(user=kim) == kim.customer


def test_an_account_is_sent_at_most_three_codes_a_minute(kim: User) -> None:
    answers = [ask(kim.email, REMOTE_ADDR=f"192.0.2.{n}").response.status_code for n in range(1, 5)]
    assert answers == [302, 302, 302, 200]
    assert len(mail.outbox) == 3


def test_unknown_addresses_meet_the_same_limit() -> None:
    answers = [ask("nobody@example.com").response.status_code for _n in range(4)]
    assert answers == [302, 302, 302, 200]


def test_one_client_asks_for_at_most_twenty_codes_a_minute() -> None:
    answers = [ask(f"n{n}@example.com").response.status_code for n in range(21)]
    assert answers == [302] * 20 + [200]


def test_a_claimed_forwarding_address_does_not_lift_the_limit() -> None:
    answers = [
        ask(f"n{n}@example.com", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}").response.status_code
        for n in range(21)
    ]
    assert answers[-1] == 200


def test_a_mail_server_that_fails_changes_nothing_in_the_answer(kim: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    client = ask(kim.email)
    assert (client.response.status_code, client.response.url) == (302, CONFIRM)


@pytest.mark.parametrize("rubbish", ["", "x", "a@b@c", "\x00@example.com", "ａ@\u202eexample.com"])
def test_rubbish_is_refused_on_the_field(rubbish: str) -> None:
    client = ask(rubbish)
    assert client.response.status_code == 200
    assert client.response.context["form"].errors["email"]
