"""What is true of every page: its queries, its content policy, and that it asks no other host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tests.architecture.test_role_matrix import MATRIX, NOT_THERE, address
from tests.architecture.urls import all_urls
from tests.architecture.world import World, make_world
from tests.budget import QUERY_BUDGET, queries_in

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

ELSEWHERE = re.compile(r"""(?:src|href|action|hx-\w+|poster|srcset)\s*=\s*["'](?:https?:)?//""")
IN_CSS = re.compile(r"""(?:url\(\s*["']?|@import\s*["'])(?:https?:)?//""")
INLINE_SCRIPT = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*\bnonce=)(?![^>]*application/json)[^>]*>"
)
INLINE_STYLE = re.compile(r"<style(?![^>]*\bnonce=)[^>]*>|<[^>]+\sstyle\s*=")
INLINE_HANDLER = re.compile(r"<[^>]+\son[a-z]+\s*=")
# The readiness page asks broker and database themselves; the schema and metrics are no pages.
NO_PAGES = {"live", "ready", "prometheus", "api-schema"}


def pages_of(role: str) -> Iterator[str]:
    """Names of what the role may open and finds."""
    for name, _pattern in all_urls():
        read = MATRIX.get(name, (frozenset[str](),))[0]
        if role in read and name not in NOT_THERE | NO_PAGES:
            yield name


# An admin may open all that a manager may.
MANAGER = pytest.param("manager", marks=pytest.mark.system)


@dataclass(frozen=True)
class Page:
    """What a role got, and with how many queries."""

    name: str
    answer: HttpResponse
    queries: list[str]


_opened: dict[str, list[Page]] = {}


@pytest.fixture
def opened(kim: User, user_with_role: Callable[[str], User]) -> Callable[[str], list[Page]]:
    """``role -> the pages it may open``, each opened once for all tests of this module."""

    def pages(role: str) -> list[Page]:
        if role not in _opened:
            client = Client()
            if role != "nobody":
                client.force_login(user_with_role(role))
            _opened[role] = list(_open_all(role, client, make_world(kim.customer)))
        return _opened[role]

    return pages


def _open_all(role: str, client: Client, world: World) -> Iterator[Page]:
    for name in pages_of(role):
        if name == "account_logout":
            continue
        page = _open(name, client, world)
        if page.answer.status_code != 200:
            continue
        # The first to be opened also reads what all pages remember.
        yield page if len(page.queries) <= QUERY_BUDGET else _open(name, client, world)


def _open(name: str, client: Client, world: World) -> Page:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address(name, world))
    return Page(name, answer, queries_in(captured))


@pytest.mark.parametrize("role", ["nobody", "customer", MANAGER, "admin"])
def test_every_page_is_safe_to_show(role: str, opened: Callable[[str], list[Page]]) -> None:
    wrong = []
    for page in opened(role):
        name, answer = page.name, page.answer
        policy = answer.headers.get("Content-Security-Policy", "")
        directives = dict(part.strip().split(" ", 1) for part in policy.split(";") if part.strip())
        if directives.get("default-src") != "'none'" or "frame-ancestors" not in directives:
            wrong.append(f"{name}: policy {policy!r}")
        if re.search(r"unsafe-|https?:|\*", policy):
            wrong.append(f"{name}: the policy is not strict: {policy}")
        if answer["X-Content-Type-Options"] != "nosniff":
            wrong.append(f"{name}: nosniff")
        if "text/html" not in answer["Content-Type"]:
            continue
        html = answer.text.replace(settings.BASE_URL, "").replace("http://testserver", "")
        for what, pattern in {
            "refers to another host": ELSEWHERE,
            "inline script": INLINE_SCRIPT,
            "inline style": INLINE_STYLE,
            "inline handler": INLINE_HANDLER,
        }.items():
            if found := pattern.search(html):
                wrong.append(f"{name}: {what}: {html[found.start() : found.end() + 60]!r}")
    assert not wrong, "\n".join(wrong)


def test_our_own_styles_and_scripts_ask_no_other_host() -> None:
    for path in [*Path(settings.BASE_DIR / "static").glob("css/*.css")]:
        assert not IN_CSS.search(path.read_text()), path
    for path in [*Path(settings.BASE_DIR / "static").glob("js/*.js")]:
        text = path.read_text().replace("http://www.w3.org/", "")
        assert not re.search(r"""["'`](?:https?:)?//\w""", text), path


@pytest.mark.parametrize("role", ["customer", "staff", "analyst", MANAGER, "admin"])
def test_every_page_keeps_the_query_budget(role: str, opened: Callable[[str], list[Page]]) -> None:
    over = [
        f"{page.name}: {len(page.queries)} queries\n" + "\n".join(page.queries)
        for page in opened(role)
        # signing in counts attempts in the database
        if len(page.queries) > QUERY_BUDGET and not page.name.startswith(("account_", "mfa_"))
    ]
    assert not over, "\n".join(over)


def test_the_budget_is_what_was_promised() -> None:
    assert QUERY_BUDGET == 12
