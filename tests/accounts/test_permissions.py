"""The guards of pages and API views; the whole table is in tests/architecture."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from accounts.models import Role, User
from accounts.permissions import MANAGERS, RolePermission, roles_required
from common.errors import NotAllowed, NotFound

STAFF_AND_UP = frozenset({Role.ADMIN, Role.MANAGER, Role.STAFF})


@roles_required(read=STAFF_AND_UP, write=MANAGERS)
def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("open")


def asked(method: str, role: str | None, **headers: str) -> HttpRequest:
    request = getattr(RequestFactory(headers=headers), method)("/page/?a=1")
    request.user = User(role=role) if role else AnonymousUser()
    return request


@pytest.mark.parametrize(
    ("method", "role"), [("get", "staff"), ("get", "admin"), ("post", "manager")]
)
def test_it_opens_for_the_roles_named(method: str, role: str) -> None:
    assert page(asked(method, role)).content == b"open"


@pytest.mark.parametrize(("method", "role"), [("get", "analyst"), ("post", "staff")])
def test_a_colleague_without_the_role_is_told_so(method: str, role: str) -> None:
    with pytest.raises(NotAllowed):
        page(asked(method, role))


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_customer_learns_nothing_of_a_staff_page(method: str) -> None:
    with pytest.raises(NotFound):
        page(asked(method, "customer"))


def test_nobody_is_led_to_sign_in_and_back() -> None:
    answer = page(asked("get", None))
    assert (answer.status_code, answer["Location"]) == (
        302,
        "/accounts/login/?next=/page/%3Fa%3D1",
    )


def test_a_fragment_takes_its_whole_page_to_sign_in() -> None:
    current = "https://keepwell.example/customers/"
    answer = page(asked("get", None, **{"HX-Request": "true", "HX-Current-URL": current}))
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == "/accounts/login/?next=/customers/"


def test_an_api_view_that_names_no_roles_lets_nobody_in() -> None:
    class View:
        """Forgot to say who may."""

    request: Any = asked("get", "admin")
    assert not RolePermission().has_permission(request, View())


@pytest.mark.django_db
def test_signing_in_leads_back_only_within_the_site(stan: User) -> None:
    from tests.cast import PASSWORD

    fields = {"login": stan.email, "password": PASSWORD, "next": "https://evil.example/"}
    assert Client().post("/accounts/login/", fields).headers["Location"] == "/"


def test_a_header_that_is_no_address_still_leads_to_signing_in() -> None:
    answer = page(asked("get", None, **{"HX-Current-URL": "http://[x"}))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
