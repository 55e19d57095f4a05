"""Getting in touch every so many days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from common.errors import InvalidInput
from crm.models import ContactCadence, Conversation, Customer, Interaction, Task
from crm.privacy.tasks import erase_cadences, export_cadences
from crm.selectors.tasks import find_cadence, next_action_of
from crm.services import finish_task, reopen_tasks
from crm.services.cadences import (
    contact_made,
    end_cadence,
    open_due_cadences,
    set_cadence,
)
from crm.services.contact_facts import note_interaction
from tests.cast import NOON, make_customer, make_location

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)  # of NOON's day
ACTOR: dict[str, Any] = {"actor": "system"}


@pytest.fixture(autouse=True)
def _utc(settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "UTC"


def weekly(customer: Customer, **fields: Any) -> ContactCadence:
    """Every seven days from noon on."""
    given: dict[str, Any] = {"every_days": 7, "happened_at": NOON, **ACTOR}
    return set_cadence(customer_id=customer.pk, **(given | fields))


def next_due(customer: Customer) -> datetime | None:
    return ContactCadence.objects.get(customer=customer).next_due_at


def make_contact(customer: Customer, *, at: datetime = NOON, **fields: Any) -> Interaction:
    """A contact as it stands in the log."""
    defaults: dict[str, Any] = {"channel": "phone", "direction": "outbound", "source": "staff"}
    talk = Conversation.objects.create(customer=customer, channel="phone", last_at=at, opened_at=at)
    return Interaction.objects.create(
        customer=customer, conversation=talk, occurred_at=at, recorded_at=at, **(defaults | fields)
    )


def test_the_first_date_counts_from_the_last_real_contact() -> None:
    customer = make_customer()
    make_contact(customer, at=NOON - 3 * DAY, outcome="reached")
    make_contact(customer, at=NOON - 2 * DAY, outcome="no_answer")
    make_contact(customer, at=NOON - DAY, direction="internal")
    cadence = weekly(customer)
    assert cadence.last_contact_at == NOON - 3 * DAY
    assert cadence.next_due_at == MIDNIGHT + 4 * DAY


def test_without_a_contact_it_counts_from_now_and_never_into_the_past() -> None:
    customer, long_ago = make_customer(), make_customer()
    make_contact(long_ago, at=NOON - 300 * DAY, outcome="reached")
    assert weekly(customer).next_due_at == MIDNIGHT + 7 * DAY
    assert weekly(long_ago).next_due_at == MIDNIGHT


@pytest.mark.parametrize(
    ("direction", "outcome", "is_real"),
    [
        ("outbound", "reached", True),
        ("outbound", "", True),
        ("inbound", "", True),
        ("outbound", "not_interested", True),
        ("outbound", "no_answer", False),
        ("outbound", "left_message", False),
        ("internal", "", False),
    ],
)
def test_which_contacts_start_the_count_again(direction: str, outcome: str, is_real: bool) -> None:
    customer = make_customer()
    weekly(customer)
    contact = make_contact(customer, at=NOON + DAY, direction=direction, outcome=outcome)
    note_interaction(contact)
    assert next_due(customer) == MIDNIGHT + (8 if is_real else 7) * DAY


def test_on_its_day_a_task_comes_once_for_who_keeps_in_touch(stan: User) -> None:
    shop = make_location()
    customer = make_customer(location_id=shop.pk)
    weekly(customer, assignee_id=stan.pk)
    day = MIDNIGHT + 7 * DAY
    assert open_due_cadences(day - timedelta(seconds=1)) == 0
    assert open_due_cadences(day) == 1
    assert open_due_cadences(day) == open_due_cadences(day + 30 * DAY) == 0
    task = Task.objects.get()
    assert (task.title, task.origin, task.assignee) == ("Get in touch", "cadence", stan)
    assert (task.customer, task.location) == (customer, shop)
    assert task.source_key == f"cadence:{customer.pk}:2026-03-09"
    assert task.due_at == day + DAY - timedelta(minutes=1)  # the day's last minute
    assert task.remind_at == day + timedelta(hours=9)


def test_days_are_the_organisations_also_when_the_clocks_change(settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Berlin"
    customer = make_customer()
    late_evening = datetime(2026, 3, 23, 22, 30, tzinfo=UTC)  # 23:30 in Berlin, a Monday
    weekly(customer, happened_at=late_evening)
    midnight = datetime(2026, 3, 29, 22, 0, tzinfo=UTC)  # the next Monday's, in summer time
    assert next_due(customer) == midnight
    open_due_cadences(midnight)
    assert Task.objects.get().due_at == datetime(2026, 3, 30, 21, 59, tzinfo=UTC)


def test_the_words_are_in_the_assignees_language(stan: User) -> None:
    stan.language = "ru"
    stan.save()
    weekly(make_customer(), assignee_id=stan.pk)
    open_due_cadences(NOON + 8 * DAY)
    assert Task.objects.get().title in {"Связаться с клиентом", "Get in touch"}


def test_who_left_gets_no_task_but_the_team_does(stan: User) -> None:
    weekly(make_customer(), assignee_id=stan.pk)
    stan.is_active = False
    stan.save()
    open_due_cadences(NOON + 8 * DAY)
    assert Task.objects.get().assignee is None


def test_a_real_contact_starts_the_count_again() -> None:
    customer = make_customer()
    weekly(customer)
    contact_made(customer_id=customer.pk, at=NOON + 5 * DAY)
    assert next_due(customer) == MIDNIGHT + 12 * DAY
    contact_made(customer_id=customer.pk, at=NOON + 2 * DAY)  # written down late
    assert next_due(customer) == MIDNIGHT + 12 * DAY


def test_a_real_contact_closes_the_open_task_as_done() -> None:
    customer = make_customer()
    weekly(customer)
    open_due_cadences(MIDNIGHT + 7 * DAY)
    contact_made(customer_id=customer.pk, at=NOON + 8 * DAY, actor="user:1")
    task = Task.objects.get()
    assert (task.status, task.finished_at, task.finished_by) == ("done", NOON + 8 * DAY, "user:1")
    assert next_due(customer) == MIDNIGHT + 15 * DAY
    assert open_due_cadences(MIDNIGHT + 15 * DAY) == 1
    assert Task.objects.count() == 2


def test_a_contact_of_yesterday_written_down_today_closes_todays_task() -> None:
    customer = make_customer()
    weekly(customer)
    today = MIDNIGHT + 7 * DAY
    open_due_cadences(today)
    contact_made(customer_id=customer.pk, at=today - timedelta(hours=1))
    assert (Task.objects.get().status, Task.objects.get().finished_at) == ("done", today)
    assert next_due(customer) == MIDNIGHT + 13 * DAY


def test_a_contact_with_any_record_of_the_person_counts() -> None:
    person, record = make_customer(), make_customer()
    weekly(record)
    Customer.objects.filter(pk=record.pk).update(person=person)
    contact_made(customer_id=person.pk, at=NOON + DAY)
    assert next_due(record) == MIDNIGHT + 8 * DAY
    assert find_cadence(person.pk) == ContactCadence.objects.get(customer=record)


def two_of_one_person() -> tuple[Customer, Customer]:
    """A merged person whose records each brought a rhythm."""
    person, record = make_customer(), make_customer()
    weekly(person)
    weekly(record)
    Customer.objects.filter(pk=record.pk).update(person=person)
    return person, record


def test_two_rhythms_of_merged_records_open_one_task_at_a_time() -> None:
    person, record = two_of_one_person()
    assert open_due_cadences(MIDNIGHT + 7 * DAY) == 1
    task = Task.objects.get()
    finish_task(task_id=task.pk, is_needed=False, happened_at=NOON + 9 * DAY, actor="user:1")
    assert {next_due(person), next_due(record)} == {MIDNIGHT + 16 * DAY}


def test_setting_or_ending_the_rhythm_of_a_merged_person_concerns_all_records() -> None:
    person, _record = two_of_one_person()
    weekly(person, every_days=30)
    assert ContactCadence.objects.get().customer == person
    two = make_customer()
    weekly(two)
    Customer.objects.filter(pk=two.pk).update(person=person)
    end_cadence(customer_id=person.pk, happened_at=NOON, **ACTOR)
    assert not ContactCadence.objects.exists()


def test_the_task_finished_by_hand_has_the_next_come_in_its_turn() -> None:
    customer = make_customer()
    weekly(customer)
    open_due_cadences(MIDNIGHT + 7 * DAY)
    task = Task.objects.get()
    finish_task(task_id=task.pk, is_needed=False, happened_at=NOON + 9 * DAY, actor="user:1")
    assert next_due(customer) == MIDNIGHT + 16 * DAY
    reopen_tasks(task_ids=[task.pk], happened_at=NOON + 9 * DAY, actor="user:1")
    assert open_due_cadences(MIDNIGHT + 16 * DAY) == 0  # never two open at once
    assert Task.objects.filter(status="open").count() == 1


def test_another_rhythm_counts_from_the_same_contact(stan: User) -> None:
    customer = make_customer()
    weekly(customer)
    weekly(customer, every_days=30, happened_at=NOON + 3 * DAY)
    assert next_due(customer) == MIDNIGHT + 30 * DAY
    weekly(customer, every_days=30, assignee_id=stan.pk)
    assert next_due(customer) == MIDNIGHT + 30 * DAY


def test_ending_it_needs_the_open_task_no_more_and_it_can_begin_again() -> None:
    customer = make_customer()
    make_contact(customer, at=NOON - 30 * DAY, outcome="reached")
    weekly(customer)
    open_due_cadences(NOON)
    end_cadence(customer_id=customer.pk, happened_at=NOON, **ACTOR)
    end_cadence(customer_id=customer.pk, happened_at=NOON, **ACTOR)
    assert not ContactCadence.objects.exists()
    assert Task.objects.get().status == "cancelled"
    weekly(customer)
    assert open_due_cadences(NOON) == 0  # today's was said not to be needed
    assert next_due(customer) == MIDNIGHT + 7 * DAY


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_impossible_rhythms_are_refused(days: int) -> None:
    with pytest.raises(InvalidInput):
        weekly(make_customer(), every_days=days)
    assert not ContactCadence.objects.exists()


def test_the_next_action_is_the_date_until_there_is_a_task() -> None:
    customer = make_customer()
    weekly(customer)
    action = next_action_of(customer.pk)
    assert action is not None
    assert (action.task, action.due_at) == (None, MIDNIGHT + 7 * DAY)
    open_due_cadences(MIDNIGHT + 7 * DAY)
    action = next_action_of(customer.pk)
    assert action is not None
    assert action.task == Task.objects.get()


def test_erasing_ends_it() -> None:
    customer = make_customer()
    weekly(customer)
    assert export_cadences([customer.pk])[0]["every_days"] == 7
    assert erase_cadences([customer.pk]) == 1
    assert not ContactCadence.objects.exists()
