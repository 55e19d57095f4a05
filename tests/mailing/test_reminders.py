"""A colleague is reminded of a task by email: once, in their language, while it is still theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import User
from common.registry import personal_data
from crm.models import Task
from crm.services import assign_tasks, finish_task, move_tasks, open_task
from crm.services.reminders import remind_due
from mailing.models import Message, MessageContent
from mailing.services import send_due
from mailing.services.reminders import LATEST, queue_task_reminders
from mailing.services.sending import HANDOVER_LEASE, claim_due
from tests.cast import NOON, make_customer
from tests.mailing.conftest import Mailbox

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _address(settings: Any) -> None:
    settings.BASE_URL = "https://crm.shop.example"
    settings.KEEPWELL_TIMEZONE = "Europe/Berlin"


def make_task(user: User, **fields: Any) -> Task:
    """A task of somebody, due at noon."""
    given: dict[str, Any] = {"title": "Call Kim", "due_at": NOON, "assignee_id": user.pk}
    given |= {"happened_at": NOON - timedelta(hours=3), "actor": f"user:{user.pk}"}
    return open_task(**(given | fields))


def sweep(now: Any = NOON) -> None:
    """One pass of all that has to do with reminders."""
    remind_due(now)
    queue_task_reminders(now)
    send_due(now)


def test_one_email_with_the_task_its_time_and_the_link(mailbox: Mailbox, stan: User) -> None:
    task = make_task(stan)
    sweep(NOON - MINUTE)
    assert mailbox.taken == []
    sweep()
    sweep()
    sweep(NOON + timedelta(hours=2))
    [mail] = mailbox.taken
    assert mailbox.recipients == [stan.email]
    assert mail["Subject"] == "To do: Call Kim"
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert f"https://crm.shop.example/tasks/{task.ref}/" in text
    assert "13:00" in text or "1:00" in text  # the organisation's time
    assert mail["List-Unsubscribe"] is None
    assert Message.objects.get().state == "sent"


@pytest.mark.parametrize(
    ("language", "subject"), [("ru", "Задача: Call Kim"), ("zh-hans", "待办任务：Call Kim")]
)
def test_it_is_in_the_colleagues_language(
    mailbox: Mailbox, stan: User, language: str, subject: str
) -> None:
    stan.language = language
    stan.save()
    make_task(stan)
    sweep()
    assert [mail["Subject"] for mail in mailbox.taken] == [subject]


def test_none_when_it_was_done_given_on_or_put_off_before_the_reminder(
    mailbox: Mailbox, stan: User, mara: User
) -> None:
    done, moved, given = make_task(stan), make_task(stan), make_task(stan, title="Now Mara's")
    at: dict[str, Any] = {"happened_at": NOON - MINUTE, "actor": "system"}
    finish_task(task_id=done.pk, **at)
    move_tasks(task_ids=[moved.pk], due_at=NOON + timedelta(days=2), **at)
    assign_tasks(task_ids=[given.pk], assignee_id=mara.pk, **at)
    sweep()
    assert mailbox.recipients == [mara.email]


def test_none_when_it_was_done_or_given_on_while_the_email_waited(
    mailbox: Mailbox, stan: User, mara: User
) -> None:
    done, given = make_task(stan), make_task(stan)
    remind_due(NOON)
    queue_task_reminders(NOON)
    at: dict[str, Any] = {"happened_at": NOON, "actor": "system"}
    finish_task(task_id=done.pk, **at)
    assign_tasks(task_ids=[given.pk], assignee_id=mara.pk, **at)
    send_due(NOON)
    assert mailbox.taken == []
    states = Message.objects.values_list("state", "reason")
    assert list(states) == [("suppressed", "task_settled")] * 2


def test_nothing_for_who_left_before_or_while_it_waited(
    mailbox: Mailbox, stan: User, mara: User
) -> None:
    make_task(stan)
    make_task(mara)
    User.objects.filter(pk=stan.pk).update(is_active=False)
    remind_due(NOON)
    queue_task_reminders(NOON)
    User.objects.filter(pk=mara.pk).update(is_active=False)
    send_due(NOON)
    assert mailbox.taken == []
    assert list(Message.objects.values_list("recipient", "reason")) == [(mara.pk, "left")]


def test_a_task_put_off_afterwards_reminds_once_more(mailbox: Mailbox, stan: User) -> None:
    task = make_task(stan)
    sweep()
    later = NOON + timedelta(days=3)
    move_tasks(task_ids=[task.pk], due_at=later, happened_at=NOON + MINUTE, actor=f"user:{stan.pk}")
    sweep(NOON + 2 * MINUTE)
    assert len(mailbox.taken) == 1
    sweep(later)
    assert len(mailbox.taken) == 2


def test_a_reminder_nobody_could_send_in_time_is_left_out(mailbox: Mailbox, stan: User) -> None:
    make_task(stan)
    remind_due(NOON)
    assert queue_task_reminders(NOON + LATEST + MINUTE) == 0
    assert not Message.objects.exists()


def test_a_worker_killed_in_between_still_sends_it_once(mailbox: Mailbox, stan: User) -> None:
    make_task(stan)
    remind_due(NOON)
    with transaction.atomic():
        queue_task_reminders(NOON)
        transaction.set_rollback(True)  # killed before it committed
    queue_task_reminders(NOON)
    queue_task_reminders(NOON)
    claim_due("dead", NOON)  # killed before it handed anything over
    send_due(NOON + HANDOVER_LEASE)
    send_due(NOON + 2 * HANDOVER_LEASE)
    assert len(mailbox.taken) == 1


def test_the_pages_and_the_api_show_it_without_a_customer(
    mailbox: Mailbox, stan: User, client_for: Any, api_client: Any
) -> None:
    make_task(stan)
    sweep()
    message = Message.objects.get()
    client = client_for(stan)
    assert "Stan" in client.get("/messages/").text
    page = client.get(f"/messages/{message.ref}/").text
    assert "To do: Call Kim" in page
    row = api_client().get(f"/api/v1/messages/{message.ref}/").json()
    assert (row["customer"], row["template"]) == (None, "task_reminder")


def test_the_words_go_with_the_customer_they_are_about(mailbox: Mailbox, stan: User) -> None:
    customer = make_customer()
    make_task(stan, customer_id=customer.pk)
    sweep()
    eraser = personal_data["mailing.MessageContent"].erase
    assert eraser is not None
    assert eraser([customer.pk]) == 1
    assert not MessageContent.objects.exists()


def test_a_message_is_for_a_customer_or_a_colleague_not_for_both(
    mailbox: Mailbox, stan: User
) -> None:
    make_task(stan)
    sweep()
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.update(customer=make_customer())
