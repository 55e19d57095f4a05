"""The look in a real browser: readable, operable by keyboard, within the window, within the CSP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.test import Client
from django.urls import path
from playwright.sync_api import Page, expect

from config.urls import urlpatterns as real_urls
from scripts.build_assets import ROOT
from tests.browsing import browsing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.system,
    pytest.mark.any_database,
    pytest.mark.django_db(transaction=True),
]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LINE = {
    "type": "line", "unit": "percent", "labels": ["Q1", "Q2", "Q3"],
    "complete": [True, True, False], "limit": {"value": "0.6", "label": "Limit"},
    "series": [{"name": "Kept", "values": ["0.71", None, "0.64"], "low": ["0.66", None, "0.58"],
                "high": ["0.75", None, "0.70"]}],
}  # fmt: skip
BAR = {
    "type": "bar", "unit": "money", "currency": "EUR", "labels": ["Mon", "Tue"],
    "series": [{"name": "Revenue", "values": [10, 20]}],
}  # fmt: skip
HEAT = {
    "type": "heat", "unit": "percent", "labels": ["0", "1", "2"], "corner": "First bought",
    "size_label": "Customers",
    "series": [
        {"name": "May", "size": 20, "values": [1, "0.5", "0.25"], "links": ["/", "/?may", "/"]},
        {"name": "June", "size": 12, "values": [1, "0.75", None]},
    ],
}  # fmt: skip


def charts(request: HttpRequest) -> HttpResponse:
    return render(request, "look/charts.html", {"line": LINE, "bar": BAR, "heat": HEAT})


urlpatterns = [path("charts/", charts), *real_urls]
handler500 = "config.failures.server_error"
PAGE = """
{% extends "base.html" %}{% load keepwell %}
{% block title %}Charts{% endblock %}
{% block content %}
  <div class="card">{% chart line "line" caption="Kept by quarter" %}</div>
  <div class="card">{% chart bar "bar" caption="Revenue" %}</div>
  <div class="card">{% chart heat "heat" caption="Came back" %}</div>
{% endblock %}
"""


@pytest.fixture
def visit(live_server: Any, settings: Any) -> Callable[..., Any]:
    """``visit(user, …options of the browser) -> (page, complaints)``, signed in as the user."""

    @contextmanager
    def start(user: Any = None, **options: Any) -> Iterator[tuple[Page, list[str]]]:
        cookies = []
        if user is not None:  # before the browser starts: beside it, Django refuses its database
            client = Client()
            client.force_login(user)
            name = settings.SESSION_COOKIE_NAME
            value = client.cookies[name].value
            cookies.append({"name": name, "value": value, "url": live_server.url})
        with browsing(base_url=live_server.url, locale="en", **options) as (context, complaints):
            context.add_cookies(cookies)
            yield context.new_page(), complaints

    return start


def problems_of(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def overflow_of(page: Page) -> int:
    return int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_main_pages_are_accessible(visit: Any, alice: Any, scheme: str) -> None:
    with visit(alice, color_scheme=scheme, bypass_csp=True) as (page, _complaints):
        for address in ("/", "/customers/", "/accounts/2fa/", "/nowhere/"):
            page.goto(address)
            assert problems_of(page) == [], address


def test_the_doors_are_accessible_in_every_language(visit: Any) -> None:
    with visit(color_scheme="dark", bypass_csp=True) as (page, _complaints):
        for language in ("ru", "zh-hans", "en"):
            page.goto("/")
            page.click(f".preferences button[value='{language}']")
            assert page.get_attribute("html", "lang") == language
            for address in ("/", "/accounts/login/", "/accounts/login/code/"):
                page.goto(address)
                assert problems_of(page) == [], address


def test_nothing_is_wider_than_a_small_phone(visit: Any, alice: Any) -> None:
    with visit(alice, viewport={"width": 360, "height": 700}) as (page, complaints):
        for address in ("/", "/customers/", "/accounts/2fa/"):
            page.goto(address)
            assert overflow_of(page) == 0, address
        assert complaints == []


def test_the_menu_opens_and_closes_on_a_phone(visit: Any, alice: Any) -> None:
    with visit(alice, viewport={"width": 360, "height": 700}) as (page, complaints):
        page.goto("/")
        customers = page.locator("#sidebar").get_by_role("link", name="Customers")
        expect(customers).to_be_hidden()
        page.click(".topbar-toggle")
        expect(page.locator("#sidebar")).to_be_focused()
        page.keyboard.press("Escape")
        expect(customers).to_be_hidden()
        page.click(".topbar-toggle")
        customers.click()
        page.wait_for_url("**/customers/")
        assert complaints == []


def test_a_slash_goes_to_the_search_and_enter_searches(visit: Any, alice: Any) -> None:
    with visit(alice) as (page, complaints):
        page.goto("/")
        page.keyboard.press("/")
        page.keyboard.type("kim / 7")
        page.keyboard.press("Enter")
        page.wait_for_url("**/customers/?q=kim+%2F+7")
        assert complaints == []


def test_the_first_tab_offers_to_skip_the_menu(visit: Any, alice: Any) -> None:
    with visit(alice) as (page, _complaints):
        page.goto("/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip-link"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def test_the_theme_follows_the_device_until_one_is_chosen(visit: Any) -> None:
    with visit(color_scheme="dark") as (page, complaints):
        page.goto("/")
        assert page.get_attribute("html", "data-bs-theme") == "dark"
        page.click("[data-theme-choice=light]")
        page.reload()
        assert page.get_attribute("html", "data-bs-theme") == "light"
        assert page.get_attribute("[data-theme-choice=light]", "aria-pressed") == "true"
        page.click("[data-theme-choice=auto]")
        assert page.get_attribute("html", "data-bs-theme") == "dark"
        assert complaints == []


def test_the_user_menu_signs_out(visit: Any, alice: Any) -> None:
    with visit(alice) as (page, complaints):
        page.goto("/")
        page.click(".user-menu-button")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in with a password")).to_be_visible()
        assert complaints == []


@pytest.mark.urls("tests.look.test_browser")
def test_charts_are_drawn_within_the_content_security_policy(
    visit: Any, alice: Any, settings: Any, tmp_path: Any
) -> None:
    (tmp_path / "look").mkdir()
    (tmp_path / "look" / "charts.html").write_text(PAGE)
    settings.TEMPLATES = [
        {**settings.TEMPLATES[0], "DIRS": [*settings.TEMPLATES[0]["DIRS"], tmp_path]}
    ]
    with visit(alice, viewport={"width": 1280, "height": 1600}) as (page, complaints):
        page.goto("/charts/")
        expect(page.locator("[data-chart=line] canvas")).to_be_visible()
        expect(page.locator("[data-chart=bar] canvas")).to_be_visible()
        page.locator("[data-chart=line] canvas").hover(position={"x": 60, "y": 60})
        expect(page.locator(".chart-tip").first).to_be_visible()
        heat = page.locator("[data-chart=heat] table")
        assert heat.locator("thead th").all_inner_texts() == [
            "First bought", "Customers", "0", "1", "2",
        ]  # fmt: skip
        assert heat.locator("tbody tr").nth(0).locator("td").all_inner_texts() == [
            "20", "100\u00a0%", "50\u00a0%", "25\u00a0%",
        ]  # fmt: skip
        assert heat.locator("tbody tr").nth(1).locator("td").last.get_attribute("class") == (
            "heat-open"
        )
        page.click("[data-theme-choice=dark]")
        expect(page.locator("[data-chart=line] canvas")).to_be_visible()
        heat.get_by_role("link", name="50").click()
        page.wait_for_url("**/?may")
        assert complaints == []
