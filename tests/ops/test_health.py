"""Probes and metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from accounts.models import User
from common.append_only import append_only_tables
from common.services import record_heartbeat
from common.time import now
from config import health


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that answers."""
    monkeypatch.setitem(health.CHECKS, "broker", lambda: True)


@pytest.fixture
def ready(db: None, broker: None) -> Callable[[], dict[str, str]]:
    """Everything works; ask again with the fixture's value."""
    record_heartbeat(name="worker", beat_at=now())

    def ask() -> dict[str, str]:
        answer = Client().get("/healthz/ready")
        checks: dict[str, str] = answer.json()["checks"]
        failing = [name for name, state in checks.items() if state != "ok"]
        assert answer.status_code == (503 if failing else 200)
        assert answer.json()["status"] == ("failing" if failing else "ok")
        return checks

    return ask


def test_alive_asks_nothing_else(django_assert_num_queries: Callable[..., object]) -> None:
    answer = Client().get("/healthz/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]


def test_ready_names_every_part(ready: Callable[[], dict[str, str]]) -> None:
    parts = ("database", "broker", "worker", "migrations", "append_only")
    assert ready() == dict.fromkeys(parts, "ok")


def test_a_worker_silent_for_a_minute_is_not_ready(ready: Callable[[], dict[str, str]]) -> None:
    record_heartbeat(name="worker", beat_at=now() - timedelta(seconds=61))
    assert ready()["worker"] == "failing"


@pytest.mark.system  # they migrate
def test_a_pending_migration_is_not_ready(
    ready: Callable[[], dict[str, str]], django_db_use_migrations: bool
) -> None:
    if not django_db_use_migrations:
        pytest.skip("this session made its tables from the models")
    MigrationRecorder(connection).record_unapplied("common", "0001_initial")
    assert ready()["migrations"] == "failing"


def test_a_missing_trigger_is_not_ready(ready: Callable[[], dict[str, str]]) -> None:
    table = append_only_tables()[0]
    on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TRIGGER "{table}_no_update"{on}')
    assert ready()["append_only"] == "failing"


def test_a_dead_broker_is_not_ready_and_gives_no_secret_away(
    db: None, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CELERY_BROKER_URL", "redis://:geheim@127.0.0.1:1/0")
    answer = Client().get("/healthz/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] == "failing"
    assert "geheim" not in answer.content.decode()


def test_metrics_open_from_this_machine(db: None) -> None:
    record_heartbeat(name="worker", beat_at=now())
    answer = Client().get("/-/prometheus")
    assert answer.status_code == 200
    assert b"django_http_requests" in answer.content
    assert b'keepwell_heartbeat_age_seconds{part="worker"}' in answer.content


@pytest.mark.parametrize(
    "origin", [{"REMOTE_ADDR": "203.0.113.9"}, {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}]
)
def test_metrics_are_not_there_for_others(db: None, origin: dict[str, str]) -> None:
    assert Client().get("/-/prometheus", **origin).status_code == 404


def test_metrics_open_for_an_admin_from_anywhere_and_not_for_a_manager(
    client_for: Callable[[User], Client], alice: User, mara: User
) -> None:
    origin = {"REMOTE_ADDR": "203.0.113.9"}
    assert client_for(alice).get("/-/prometheus", **origin).status_code == 200
    assert client_for(mara).get("/-/prometheus", **origin).status_code == 404
