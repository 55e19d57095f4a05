"""The front page sends everybody where they belong."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from common import registry
from common.registry import HomeCard
from tests.cast import make_customer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_visitors_find_both_doors(client: Client) -> None:
    page = client.get("/").content.decode()
    assert 'href="/accounts/login/"' in page
    assert 'href="/accounts/login/code/"' in page


def test_customers_are_led_to_their_portal(client_for: Any, kim: User) -> None:
    response = client_for(kim).get("/")
    assert (response.status_code, response["Location"]) == (302, "/me/")


def test_admins_see_what_is_left_to_set_up(client_for: Any, alice: User) -> None:
    client = client_for(alice)
    assert "0 of 3 done" in client.get("/").content.decode()
    make_customer()
    page = client.get("/").content.decode()
    assert "1 of 3 done" in page
    for address in ("/loyalty/", "/followups/"):
        assert f'<a href="{address}">' in page
        assert client.get(address).status_code == 200
    assert 'href="/imports/"' in page


def test_nobody_else_is_asked_to_set_up(client_for: Any, stan: User) -> None:
    assert "Set up Keepwell" not in client_for(stan).get("/").content.decode()


def test_cards_are_shown_to_their_roles_in_their_order(
    client_for: Any, stan: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def card(title: str, roles: set[str], order: int, shown: bool = True) -> HomeCard:
        context = {"title": title, "text": ""} if shown else None
        return HomeCard(title, "parts/empty.html", lambda request: context, frozenset(roles), order)

    cards = [
        card("Second", {"staff"}, 2),
        card("First", {"staff", "admin"}, 1),
        card("Admins only", {"admin"}, 3),
        card("Nothing to say", {"staff"}, 4, shown=False),
    ]
    monkeypatch.setattr("config.home.home_cards", cards)
    page = client_for(stan).get("/").content.decode()
    assert 0 < page.index("First") < page.index("Second")
    assert "Admins only" not in page
    assert "Nothing to say" not in page


def test_no_work_stands_between_the_four_figures() -> None:
    orders = {card.name: card.order for card in registry.home_cards}
    figures = [order for name, order in orders.items() if name.startswith("figure-")]
    assert len(figures) == 4
    assert not [
        name
        for name, order in orders.items()
        if min(figures) <= order <= max(figures) and not name.startswith("figure-")
    ]


def test_an_empty_day_is_said_so(
    client_for: Any, stan: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.home.home_cards", [])
    assert "Nothing waits for you" in client_for(stan).get("/").content.decode()


def test_home_stays_within_the_query_budget(
    client_for: Any, alice: User, django_assert_max_num_queries: Any
) -> None:
    client = client_for(alice)
    with django_assert_max_num_queries(12):
        client.get("/")
    assert registry.home_cards


def test_the_front_page_only_reads(client: Client) -> None:
    assert client.post("/").status_code == 405
