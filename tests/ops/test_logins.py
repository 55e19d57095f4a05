"""The demo's logins."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role, User
from common.time import now
from config.embedded.logins import Login, ensure_customer_login, ensure_staff_logins
from crm.selectors import find_customer_of_user
from loyalty.services import accrue_due, ensure_programme
from tests.cast import make_customer, make_order

pytestmark = pytest.mark.django_db


def test_there_is_one_working_login_per_staff_role(tmp_path: Path) -> None:
    logins = ensure_staff_logins(tmp_path)
    assert [login.role for login in logins] == ["admin", "manager", "staff", "analyst"]
    for login in logins:
        user = User.objects.get(email=login.email)
        assert user.role == login.role
        assert user.check_password(login.password)


def test_the_customer_login_is_a_customer_with_an_address(tmp_path: Path) -> None:
    assert ensure_customer_login(tmp_path) is None
    customer = make_customer(email="kay@customers.example")
    login = ensure_customer_login(tmp_path)
    assert login is not None
    assert login.email == "kay@customers.example"
    user = User.objects.get(email=login.email)
    assert user.role == Role.CUSTOMER
    assert find_customer_of_user(user) == customer


def test_the_customer_login_has_points_to_show(tmp_path: Path) -> None:
    make_customer()
    ensure_programme(starts_at=now() - timedelta(days=1), happened_at=now())
    poorer, richer = make_customer(), make_customer()
    make_order(customer=poorer, amount=10)
    make_order(customer=richer, amount=20)
    accrue_due(now())
    login = ensure_customer_login(tmp_path)
    assert login is not None
    assert find_customer_of_user(User.objects.get(email=login.email)) == richer


def test_a_second_start_shows_the_same_logins(tmp_path: Path) -> None:
    make_customer()
    first = [*ensure_staff_logins(tmp_path), ensure_customer_login(tmp_path)]
    assert [*ensure_staff_logins(tmp_path), ensure_customer_login(tmp_path)] == first
    assert User.objects.count() == 5


def test_another_installation_has_other_passwords(tmp_path: Path) -> None:
    first = ensure_staff_logins(tmp_path / "")
    (tmp_path / "demo-logins.json").unlink()
    second = ensure_staff_logins(tmp_path)
    assert all(a.password != b.password for a, b in zip(first, second, strict=True))
    assert User.objects.get(role=Role.ADMIN).check_password(second[0].password)


def test_only_the_owner_can_read_the_passwords(tmp_path: Path) -> None:
    ensure_staff_logins(tmp_path)
    assert (tmp_path / "demo-logins.json").stat().st_mode & 0o777 == 0o600


def signs_in(login: Login) -> bool:
    browser = Client()
    browser.post("/accounts/login/", {"login": login.email, "password": login.password})
    return browser.session.get("_auth_user_id") == str(User.objects.get(email=login.email).pk)


def test_every_printed_login_works(tmp_path: Path, settings: Any) -> None:
    settings.IS_DEMO = True
    make_customer()
    customer = ensure_customer_login(tmp_path)
    assert customer is not None
    for login in [*ensure_staff_logins(tmp_path), customer]:
        assert signs_in(login), login.role


def test_outside_the_demo_no_password_lets_a_customer_in(tmp_path: Path) -> None:
    make_customer()
    customer = ensure_customer_login(tmp_path)
    assert customer is not None
    assert not signs_in(customer)
