"""Tables that keep history refuse to change it, in both databases."""

from __future__ import annotations

import pytest
from django.db import Error, connection, transaction

from common.append_only import append_only_tables, install_triggers, missing_triggers
from common.models import Event
from common.services import record_event
from tests.cast import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def event() -> Event:
    return record_event(kind="x.y", subject_kind="x", subject_ref="1", occurred_at=NOON)


def test_it_refuses_an_update(event: Event) -> None:
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(kind="z")
    assert Event.objects.get().kind == "x.y"


def test_it_refuses_a_delete(event: Event) -> None:
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        Event.objects.filter(pk=event.pk)._raw_delete("default")
    assert Event.objects.count() == 1


def test_it_refuses_a_truncate(event: Event) -> None:
    statement = "TRUNCATE common_event CASCADE"
    if connection.vendor == "sqlite":
        statement = "DELETE FROM common_event"
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)
    assert Event.objects.count() == 1


def test_every_declared_table_has_its_triggers() -> None:
    assert "common_event" in append_only_tables()
    assert missing_triggers() == []


def test_it_names_a_missing_trigger_and_puts_it_back() -> None:
    on = ' ON "common_event"' if connection.vendor == "postgresql" else ""
    connection.cursor().execute(f"DROP TRIGGER common_event_no_update{on}")
    assert missing_triggers() == ["common_event_no_update"]
    install_triggers()
    assert missing_triggers() == []


@pytest.mark.django_db(transaction=True)
def test_a_transactional_test_may_leave_history_behind(event: Event) -> None:
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_transactional_test_finds_nothing_left_and_the_triggers_standing() -> None:
    assert Event.objects.count() == 0
    assert missing_triggers() == []
