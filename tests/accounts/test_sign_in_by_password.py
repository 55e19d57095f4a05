"""The business's people sign in by password and a second factor."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail
from django.test import Client

from accounts.models import User
from tests.cast import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
LOGIN = "/accounts/login/"
ACTIVATE, AUTHENTICATE = "/accounts/2fa/totp/activate/", "/accounts/2fa/authenticate/"
REAUTHENTICATE = "/accounts/2fa/reauthenticate/"
PAGE_WITH_MENU = "/"
PAGE = "/admin/"  # a page of the business's people that is always there


@pytest.fixture
def _second_factor(settings: Any) -> None:
    settings.REQUIRE_STAFF_TOTP = True


second_factor_required = pytest.mark.usefixtures("_second_factor")


def log_in(user: User, password: str = PASSWORD, **extra: Any) -> Client:
    client = Client()
    fields = {"login": user.email, "password": password}
    client.response = client.post(LOGIN, fields, **extra)  # type: ignore[attr-defined]
    return client


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def code_for(secret: str, step: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step))


def enrol(client: Client) -> str:
    assert client.get(ACTIVATE).status_code == 200
    secret = client.session["mfa.totp.secret"]
    answer = client.post(ACTIVATE, {"code": code_for(secret)})
    assert answer.status_code == 302, answer.text
    return str(secret)


def test_recovery_codes_say_what_they_are_for_and_lead_on(stan: User) -> None:
    client = log_in(stan)
    enrol(client)
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert "should you lose your phone" in page
    assert page.count("<li>\n          <code>") == 10
    assert '<a class="btn btn-primary" href="/">' in page


def test_a_password_signs_a_colleague_in(stan: User) -> None:
    assert is_signed_in(log_in(stan))


def test_the_address_is_not_case_sensitive(stan: User) -> None:
    client = Client()
    client.post(LOGIN, {"login": stan.email.upper(), "password": PASSWORD})
    assert is_signed_in(client)


def test_a_wrong_password_does_not(stan: User) -> None:
    client = log_in(stan, "wrong")
    assert client.response.status_code == 200
    assert not is_signed_in(client)


def test_unknown_addresses_get_the_same_refusal(stan: User) -> None:
    stan.email, known = "nobody@example.com", log_in(stan, "wrong")
    unknown = log_in(stan, "wrong")
    errors = [client.response.context["form"].errors for client in (known, unknown)]
    assert errors[0] == errors[1] != {}


def test_a_customer_cannot_sign_in_by_password_even_with_one(kim: User) -> None:
    kim.set_password(PASSWORD)
    kim.save()
    assert not is_signed_in(log_in(kim))


def test_a_closed_account_stays_closed(stan: User) -> None:
    stan.is_active = False
    stan.save()
    assert not is_signed_in(log_in(stan))


@second_factor_required
def test_whoever_has_no_second_factor_is_led_to_set_one_up(alice: User) -> None:
    client = log_in(alice)
    answer = client.get(PAGE)
    assert (answer.status_code, answer.url) == (302, ACTIVATE)
    enrol(client)
    assert client.get(PAGE).status_code == 200


@second_factor_required
def test_until_it_is_shown_there_is_no_menu_and_nothing_asks_for_fragments(alice: User) -> None:
    client = log_in(alice)
    page = client.get(ACTIVATE).content.decode()
    assert "sidebar" not in page
    assert "hx-get" not in page
    assert "/accounts/logout/" in page
    enrol(client)
    assert "sidebar" in client.get(PAGE_WITH_MENU).content.decode()


@second_factor_required
def test_a_fragment_takes_its_whole_page_to_the_second_factor(alice: User) -> None:
    answer = log_in(alice).get("/notifications/bell/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, ACTIVATE)


@second_factor_required
def test_without_a_second_factor_the_api_is_closed_to_the_session(alice: User) -> None:
    answer = log_in(alice).get("/api/v1/schema/")
    assert answer.status_code == 403
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "second_factor"


@second_factor_required
def test_whoever_has_one_shows_it_at_sign_in(alice: User) -> None:
    secret = enrol(log_in(alice))
    client = log_in(alice)
    assert client.response.url == AUTHENTICATE
    assert not is_signed_in(client)
    client.post(AUTHENTICATE, {"code": "000000"})
    assert not is_signed_in(client)
    client.post(AUTHENTICATE, {"code": code_for(secret)})
    assert is_signed_in(client)
    assert client.get(PAGE).status_code == 200


@second_factor_required
def test_a_code_of_the_second_factor_works_once(alice: User) -> None:
    secret = enrol(log_in(alice))
    code = code_for(secret)
    log_in(alice).post(AUTHENTICATE, {"code": code})
    second = log_in(alice)
    second.post(AUTHENTICATE, {"code": code})
    assert not is_signed_in(second)


@second_factor_required
def test_a_session_from_before_the_second_factor_must_show_it_too(alice: User) -> None:
    early = log_in(alice)
    enrol(log_in(alice))
    answer = early.get(PAGE)
    assert answer.status_code == 302
    assert answer.url.startswith(REAUTHENTICATE)


@second_factor_required
def test_the_second_factor_cannot_be_dropped(alice: User) -> None:
    client = log_in(alice)
    enrol(client)
    client.post("/accounts/2fa/totp/deactivate/")
    assert Authenticator.objects.filter(user=alice, type="totp").exists()


@second_factor_required
def test_customers_need_no_second_factor(kim: User, client_for: Any) -> None:
    answer = client_for(kim).get("/me/")
    assert answer.status_code != 302


def test_customers_find_no_pages_about_passwords(kim: User, client_for: Any) -> None:
    client = client_for(kim)
    for url in (ACTIVATE, "/accounts/2fa/", "/accounts/password/change/"):
        assert client.get(url).status_code == 404


def test_there_is_no_sign_up() -> None:
    assert Client().get("/accounts/signup/").status_code == 404


def test_five_wrong_passwords_close_an_account_for_a_while_from_anywhere(stan: User) -> None:
    for n in range(5):
        log_in(stan, "wrong", REMOTE_ADDR=f"192.0.2.{n}")
    assert not is_signed_in(log_in(stan, REMOTE_ADDR="192.0.2.99"))


def test_other_accounts_are_not_closed_with_it(stan: User, mara: User) -> None:
    for _n in range(5):
        log_in(stan, "wrong")
    assert is_signed_in(log_in(mara))


def test_ten_wrong_passwords_close_the_pair_of_account_and_address(
    stan: User, settings: Any
) -> None:
    settings.ACCOUNT_RATE_LIMITS = False  # the other, faster limit
    answers = [log_in(stan, "wrong").response.status_code for _n in range(11)]
    assert answers[:9] == [200] * 9
    assert answers[-1] == 429
    assert not is_signed_in(log_in(stan))
    assert is_signed_in(log_in(stan, REMOTE_ADDR="192.0.2.99"))


def test_behind_a_proxy_the_clients_own_address_counts(stan: User, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = False
    settings.TRUSTED_PROXIES = 1
    for n in range(11):
        claimed = f"198.51.100.{n}, 192.0.2.1"
        log_in(stan, "wrong", HTTP_X_FORWARDED_FOR=claimed)
    assert not is_signed_in(log_in(stan, HTTP_X_FORWARDED_FOR="192.0.2.1"))
    assert is_signed_in(log_in(stan, HTTP_X_FORWARDED_FOR="192.0.2.1, 192.0.2.2"))


def test_a_colleague_sets_a_new_password_by_mail(stan: User) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": stan.email})
    (link,) = re.findall(r"https?://[^/]+(/accounts/password/reset/key/\S+)", mail.outbox[0].body)
    page = client.get(link, follow=True)
    assert not is_signed_in(client)
    new = {"password1": "another good passphrase", "password2": "another good passphrase"}
    client.post(page.redirect_chain[-1][0], new)
    assert not is_signed_in(client)
    assert is_signed_in(log_in(stan, "another good passphrase"))


def test_customers_and_strangers_get_no_password_mail(kim: User) -> None:
    answers = [
        Client().post("/accounts/password/reset/", {"email": email})
        for email in (kim.email, "nobody@example.com")
    ]
    assert [(answer.status_code, answer.url) for answer in answers] == [
        (302, "/accounts/password/reset/done/")
    ] * 2
    assert mail.outbox == []


def test_a_session_cookie_is_not_readable_by_scripts(stan: User) -> None:
    assert log_in(stan).cookies["sessionid"]["httponly"]


def test_signing_out_takes_a_post(stan: User) -> None:
    client = log_in(stan)
    client.get("/accounts/logout/")
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    assert not is_signed_in(client)
