"""Simulated contacts, notes and tasks of the demo."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.models import Event
from config.demo.contacts import (
    PEOPLE_WITH_NOTES,
    PEOPLE_WITH_TASKS,
    WAITING_TALKS,
    record_contacts,
)
from crm.models import Conversation, Customer, Interaction, Note, Task
from tests.cast import NOON, make_customer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def sixty_people() -> None:
    for number in range(60):
        make_customer(external_id=f"D{number}", name=f"Person {number}", language="zh-hans")
    Customer.objects.update(is_invented=True)


def counts() -> tuple[int, ...]:
    models = (Conversation, Interaction, Note, Task, Event)
    return tuple(model.objects.count() for model in models)


@pytest.mark.usefixtures("sixty_people")
def test_the_inbox_and_the_tasks_have_work_and_a_second_load_adds_nothing() -> None:
    record_contacts(seed=1, now=NOON)

    waiting = Conversation.objects.filter(state="open", waiting_since__isnull=False)
    assert waiting.count() == WAITING_TALKS
    assert Note.objects.count() == PEOPLE_WITH_NOTES
    assert Task.objects.count() == PEOPLE_WITH_TASKS
    assert Task.objects.filter(due_at__lt=NOON).exists()
    assert not Interaction.objects.filter(occurred_at__gt=NOON).exists()
    assert Interaction.objects.filter(text="今天有无麸质面包吗？").exists()

    before = counts()
    record_contacts(seed=1, now=NOON + timedelta(hours=1))
    assert counts() == before


def test_nothing_is_invented_about_real_people() -> None:
    make_customer(external_id="R1")

    assert record_contacts(seed=1, now=NOON) == 0
    assert counts()[:4] == (0, 0, 0, 0)
