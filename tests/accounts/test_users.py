"""Users, keys and languages: the services and Django's admin over them."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from accounts.models import ApiKey, Role, User
from accounts.services import (
    EmailTaken,
    LastAdmin,
    change_language,
    change_user,
    create_user,
    erase_user,
    revoke_api_key,
)
from common.errors import InvalidInput, NotFound
from common.models import Event
from crm.logins import erase_logins, export_logins
from tests.cast import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_an_address_is_used_once_whatever_its_case(stan: User) -> None:
    with pytest.raises(EmailTaken):
        create_user(email=stan.email.upper(), role=Role.ADMIN)
    assert User.objects.count() == 1


def test_a_change_of_role_leaves_a_trace(stan: User) -> None:
    change_user(
        user_id=stan.pk, role=Role.MANAGER, is_active=True, happened_at=NOON, actor="user:1"
    )
    stan.refresh_from_db()
    assert stan.role == Role.MANAGER
    event = Event.objects.get(kind="user.changed")
    assert (event.actor, event.codes) == ("user:1", {"role": "manager", "is_active": True})


def test_the_last_admin_stays(alice: User) -> None:
    for role, is_active in [(Role.STAFF, True), (Role.ADMIN, False)]:
        with pytest.raises(LastAdmin):
            change_user(
                user_id=alice.pk, role=role, is_active=is_active, happened_at=NOON, actor="user:1"
            )
    alice.refresh_from_db()
    assert (alice.role, alice.is_active) == (Role.ADMIN, True)


def test_one_of_two_admins_may_go(alice: User) -> None:
    create_user(email="second@keepwell.example", role=Role.ADMIN)
    change_user(user_id=alice.pk, role=Role.STAFF, is_active=True, happened_at=NOON, actor="user:1")
    alice.refresh_from_db()
    assert alice.role == Role.STAFF


def test_closing_an_account_ends_its_sessions(stan: User, alice: User) -> None:
    client = Client()
    client.force_login(stan)
    assert client.get("/complaints/").status_code == 200
    change_user(user_id=stan.pk, role=Role.STAFF, is_active=False, happened_at=NOON, actor="user:1")
    assert client.get("/complaints/").status_code == 302


def test_erasing_a_user_forgets_who_it_was_and_keeps_the_row(kim: User) -> None:
    Authenticator.objects.create(user=kim, type="totp", data={"secret": "x"})
    erase_user(user_id=kim.pk, happened_at=NOON, actor="user:1")
    kim.refresh_from_db()
    assert (kim.email, kim.name, kim.is_active) == (f"{kim.pk}@erased.invalid", "", False)
    assert not Authenticator.objects.exists()
    assert "kim" not in str(list(Event.objects.filter(subject_kind="user").values())).lower()


def test_a_customers_login_is_exported_and_erased_with_the_customer(kim: User, pat: User) -> None:
    assert [row["email"] for row in export_logins([kim.customer.pk])] == [kim.email]
    assert erase_logins([kim.customer.pk]) == 1
    kim.refresh_from_db()
    pat.refresh_from_db()
    assert (kim.is_active, pat.is_active) == (False, True)
    assert erase_logins([kim.customer.pk]) == 0


def test_a_language_is_remembered_and_wins_over_the_browsers(stan: User) -> None:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(stan)
    answer = client.post("/i18n/setlang/", {"language": "ru", "next": "/complaints/"})
    assert (answer.status_code, answer.url) == (302, "/complaints/")
    stan.refresh_from_db()
    assert stan.language == "ru"
    elsewhere = Client(headers={"Accept-Language": "en"})
    elsewhere.force_login(stan)
    assert elsewhere.get("/complaints/")["Content-Language"] == "ru"
    assert Client(headers={"Accept-Language": "en"}).get("/accounts/login/")[
        "Content-Language"
    ] == ("en")


def test_a_visitor_switches_the_language_by_cookie() -> None:
    client = Client(headers={"Accept-Language": "en"})
    client.post("/i18n/setlang/", {"language": "zh-hans"})
    assert client.get("/accounts/login/")["Content-Language"] == "zh-hans"


@pytest.mark.parametrize("language", ["xx", "../..", "\ud800", "en\x00"])
def test_a_language_we_do_not_have_changes_nothing(stan: User, language: str) -> None:
    client = Client()
    client.force_login(stan)
    assert client.post("/i18n/setlang/", {"language": language.encode("utf-8", "replace")})
    with pytest.raises(InvalidInput):
        change_language(user_id=stan.pk, language=language)
    stan.refresh_from_db()
    assert stan.language == ""


def test_no_other_site_is_led_to_after_switching() -> None:
    answer = Client().post("/i18n/setlang/", {"language": "ru", "next": "https://evil.example/"})
    assert "evil" not in answer.url


def test_an_unknown_key_cannot_be_revoked() -> None:
    with pytest.raises(NotFound):
        revoke_api_key(key_id=1, happened_at=NOON, actor="user:1")


class TestAdmin:
    """``/admin/`` calls the services."""

    @pytest.fixture
    def browser(self, alice: User) -> Client:
        client = Client()
        client.force_login(alice)
        return client

    def test_it_adds_a_colleague(self, browser: Client) -> None:
        fields = {"email": "New@Keepwell.example", "name": "New", "role": "staff"}
        browser.post("/admin/accounts/user/add/", fields)
        user = User.objects.get(email="new@keepwell.example")
        assert (user.role, user.has_usable_password()) == ("staff", False)
        assert Event.objects.filter(kind="user.created", subject_ref=str(user.pk)).exists()

    def test_it_does_not_make_customers(self, browser: Client) -> None:
        fields = {"email": "new@keepwell.example", "name": "New", "role": "customer"}
        browser.post("/admin/accounts/user/add/", fields)
        assert not User.objects.filter(email="new@keepwell.example").exists()

    def test_it_changes_a_role(self, browser: Client, stan: User) -> None:
        fields = {"role": "analyst", "is_active": "on"}
        browser.post(f"/admin/accounts/user/{stan.pk}/change/", fields)
        stan.refresh_from_db()
        assert (stan.role, stan.email) == ("analyst", "stan@keepwell.example")

    def test_it_keeps_the_last_admin(self, browser: Client, alice: User) -> None:
        fields = {"role": "staff", "is_active": "on"}
        answer = browser.post(f"/admin/accounts/user/{alice.pk}/change/", fields, follow=True)
        alice.refresh_from_db()
        assert alice.role == Role.ADMIN
        assert "administers the system" in answer.text

    def test_it_shows_a_new_key_once(self, browser: Client) -> None:
        fields = {"name": "shop", "role": "staff"}
        answer = browser.post("/admin/accounts/apikey/add/", fields, follow=True)
        secret = next(word for word in answer.text.split() if word.startswith("kw_"))
        assert secret.split("<")[0] not in browser.get("/admin/accounts/apikey/").text
        assert ApiKey.objects.get().role == "staff"

    def test_it_revokes_keys(self, browser: Client) -> None:
        browser.post("/admin/accounts/apikey/add/", {"name": "shop", "role": "staff"})
        key = ApiKey.objects.get()
        chosen = {"action": "revoke", "_selected_action": [key.pk]}
        browser.post("/admin/accounts/apikey/", chosen)
        key.refresh_from_db()
        assert key.revoked_at is not None

    def test_it_lets_a_colleague_set_up_a_new_second_factor(
        self, browser: Client, stan: User
    ) -> None:
        Authenticator.objects.create(user=stan, type="totp", data={"secret": "x"})
        chosen = {"action": "reset_second_factor", "_selected_action": [stan.pk]}
        browser.post("/admin/accounts/user/", chosen)
        assert not Authenticator.objects.exists()
        assert Event.objects.filter(kind="user.second_factor_reset").count() == 1

    def test_it_shows_no_addresses_secrets_or_groups_of_the_libraries(
        self, browser: Client
    ) -> None:
        page = browser.get("/admin/").text
        for url in ("/admin/account/", "/admin/mfa/", "/admin/auth/", "/admin/axes/"):
            assert url not in page

    def test_it_deletes_nobody(self, browser: Client, stan: User) -> None:
        assert browser.post(f"/admin/accounts/user/{stan.pk}/delete/").status_code == 403
        assert User.objects.filter(pk=stan.pk).exists()


def test_time_tells_nothing_because_mail_is_sent_beside_the_request(
    kim: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail server that takes two seconds does not delay the answer."""
    sent = threading.Event()

    def slow(self: EmailBackend, messages: Any) -> int:
        time.sleep(2)
        sent.set()
        return len(messages)

    monkeypatch.setattr(EmailBackend, "send_messages", slow)
    settings.SIGN_IN_MAIL_IN_BACKGROUND = True
    started = time.monotonic()
    Client().post("/accounts/login/code/", {"email": kim.email})
    assert time.monotonic() - started < 1.9
    assert sent.wait(10)


def test_a_second_factor_is_asked_of_everyone_who_works_here() -> None:
    assert [role for role in Role if User(role=role).works_here] == [
        Role.ADMIN,
        Role.MANAGER,
        Role.STAFF,
        Role.ANALYST,
    ]
