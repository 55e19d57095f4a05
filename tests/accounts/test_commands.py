"""``create_user`` and ``create_api_key``."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import ApiKey, User
from common.models import Event

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_it_creates_a_user_with_a_random_password_shown_once() -> None:
    answer = json.loads(run("create_user", "Boss@Example.com", "--role", "admin", "--json"))
    user = User.objects.get()
    assert (user.email, user.role) == ("boss@example.com", "admin")
    assert answer == {"email": user.email, "role": "admin", "password": answer["password"]}
    assert user.check_password(answer["password"])
    assert Event.objects.get().kind == "user.created"


def test_it_takes_the_password_from_stdin_and_does_not_print_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a long enough passphrase\nrest"))
    out = run("create_user", "a@example.com", "--role", "staff", "--password-stdin")
    assert User.objects.get().check_password("a long enough passphrase")
    assert "passphrase" not in out


def test_it_refuses_a_weak_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("12345\n"))
    with pytest.raises(CommandError, match="too short"):
        run("create_user", "a@example.com", "--role", "staff", "--password-stdin")
    assert not User.objects.exists()


def test_it_refuses_an_address_in_use(stan: User) -> None:
    with pytest.raises(CommandError) as refused:
        run("create_user", stan.email.upper(), "--role", "admin")
    assert refused.value.returncode == 1
    stan.refresh_from_db()
    assert (User.objects.count(), stan.role) == (1, "staff")


@pytest.mark.parametrize("role", ["customer", "boss", ""])
def test_it_knows_only_the_roles_of_people_who_work_here(role: str) -> None:
    for command in ("create_user", "create_api_key"):
        with pytest.raises(CommandError, match="invalid choice"):
            run(command, "a@example.com", "--role", role)
    assert not User.objects.exists()


def test_an_address_that_is_none_exits_2() -> None:
    with pytest.raises(CommandError) as refused:
        run("create_user", "nobody", "--role", "staff")
    assert refused.value.returncode == 2


def test_it_creates_a_key_and_keeps_only_a_digest(client: Any) -> None:
    answer = json.loads(run("create_api_key", "shop", "--role", "manager", "--json"))
    key = ApiKey.objects.get()
    assert answer == {"name": "shop", "role": "manager", "key": answer["key"]}
    assert answer["key"].startswith("kw_")
    assert answer["key"] not in (key.digest, key.prefix)
    assert Event.objects.get().codes == {"role": "manager"}
