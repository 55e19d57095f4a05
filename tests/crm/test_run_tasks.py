"""Steps of a standard as tasks: when they appear, and how task and step end together."""

from datetime import timedelta

import pytest

from common.models import Event
from common.sweeping import run_sweeper
from common.time import now
from crm.models import Task
from crm.services.run_steps import RunEnded, do_step, give_up_run, skip_step
from crm.services.tasks import finish_task, reopen_tasks
from tests.cast import ACTOR, make_customer
from tests.crm.following import AS_STAFF, HAPPENING, refreshed, states
from tests.crm.standards import DAY, HOUR, make_playbook, make_run, step

pytestmark = pytest.mark.django_db


def test_finishing_the_task_does_the_step_where_nothing_else_is_missing(stan):
    run = make_run(step(done_when="written", offset_minutes=HOUR))
    actor = f"user:{stan.pk}"
    finish_task(task_id=Task.objects.get().pk, result="Blue", happened_at=now(), actor=actor)
    result = run.results.get()
    assert (result.state, result.text, result.actor) == ("done", "Blue", actor)
    assert (refreshed(run).state, Task.objects.get().status) == ("completed", "done")
    assert Event.objects.filter(kind="task.done").count() == 1


def test_a_task_put_back_takes_its_step_back(stan):
    run = make_run(step("A", offset_minutes=HOUR), step("B", offset_minutes=HOUR))
    first, second = Task.objects.order_by("pk")
    finish_task(task_id=first.pk, happened_at=now(), actor=f"user:{stan.pk}")
    assert states(run) == ["done", "open"]
    reopen_tasks(task_ids=[first.pk], happened_at=now(), actor=f"user:{stan.pk}")
    assert states(run) == ["open", "open"]
    assert Event.objects.filter(kind="task.reopened").count() == 1
    give_up_run(run_id=run.pk, reason="Why", **HAPPENING)
    with pytest.raises(RunEnded):
        reopen_tasks(task_ids=[second.pk], happened_at=now(), actor=ACTOR)
    assert Task.objects.get(pk=second.pk).status == "cancelled"


def test_steps_become_tasks_a_day_before_they_are_due_once(stan, clock):
    run = make_run(
        step("Soon", offset_minutes=HOUR),
        step("Later", offset_minutes=3 * DAY),
        at=clock(),
        owner_id=stan.pk,
    )
    task = Task.objects.get()
    assert (task.title, task.origin, task.assignee) == ("Soon", "standard", stan)
    assert (task.due_at, task.subject_ref) == (clock() + timedelta(hours=1), run.ref)
    assert task.source_key == f"standard:{run.ref}:1"

    assert run_sweeper("crm.standards", clock()) == 0
    assert run_sweeper("crm.standards", clock.forward(days=2)) == 1
    assert run_sweeper("crm.standards", clock()) == 0
    assert list(Task.objects.order_by("pk").values_list("title", flat=True)) == ["Soon", "Later"]


def test_a_triggered_run_gets_its_tasks_with_the_next_sweep():
    make_playbook(step(offset_minutes=HOUR), trigger="customer.recorded")
    make_customer()
    assert not Task.objects.exists()
    assert run_sweeper("crm.standards", now()) == 1
    assert Task.objects.get().assignee is None


def test_a_step_for_managers_is_no_colleagues_task(stan):
    make_run(step(role="manager", offset_minutes=HOUR), owner_id=stan.pk)
    assert Task.objects.get().assignee is None


def test_tasks_end_with_the_step_or_the_run():
    run = make_run(
        step("A", offset_minutes=HOUR),
        step("B", offset_minutes=HOUR, is_required=False),
        step("C", offset_minutes=HOUR),
    )
    do_step(run_id=run.pk, position=1, **AS_STAFF)
    skip_step(run_id=run.pk, position=2, reason="Why", **AS_STAFF)
    give_up_run(run_id=run.pk, reason="Why", **HAPPENING)
    assert list(Task.objects.order_by("pk").values_list("status", flat=True)) == [
        "done",
        "cancelled",
        "cancelled",
    ]
