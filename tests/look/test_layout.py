"""The frame around every page, for whoever looks at it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.messages import constants
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from accounts.models import User
from common.errors import Conflict, NotAllowed
from common.registry import menu_entries
from config.urls import urlpatterns as real_urls

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def refuse(request: HttpRequest) -> HttpResponse:
    raise Conflict("The shop <is> closed.")


def forbid(request: HttpRequest) -> HttpResponse:
    raise NotAllowed


def break_down(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret")


urlpatterns = [
    path("refuse/", refuse),
    path("forbid/", forbid),
    path("break/", break_down),
    *real_urls,
]
handler500 = "config.failures.server_error"
with_failing_pages = pytest.mark.urls("tests.look.test_layout")


def test_staff_get_the_menu_of_their_role(client_for: Any, ana: User) -> None:
    page = client_for(ana).get("/").content.decode()
    shown = set(re.findall(r'class="sidebar-link"[^>]*>.*?<span>(.*?)</span>', page, re.DOTALL))
    assert shown == {str(entry.label) for entry in menu_entries if "analyst" in entry.roles}


def test_the_menu_marks_where_one_is(client_for: Any, alice: User) -> None:
    client = client_for(alice)
    for address in ("/", "/customers/"):
        page = client.get(address).content.decode()
        current = re.findall(
            r'<a href="([^"]*)"\s+class="sidebar-link"\s+aria-current="page"', page
        )
        assert current == [address]


def test_staff_search_customers_from_every_page(client_for: Any, stan: User) -> None:
    page = client_for(stan).get("/").content.decode()
    assert re.search(r'<form class="topbar-search" method="get" action="/customers/"', page)
    assert 'id="global-search"' in page


def test_customers_get_neither_menu_nor_search(client_for: Any, kim: User) -> None:
    page = client_for(kim).get("/me/").content.decode()
    assert "plain-header" in page
    assert "sidebar" not in page
    assert "global-search" not in page
    assert 'action="/accounts/logout/"' in page


def test_visitors_get_neither_menu_nor_account(client: Client) -> None:
    page = client.get("/").content.decode()
    assert "sidebar" not in page
    assert "user-menu" not in page
    assert "global-search" not in page


@pytest.mark.parametrize("language", ["en", "ru", "zh-hans"])
def test_every_page_offers_the_languages_in_their_own_names(client: Client, language: str) -> None:
    client.post("/i18n/setlang/", {"language": language, "next": "/"})
    page = client.get("/").content.decode()
    for name in ("English", "Русский", "简体中文"):
        assert f">{name}</button>" in page


@pytest.mark.parametrize("language", ["ru", "zh-hans"])
def test_the_page_says_its_language(client: Client, language: str) -> None:
    client.post("/i18n/setlang/", {"language": language, "next": "/"})
    assert f'<html lang="{language}">' in client.get("/").content.decode()


def test_the_theme_is_set_before_anything_is_painted(client: Client) -> None:
    head = client.get("/").content.decode().split("</head>")[0]
    assert head.index("js/theme.js") < head.index("vendor/tabler.css")
    assert not re.search(r"<script[^>]*theme\.js[^>]*(defer|async)", head)


def test_no_page_carries_inline_script_or_style(client_for: Any, alice: User) -> None:
    for client, address in ((Client(), "/"), (client_for(alice), "/"), (Client(), "/nowhere/")):
        page = client.get(address).content.decode()
        assert not re.search(r"<script(?![^>]*(src=|application/json))", page)
        assert not re.search(r"<style|\sstyle=|\son\w+=", page)


def test_signing_out_is_a_post(client_for: Any, alice: User) -> None:
    page = client_for(alice).get("/").content.decode()
    assert re.search(r'<form method="post" action="/accounts/logout/">', page)
    assert 'href="/accounts/logout/"' not in page


def test_messages_are_announced_and_failures_stay(rf: RequestFactory) -> None:
    from django.contrib.messages.storage.base import Message
    from django.template.loader import render_to_string

    messages = [Message(constants.SUCCESS, "Saved."), Message(constants.ERROR, "Broke <it>.")]
    page = render_to_string("parts/messages.html", {"messages": messages})
    assert re.search(r'role="status" data-seconds="6">.*?Saved\.', page, re.DOTALL)
    assert re.search(r'role="alert" data-seconds="0">.*?Broke &lt;it&gt;\.', page, re.DOTALL)


@with_failing_pages
def test_a_refusal_says_why_and_that_nothing_changed(client_for: Any, alice: User) -> None:
    response = client_for(alice).get("/refuse/")
    assert response.status_code == 409
    page = response.content.decode()
    assert "The shop &lt;is&gt; closed." in page
    assert "Nothing was changed." in page


@with_failing_pages
def test_a_forbidden_page_says_who_can_help(client_for: Any, ana: User) -> None:
    response = client_for(ana).get("/forbid/")
    assert response.status_code == 403
    assert "An admin can give you another role" in response.content.decode()


def test_an_unknown_address_says_what_to_do(client: Client, client_for: Any, alice: User) -> None:
    for browser in (client, client_for(alice)):
        response = browser.get("/nowhere/")
        assert response.status_code == 404
        assert "The address may be mistyped" in response.content.decode()


def test_only_colleagues_are_told_to_search(client: Client, client_for: Any, alice: User) -> None:
    assert "Search by name" in client_for(alice).get("/nowhere/").content.decode()
    assert "Search by name" not in client.get("/nowhere/").content.decode()


@with_failing_pages
def test_a_failure_gives_a_reference_and_no_detail(client: Client) -> None:
    client.raise_request_exception = False
    response = client.get("/break/")
    assert response.status_code == 500
    page = response.content.decode()
    assert len(response["X-Request-ID"]) == 36
    assert f"<code>{response['X-Request-ID']}</code>" in page
    assert "a secret" not in page


@with_failing_pages
def test_a_failure_page_needs_no_database(client: Client, django_assert_num_queries: Any) -> None:
    client.raise_request_exception = False
    with django_assert_num_queries(0):
        assert client.get("/break/").status_code == 500


def test_a_broken_failure_page_still_answers(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from config import failures

    def fail(_name: str) -> None:
        raise OSError

    monkeypatch.setattr(failures.loader, "get_template", fail)
    response = failures.server_error(rf.get("/"))
    assert response.status_code == 500
    assert b"Something broke on our side" in response.content
