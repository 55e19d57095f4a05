"""What `up` decides before the settings are read."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from config.embedded.plan import Plan, add_arguments, make_plan
from config.embedded.ports import reachable_name
from config.environment import BASE_DIR, read_environment


def plan(environment: dict[str, str], *arguments: str) -> Plan:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return make_plan(parser.parse_args(arguments), environment)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"KEEPWELL_DATA_DIR": str(tmp_path / "data")}


def test_without_anything_named_everything_is_embedded(environment: dict[str, str]) -> None:
    chosen = plan(environment)
    assert chosen.broker is not None
    assert environment["REDIS_URL"] == chosen.broker.url
    assert chosen.cluster is None
    assert "DATABASE_URL" not in environment
    assert environment["BASE_URL"] == "http://127.0.0.1:8000"
    settings = read_environment(environment)
    assert settings.email["EMAIL_FILE_PATH"] == str(chosen.mail_dir)
    assert not settings.is_demo


def test_what_the_environment_names_is_used(environment: dict[str, str]) -> None:
    environment |= {
        "REDIS_URL": "redis://b:1/0",
        "EMAIL_URL": "smtp://m:25",
        "BASE_URL": "https://k",
    }
    before = dict(environment)
    chosen = plan(environment)
    assert (chosen.broker, chosen.cluster, chosen.mail_dir) == (None, None, None)
    assert before.items() <= environment.items()


def test_the_demo_has_a_folder_a_timezone_and_a_currency_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment: dict[str, str] = {}
    monkeypatch.setattr(Path, "mkdir", lambda *_args, **_kwargs: None)
    chosen = plan(environment, "--demo")
    assert chosen.data_dir == BASE_DIR / "demo-data"
    assert environment["KEEPWELL_TIMEZONE"] == "America/New_York"
    assert environment["KEEPWELL_CURRENCY"] == "USD"
    assert environment["KEEPWELL_DEMO"] == "true"


def test_the_demo_takes_what_is_set(environment: dict[str, str]) -> None:
    environment["KEEPWELL_TIMEZONE"] = "Asia/Shanghai"
    chosen = plan(environment, "--demo")
    assert str(chosen.data_dir) == environment["KEEPWELL_DATA_DIR"]
    assert environment["KEEPWELL_TIMEZONE"] == "Asia/Shanghai"


def test_only_the_demo_spares_staff_the_second_factor(environment: dict[str, str]) -> None:
    plan(environment)
    assert read_environment(environment).require_totp
    plan(environment, "--demo")
    assert not read_environment(environment).require_totp


def test_postgres_is_refused_beside_another_database(environment: dict[str, str]) -> None:
    environment["DATABASE_URL"] = "sqlite:////tmp/x.sqlite3"
    with pytest.raises(ValueError, match="DATABASE_URL"):
        plan(environment, "--postgres")


def test_a_named_postgres_is_used(environment: dict[str, str]) -> None:
    environment["DATABASE_URL"] = "postgres://u:p@h/d"
    assert plan(environment, "--postgres").cluster is None


def test_the_broker_password_is_for_one_start_and_readable_by_its_owner_only(
    environment: dict[str, str],
) -> None:
    first, second = plan(environment), plan(dict(environment) | {"REDIS_URL": ""})
    assert first.broker is not None
    assert second.broker is not None
    assert first.broker.password != second.broker.password
    command = first.broker.command()
    assert first.broker.password not in " ".join(command)
    assert Path(command[-1]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104
        ("::", "127.0.0.1"),
        ("::1", "[::1]"),
        ("shop.example", "shop.example"),
    ],
)
def test_the_printed_address_can_be_opened(host: str, name: str) -> None:
    assert reachable_name(host) == name
