"""Sweeps in the background."""

from __future__ import annotations

from datetime import datetime
from io import StringIO
from json import loads

import pytest
from django.core.management import call_command

from common import sweeping
from common.models import Heartbeat
from config import tasks
from config.celery import app, beat_schedule


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """One registered sweeper, ``test.sweep``, and the moments it ran at."""
    seen: list[datetime] = []

    def run(moment: datetime) -> int:
        seen.append(moment)
        return 3

    monkeypatch.setattr(sweeping, "sweepers", {})
    monkeypatch.setattr(tasks, "sweepers", sweeping.sweepers)
    sweeping.register_sweeper("test.sweep", run, order=1, every=2.0)
    monkeypatch.setattr(tasks, "_last_heartbeat", float("-inf"))
    return seen


def test_every_sweeper_has_a_tick_that_expires() -> None:
    schedule = beat_schedule()
    assert schedule.keys() == sweeping.sweepers.keys() == app.conf.beat_schedule.keys()
    assert {"loyalty.accrue", "outreach.enrol", "mailing.send"} <= schedule.keys()
    for name, entry in schedule.items():
        assert entry["kwargs"] == {"name": name}
        assert entry["options"]["expires"] >= 5


def test_a_task_runs_its_sweeper(db: None, calls: list[datetime]) -> None:
    tasks.sweep(name="test.sweep")
    assert len(calls) == 1


def test_arguments_of_another_release_are_ignored(db: None, calls: list[datetime]) -> None:
    tasks.sweep(name="test.sweep", colour="blue")
    assert len(calls) == 1


def test_a_sweeper_of_another_release_is_skipped(db: None, calls: list[datetime]) -> None:
    tasks.sweep(name="gone.sweep")
    assert calls == []


def test_a_sweeper_still_running_is_not_run_beside_itself(db: None, calls: list[datetime]) -> None:
    with tasks.alone("test.sweep") as free:
        assert free
        tasks.sweep(name="test.sweep")
    assert calls == []
    tasks.sweep(name="test.sweep")
    assert len(calls) == 1


def test_the_heartbeat_is_written_at_most_every_five_seconds(
    db: None, calls: list[datetime]
) -> None:
    tasks.sweep(name="test.sweep")
    first = Heartbeat.objects.get(name="worker").beat_at
    tasks.sweep(name="test.sweep")
    assert Heartbeat.objects.get(name="worker").beat_at == first


def test_run_due_runs_every_sweeper_once(db: None, calls: list[datetime]) -> None:
    out = StringIO()
    call_command("run_due", json=True, stdout=out)
    assert loads(out.getvalue()) == {"swept": {"test.sweep": 3}}
    assert len(calls) == 1


def test_the_measured_settings_stand() -> None:
    assert app.conf.task_ignore_result is True
    assert app.conf.task_acks_late is True
    assert app.conf.task_reject_on_worker_lost is True
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.task_publish_retry_policy["max_retries"] <= 1
    assert app.conf.task_soft_time_limit < app.conf.task_time_limit
