"""No door past a required step of a standard."""

from contextlib import suppress

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import DomainError, InvalidInput
from common.time import now
from crm.models import Run, Task
from crm.services.run_steps import (
    RequiredStepOpen,
    RequiredStepSkipped,
    RunEnded,
    complete_run,
    do_step,
    give_up_run,
    reopen_step,
    skip_step,
)
from crm.services.tasks import finish_task, finish_tasks, open_task
from tests.cast import NOON
from tests.crm.following import AS_MANAGER, AS_STAFF, HAPPENING, refreshed, states
from tests.crm.standards import HOUR, make_run, step
from tests.requirements import tries

pytestmark = pytest.mark.django_db


def test_a_run_with_a_required_step_open_is_not_completed():
    run = make_run(step("A"), step("B", is_required=False))
    with pytest.raises(RequiredStepOpen) as refusal:
        complete_run(run_id=run.pk, reason="In a hurry", **AS_MANAGER)
    assert refusal.value.context == {"steps": [1]}
    assert (refreshed(run).state, states(run)) == (Run.State.OPEN, ["open", "open"])


def test_optional_steps_are_skipped_with_a_reason_when_a_run_is_completed():
    run = make_run(step("A"), step("B", is_required=False))
    do_step(run_id=run.pk, position=1, **AS_STAFF)
    with pytest.raises(InvalidInput) as refusal:
        complete_run(run_id=run.pk, **AS_STAFF)
    assert list(refusal.value.fields) == ["reason"]
    assert refreshed(run).state == Run.State.OPEN
    complete_run(run_id=run.pk, reason="Nothing fits", **AS_STAFF)
    assert (refreshed(run).state, states(run)) == (Run.State.COMPLETED, ["done", "skipped"])
    assert run.results.get(state="skipped").text == "Nothing fits"


def test_skipping_needs_a_reason_and_for_a_required_step_a_manager():
    run = make_run(step("A"), step("B", is_required=False))
    with pytest.raises(InvalidInput):
        skip_step(run_id=run.pk, position=2, reason=" ", **AS_STAFF)
    with pytest.raises(RequiredStepSkipped):
        skip_step(run_id=run.pk, position=1, reason="No time", **AS_STAFF)
    assert states(run) == ["open", "open"]
    skip_step(run_id=run.pk, position=2, reason="No need", **AS_STAFF)
    skip_step(run_id=run.pk, position=1, reason="Shop was closed", **AS_MANAGER)
    assert (refreshed(run).state, states(run)) == (Run.State.COMPLETED, ["skipped", "skipped"])


def test_giving_up_needs_a_reason_and_leaves_the_rest_undone():
    run = make_run(step("A"), step("B"))
    do_step(run_id=run.pk, position=1, **AS_STAFF)
    with pytest.raises(InvalidInput):
        give_up_run(run_id=run.pk, reason="", **HAPPENING)
    assert refreshed(run).state == Run.State.OPEN
    give_up_run(run_id=run.pk, reason="Started twice", **HAPPENING)
    run = refreshed(run)
    assert (run.state, run.ended_why, states(run)) == (
        Run.State.ABANDONED,
        "Started twice",
        ["done", "left"],
    )
    with pytest.raises(RunEnded):
        complete_run(run_id=run.pk, **AS_MANAGER)
    with pytest.raises(RunEnded):
        do_step(run_id=run.pk, position=2, **AS_STAFF)


def test_a_task_of_a_required_step_is_not_finished_past_it():
    """Page, bulk and API of the tasks all finish through the same service."""
    run = make_run(step(done_when="written", offset_minutes=HOUR), at=NOON)
    other = open_task(title="Anything", due_at=NOON, **HAPPENING)
    task = Task.objects.get(origin="standard")
    for finishing in (
        lambda: finish_task(task_id=task.pk, **HAPPENING),
        lambda: finish_tasks(task_ids=[other.pk, task.pk], **HAPPENING),
        lambda: finish_task(task_id=task.pk, is_needed=False, **HAPPENING),
    ):
        with pytest.raises(InvalidInput):
            finishing()
    assert set(Task.objects.values_list("status", flat=True)) == {"open"}
    assert states(run) == ["open"]


def test_a_colleague_cant_call_a_required_steps_task_not_needed(stan, mara):
    run = make_run(step(offset_minutes=HOUR))
    task = Task.objects.get()
    unneeded = {"task_id": task.pk, "is_needed": False, "result": "No", "happened_at": now()}
    with pytest.raises(RequiredStepSkipped):
        finish_task(actor=f"user:{stan.pk}", **unneeded)
    assert (Task.objects.get().status, states(run)) == ("open", ["open"])
    finish_task(actor=f"user:{mara.pk}", **unneeded)
    assert (Task.objects.get().status, states(run)) == ("cancelled", ["skipped"])
    assert run.results.get().text == "No"


@settings(max_examples=tries(25), deadline=None)
@given(st.data())
def test_whatever_is_tried_a_completed_run_has_no_required_step_undone_by_staff(data):
    """Any sequence of doing, skipping, completing, taking back and finishing tasks."""
    with transaction.atomic():
        run = make_run(
            *[step(is_required=required, offset_minutes=HOUR) for required in (True, False, True)]
        )
        doors = [
            lambda n: do_step(run_id=run.pk, position=n, **AS_STAFF),
            lambda n: skip_step(run_id=run.pk, position=n, reason="Why", **AS_STAFF),
            lambda n: reopen_step(run_id=run.pk, position=n, **HAPPENING),
            lambda n: complete_run(run_id=run.pk, reason="Why", **AS_STAFF),
            lambda n: finish_task(
                task_id=Task.objects.get(source_key=f"standard:{run.ref}:{n}").pk, **HAPPENING
            ),
        ]
        for _turn in range(data.draw(st.integers(1, 8))):
            door, position = data.draw(st.sampled_from(doors)), data.draw(st.integers(1, 3))
            with suppress(DomainError):
                door(position)
            found = refreshed(run)
            required = set(found.results.filter(step__is_required=True).values_list("state"))
            if found.state == Run.State.COMPLETED:
                assert required == {("done",)}
                assert not found.results.filter(state="open").exists()
            else:
                assert found.results.filter(state="open").exists()
        transaction.set_rollback(True)
