"""What is to be done: asked for, given to somebody, put off, done, taken back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from common.errors import Conflict, InvalidInput
from common.models import Event
from crm.models import Customer, LocationMembership, Notification, Task
from crm.privacy.tasks import erase_tasks, export_tasks
from crm.selectors.tasks import list_tasks, next_action_of, order_of, queue_of
from crm.services import (
    assign_tasks,
    finish_task,
    finish_tasks,
    move_tasks,
    open_task,
    register_finishing,
    reopen_tasks,
    update_task,
)
from crm.services import tasks as task_services
from crm.services.cadences import open_due_cadences, set_cadence
from crm.services.reminders import remind_due
from crm.services.task_moves import take_back_assignment, take_back_move, take_next
from crm.services.task_rows import TaskChanged, TaskFinished, TaskOpen
from tests.cast import NOON, make_customer, make_location

pytestmark = pytest.mark.django_db

TOMORROW = NOON + timedelta(days=1)
BY_STAN = "user:stan"


def make_task(**fields: Any) -> Task:
    """A task due tomorrow that nobody has."""
    defaults: dict[str, Any] = {
        "title": "Call back",
        "due_at": TOMORROW,
        "happened_at": NOON,
        "actor": "system",
    }
    return open_task(**(defaults | fields))


def kinds_of(task: Task) -> list[str]:
    """What the log says of a task, in order."""
    events = Event.objects.filter(subject_kind="task", subject_ref=task.ref)
    return list(events.order_by("id").values_list("kind", flat=True))


def told(user: User) -> list[tuple[str, str]]:
    """What stands behind somebody's bell."""
    rows = Notification.objects.filter(user=user).order_by("id")
    return list(rows.values_list("kind", "subject_ref"))


# --- Asking for something ---------------------------------------------------------------------


def test_a_task_knows_who_asked_for_it_whose_it_is_and_when_it_is_due(stan: User) -> None:
    shop = make_location()
    customer = make_customer(location_id=shop.pk)
    task = make_task(
        customer_id=customer.pk, assignee_id=stan.pk, actor="user:999", origin="contact"
    )
    assert (task.created_by, task.assignee, task.due_at) == ("user:999", stan, TOMORROW)
    assert (task.location, task.origin, task.status) == (shop, "contact", "open")
    assert task.remind_at == TOMORROW
    assert kinds_of(task) == ["task.opened"]
    assert told(stan) == [("assigned", task.ref)]


def test_what_a_machine_asks_for_twice_comes_once(stan: User) -> None:
    first = make_task(source_key="test:1", assignee_id=stan.pk)
    again = make_task(source_key="test:1", assignee_id=stan.pk, title="Something else")
    assert first == again
    assert Task.objects.get().title == "Call back"
    assert kinds_of(first) == ["task.opened"]
    assert len(told(stan)) == 1


@pytest.mark.parametrize("title", ["", "  \n "])
def test_a_task_without_words_is_refused(title: str) -> None:
    with pytest.raises(InvalidInput):
        make_task(title=title)
    assert not Task.objects.exists()
    assert not Event.objects.exists()


def test_nothing_is_given_to_who_could_not_do_it(ana: User, kim: User, stan: User) -> None:
    stan.is_active = False
    stan.save()
    for nobody in (ana, kim, stan):
        with pytest.raises(InvalidInput):
            make_task(assignee_id=nobody.pk)
    assert not Task.objects.exists()


# --- Changing it ------------------------------------------------------------------------------


def test_changes_are_recorded_with_what_was_there_before(stan: User, mara: User) -> None:
    task = make_task(remind_before=timedelta(hours=2))
    update_task(
        task_id=task.pk,
        title="Call back soon",
        due_at=TOMORROW + timedelta(days=1),
        assignee_id=stan.pk,
        happened_at=NOON,
        actor=f"user:{mara.pk}",
    )
    task.refresh_from_db()
    assert (task.title, task.assignee) == ("Call back soon", stan)
    assert task.remind_at == task.due_at - timedelta(hours=2)
    assert kinds_of(task) == ["task.opened", "task.changed", "task.moved", "task.assigned"]
    changed = Event.objects.get(kind="task.changed")
    assert changed.codes == {"fields": ["title"]}  # the words stand where they can be erased
    assert changed.detail.content == {"title": ["Call back", "Call back soon"]}


def test_what_changes_nothing_is_not_recorded() -> None:
    task = make_task()
    update_task(
        task_id=task.pk, title="Call back", due_at=TOMORROW, happened_at=NOON, actor="system"
    )
    assert kinds_of(task) == ["task.opened"]
    with pytest.raises(TypeError):
        update_task(task_id=task.pk, status="done", happened_at=NOON, actor="system")


def test_nobody_is_told_of_what_they_take_themselves(stan: User) -> None:
    task = make_task()
    assign_tasks(task_ids=[task.pk], assignee_id=stan.pk, happened_at=NOON, actor=f"user:{stan.pk}")
    assert told(stan) == []


# --- Finishing it -----------------------------------------------------------------------------


def test_done_says_who_when_and_what_came_of_it() -> None:
    task = make_task()
    finish_task(task_id=task.pk, result="Sent the parts.", happened_at=NOON, actor=BY_STAN)
    task.refresh_from_db()
    assert (task.status, task.finished_by, task.finished_at) == ("done", BY_STAN, NOON)
    assert task.result == "Sent the parts."
    assert kinds_of(task) == ["task.opened", "task.done"]


def test_a_finished_task_is_not_finished_moved_given_or_changed() -> None:
    task = make_task()
    finish_task(task_id=task.pk, is_needed=False, happened_at=NOON, actor=BY_STAN)
    at: dict[str, Any] = {"happened_at": NOON, "actor": BY_STAN}
    for attempt in (
        lambda: finish_task(task_id=task.pk, **at),
        lambda: move_tasks(task_ids=[task.pk], due_at=NOON, **at),
        lambda: assign_tasks(task_ids=[task.pk], assignee_id=None, **at),
        lambda: update_task(task_id=task.pk, title="New", **at),
    ):
        with pytest.raises(TaskFinished):
            attempt()
    task.refresh_from_db()
    assert (task.status, task.title, task.due_at) == ("cancelled", "Call back", TOMORROW)
    assert kinds_of(task) == ["task.opened", "task.cancelled"]


def test_of_many_at_once_one_that_is_finished_stops_all() -> None:
    done, still_open = make_task(), make_task()
    finish_task(task_id=done.pk, happened_at=NOON, actor=BY_STAN)
    with pytest.raises(TaskFinished):
        finish_tasks(task_ids=[done.pk, still_open.pk], happened_at=NOON, actor=BY_STAN)
    still_open.refresh_from_db()
    assert still_open.status == "open"


@pytest.fixture
def complaints_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes from a complaint can't be finished."""

    def refuse(task: Task, happened_at: datetime, actor: str) -> None:
        raise Conflict("Not yet.")

    monkeypatch.setattr(task_services, "_finishing", dict(task_services._finishing))
    register_finishing("complaint", refuse)


@pytest.mark.usefixtures("complaints_refuse")
def test_the_origin_of_a_task_may_forbid_finishing_it() -> None:
    task, other = make_task(origin="complaint"), make_task()
    with pytest.raises(Conflict, match="Not yet"):
        finish_tasks(task_ids=[task.pk, other.pk], happened_at=NOON, actor=BY_STAN)
    assert set(Task.objects.values_list("status", flat=True)) == {"open"}
    assert kinds_of(other) == ["task.opened"]


def test_a_task_to_be_done_after_all_keeps_in_the_log_what_was_said() -> None:
    task = make_task()
    finish_task(task_id=task.pk, result="Sent.", happened_at=NOON, actor=BY_STAN)
    reopen_tasks(task_ids=[task.pk], happened_at=NOON, actor=BY_STAN)
    task.refresh_from_db()
    assert (task.status, task.result, task.finished_at, task.finished_by) == ("open", "", None, "")
    reopened = Event.objects.get(kind="task.reopened")
    assert reopened.detail.content == {"result": "Sent."}
    with pytest.raises(TaskOpen):
        reopen_tasks(task_ids=[task.pk], happened_at=NOON, actor=BY_STAN)


# --- Taking back ------------------------------------------------------------------------------


def test_giving_tasks_away_is_taken_back(stan: User, mara: User) -> None:
    mine, nobodys = make_task(assignee_id=mara.pk), make_task()
    at: dict[str, Any] = {"happened_at": NOON, "actor": "system"}
    before = assign_tasks(task_ids=[mine.pk, nobodys.pk], assignee_id=stan.pk, **at)
    assert before == {mine.pk: mara.pk, nobodys.pk: None}
    take_back_assignment(before=before, to=stan.pk, **at)
    assert list(Task.objects.order_by("pk").values_list("assignee", flat=True)) == [mara.pk, None]


def test_putting_tasks_off_is_taken_back_with_the_reminder() -> None:
    task = make_task(remind_before=timedelta(hours=1))
    at: dict[str, Any] = {"happened_at": NOON, "actor": "system"}
    later = TOMORROW + timedelta(days=7)
    before = move_tasks(task_ids=[task.pk], due_at=later, **at)
    task.refresh_from_db()
    assert (task.due_at, task.remind_at) == (later, later - timedelta(hours=1))
    take_back_move(before=before, to=later, **at)
    task.refresh_from_db()
    assert (task.due_at, task.remind_at) == (TOMORROW, TOMORROW - timedelta(hours=1))


def test_what_somebody_changed_since_is_not_taken_back(stan: User, mara: User) -> None:
    task = make_task()
    at: dict[str, Any] = {"happened_at": NOON, "actor": "system"}
    given = assign_tasks(task_ids=[task.pk], assignee_id=stan.pk, **at)
    moved = move_tasks(task_ids=[task.pk], due_at=NOON, **at)
    assign_tasks(task_ids=[task.pk], assignee_id=mara.pk, **at)
    move_tasks(task_ids=[task.pk], due_at=TOMORROW, **at)
    with pytest.raises(TaskChanged):
        take_back_assignment(before=given, to=stan.pk, **at)
    with pytest.raises(TaskChanged):
        take_back_move(before=moved, to=NOON, **at)
    task.refresh_from_db()
    assert (task.assignee, task.due_at) == (mara, TOMORROW)


# --- Lists ------------------------------------------------------------------------------------


def test_each_list_has_what_its_name_says(stan: User, mara: User) -> None:
    here, there = make_location(), make_location()
    mine = make_task(assignee_id=stan.pk, location_id=there.pk, title="mine")
    team = make_task(assignee_id=mara.pk, location_id=here.pk, title="team")
    free = make_task(location_id=here.pk, title="free", due_at=NOON)
    elsewhere = make_task(location_id=there.pk, title="elsewhere")
    done = make_task(assignee_id=stan.pk, location_id=here.pk, title="done")
    finish_task(task_id=done.pk, happened_at=NOON, actor=BY_STAN)

    def titles(scope: Any) -> list[str]:
        tasks = list_tasks(
            scope=scope,
            user_id=stan.pk,
            location_ids=[here.pk],
            now=NOON + timedelta(seconds=1),
        )
        return [task.title for task in tasks.order_by(*order_of(scope))]

    assert titles("mine") == [mine.title]
    assert titles("team") == [free.title, team.title]
    assert titles("unassigned") == [free.title]
    assert titles("overdue") == [free.title]
    assert titles("done") == [done.title]
    assert len(titles("all")) == 5
    assert elsewhere.title not in titles("team")


def test_next_is_ones_own_unless_something_free_is_due_earlier(stan: User) -> None:
    at: dict[str, Any] = {"user_id": stan.pk, "happened_at": NOON, "actor": f"user:{stan.pk}"}
    assert take_next(**at) is None
    own = make_task(assignee_id=stan.pk)
    assert take_next(**at) == own
    free = make_task(due_at=NOON)
    assert take_next(**at) == free
    free.refresh_from_db()
    assert free.assignee == stan
    assert kinds_of(free) == ["task.opened", "task.assigned"]
    shop = make_location()
    make_task(location_id=shop.pk, due_at=NOON - timedelta(days=1))
    assert take_next(**at, location_ids=[make_location().pk]) == free


def test_the_queue_is_by_due_time_and_counts_what_is_left(stan: User) -> None:
    late = make_task(assignee_id=stan.pk, due_at=TOMORROW + timedelta(days=1))
    soon = make_task(assignee_id=stan.pk)
    queue = queue_of(stan.pk, size=1)
    assert (queue.tasks, queue.count) == ([soon], 2)
    assert late not in queue.tasks


def test_the_next_action_is_the_earliest_open_task_of_the_whole_person() -> None:
    person, record = make_customer(), make_customer()
    Customer.objects.filter(pk=record.pk).update(person=person)
    assert next_action_of(person.pk) is None
    make_task(customer_id=person.pk, due_at=TOMORROW + timedelta(days=1))
    earlier = make_task(customer_id=record.pk)
    for one in (person, record):
        action = next_action_of(one.pk)
        assert action is not None
        assert (action.task, action.due_at) == (earlier, TOMORROW)


# --- Reminding --------------------------------------------------------------------------------


def test_a_reminder_comes_once_when_its_time_has_come(stan: User) -> None:
    task = make_task(assignee_id=stan.pk, actor=f"user:{stan.pk}")
    assert remind_due(TOMORROW - timedelta(seconds=1)) == 0
    assert remind_due(TOMORROW) == 1
    assert remind_due(TOMORROW + timedelta(hours=1)) == 0
    assert told(stan) == [("task_due", task.ref)]


def test_a_task_put_off_reminds_again(stan: User) -> None:
    task = make_task(assignee_id=stan.pk, actor=f"user:{stan.pk}")
    remind_due(TOMORROW)
    later = TOMORROW + timedelta(days=1)
    move_tasks(task_ids=[task.pk], due_at=later, happened_at=TOMORROW, actor=f"user:{stan.pk}")
    remind_due(later)
    assert len(told(stan)) == 2


def test_nobody_is_reminded_of_what_is_done_wants_no_reminder_or_has_nobody(
    stan: User, mara: User
) -> None:
    own: dict[str, Any] = {"assignee_id": stan.pk, "actor": f"user:{stan.pk}"}
    done = make_task(**own)
    finish_task(task_id=done.pk, happened_at=NOON, actor=BY_STAN)
    make_task(remind_before=None, **own)
    make_task()
    make_task(assignee_id=mara.pk, actor=f"user:{mara.pk}")
    mara.is_active = False
    mara.save()
    remind_due(TOMORROW)
    assert told(stan) == told(mara) == []
    assert remind_due(TOMORROW) == 0  # and none of them is looked at again


# --- Privacy ----------------------------------------------------------------------------------


def test_erasing_takes_the_words_and_leaves_times_and_codes() -> None:
    customer = make_customer()
    done = make_task(customer_id=customer.pk, text="Her number is 123.")
    finish_task(task_id=done.pk, result="Spoke to Kim.", happened_at=NOON, actor=BY_STAN)
    still_open = make_task(customer_id=customer.pk)
    [first, _second] = export_tasks([customer.pk])
    assert (first["title"], first["result"]) == ("Call back", "Spoke to Kim.")

    assert erase_tasks([customer.pk]) == 2
    assert erase_tasks([customer.pk]) == 0
    done.refresh_from_db()
    still_open.refresh_from_db()
    assert (done.title, done.text, done.result) == ("", "", "")
    assert (done.status, done.finished_at) == ("done", NOON)
    assert still_open.status == "cancelled"


def test_work_places_make_the_team(stan: User) -> None:
    from crm.selectors.tasks import locations_of

    shop = make_location()
    LocationMembership.objects.create(user=stan, location=shop)
    assert locations_of(stan.pk) == [shop.pk]


# --- Several at once --------------------------------------------------------------------------


def at_once(*calls: Callable[[], Any]) -> None:
    """Run each in a thread of its own, all beginning together."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> None:
        together.wait()
        try:
            call()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")
def test_two_of_everything_at_once_do_it_once(stan: User, mara: User) -> None:
    make_task(assignee_id=stan.pk, actor=f"user:{stan.pk}")
    set_cadence(customer_id=make_customer().pk, every_days=1, happened_at=NOON, actor="system")
    free = [make_task(remind_before=None), make_task(remind_before=None)]
    at_once(
        lambda: remind_due(TOMORROW),
        lambda: remind_due(TOMORROW),
        lambda: open_due_cadences(TOMORROW),
        lambda: open_due_cadences(TOMORROW),
        lambda: make_task(source_key="test:1"),
        lambda: make_task(source_key="test:1"),
        lambda: take_next(user_id=mara.pk, happened_at=NOON, actor="system"),
        lambda: take_next(user_id=stan.pk, happened_at=NOON, actor="system"),
    )
    assert Notification.objects.filter(kind="task_due").count() == 1
    assert Task.objects.filter(origin="cadence").count() == 1
    assert Task.objects.filter(source_key="test:1").count() == 1
    assert Event.objects.filter(kind="task.assigned").count() == 1  # stan had one of his own
    assert {task.status for task in free} == {"open"}
