"""Taking back what was just done: offered on pages and fragments, for a short time, once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.cache import caches
from django.http import HttpResponse
from django.test import Client, RequestFactory

import config.settings
from accounts.models import User
from common.errors import Conflict
from common.middleware import ToastMiddleware
from common.undo import UndoneAlready, UndoTooLate, offer_undo, register_undo, take_back, undos
from tests.conftest import Clock

pytestmark = pytest.mark.django_db


class MovedOn(Conflict):
    """What the undo itself may refuse."""

    message = "It was changed meanwhile."


@pytest.fixture
def taken_back() -> Iterator[list[dict[str, Any]]]:
    """What was undone, as the registered function is told of it."""
    done: list[dict[str, Any]] = []

    def undo(*, actor: str, happened_at: datetime, things: list[int]) -> None:
        if things == [13]:
            raise MovedOn
        done.append({"actor": actor, "at": happened_at, "things": things})

    register_undo("test.thing", undo)
    yield done
    del undos["test.thing"]


@pytest.fixture
def offer(client_for: Callable[[User], Client]) -> Callable[..., str]:
    """Make an offer to a user and return its token."""

    def made(user: User, *things: int) -> str:
        request = prepared(user)
        offer_undo(request, "Two things were put away.", "test.thing", things=list(things))
        (message,) = get_messages(request)
        return message.extra_tags.removeprefix("undo:")

    return made


def prepared(user: User, **headers: str) -> Any:
    request = RequestFactory().get("/somewhere/", headers=headers)
    for middleware in (SessionMiddleware, MessageMiddleware):
        middleware(lambda request: HttpResponse()).process_request(request)
    request.user = user
    return request


def test_an_offer_is_taken_back_once_with_what_it_was_made_for(
    stan: User, taken_back: list[Any], offer: Callable[..., str], clock: Clock
) -> None:
    token = offer(stan, 1, 2)
    asked = {"token": token, "user_id": stan.pk, "actor": f"user:{stan.pk}"}
    take_back(**asked, happened_at=clock())
    with pytest.raises(UndoneAlready):
        take_back(**asked, happened_at=clock())
    assert taken_back == [{"actor": f"user:{stan.pk}", "at": clock(), "things": [1, 2]}]


def test_thirty_seconds_later_it_is_too_late(
    stan: User, taken_back: list[Any], offer: Callable[..., str], clock: Clock
) -> None:
    in_time, late = offer(stan, 1), offer(stan, 2)
    take_back(token=in_time, user_id=stan.pk, actor="x", happened_at=clock.forward(seconds=30))
    with pytest.raises(UndoTooLate):
        take_back(token=late, user_id=stan.pk, actor="x", happened_at=clock.forward(seconds=1))
    assert [one["things"] for one in taken_back] == [[1]]


def test_nobody_takes_back_for_another_nor_by_guessing(
    stan: User, mara: User, taken_back: list[Any], offer: Callable[..., str], clock: Clock
) -> None:
    token = offer(stan, 1)
    for guess, user in ((token, mara), ("guess", stan), ("", stan)):
        with pytest.raises(UndoTooLate):
            take_back(token=guess, user_id=user.pk, actor="x", happened_at=clock())
    assert taken_back == []


def test_a_refused_undo_may_be_tried_again(
    stan: User, taken_back: list[Any], offer: Callable[..., str], clock: Clock
) -> None:
    token = offer(stan, 13)
    for _attempt in range(2):
        with pytest.raises(MovedOn):
            take_back(token=token, user_id=stan.pk, actor="x", happened_at=clock())
    assert taken_back == []


def test_an_unknown_undo_cannot_be_offered(stan: User) -> None:
    with pytest.raises(KeyError):
        offer_undo(prepared(stan), "Done.", "test.nothing")


def test_it_holds_across_processes_in_djangos_cache_of_production(
    settings: Any, stan: User, taken_back: list[Any], clock: Clock
) -> None:
    settings.CACHES = {**config.settings.CACHES}
    assert "db" in type(caches["default"]).__module__
    request = prepared(stan)
    offer_undo(request, "Done.", "test.thing", things=[13])
    (message,) = get_messages(request)
    asked = {"token": message.extra_tags[5:], "user_id": stan.pk, "actor": "x"}
    with pytest.raises(MovedOn):
        take_back(**asked, happened_at=clock())
    with pytest.raises(MovedOn):  # the claim went with the transaction
        take_back(**asked, happened_at=clock())


def test_the_button_works_without_scripts_and_leads_back_to_the_page(
    stan: User,
    taken_back: list[Any],
    offer: Callable[..., str],
    client_for: Callable[[User], Client],
) -> None:
    client = client_for(stan)
    asked = {"token": offer(stan, 7), "next": "/customers/?stage=lead"}
    first, second = client.post("/undo/", asked), client.post("/undo/", asked)
    assert (first.url, second.url) == ("/customers/?stage=lead",) * 2
    page = client.get("/customers/").text
    assert "Undone." in page
    assert "This was undone already." in page
    assert [one["things"] for one in taken_back] == [[7]]
    for page in (
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "0",
        "a\x00b",
        "/" + "x" * 9000,
    ):
        assert client.post("/undo/", {"token": "x", "next": page}).url == "/"
    assert "It is too late to undo this." in client.get("/").text


def test_a_fragment_brings_the_message_with_its_button(stan: User, taken_back: list[Any]) -> None:
    def view(request: Any) -> HttpResponse:
        offer_undo(request, "Two things were put away.", "test.thing", things=[1])
        return HttpResponse("<p>The fragment</p>")

    request = prepared(stan, hx_request="true")
    request.htmx = True
    html = ToastMiddleware(view)(request).content.decode()
    assert html.startswith("<p>The fragment</p>")
    assert 'hx-swap-oob="beforeend:#toasts"' in html
    assert 'data-seconds="10"' in html
    assert re.search(r'name="token"\s+value="[\w-]{20,}"', html)
    assert "Two things were put away." in html


def test_a_page_that_leads_on_keeps_the_message_for_the_next(stan: User) -> None:
    from django.contrib import messages

    def view(request: Any) -> HttpResponse:
        messages.success(request, "Saved.")
        return HttpResponse(headers={"HX-Redirect": "/customers/"})

    request = prepared(stan, hx_request="true")
    request.htmx = True
    assert ToastMiddleware(view)(request).content == b""
    assert [str(message) for message in get_messages(request)] == ["Saved."]
