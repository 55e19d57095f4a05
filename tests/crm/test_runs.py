"""Following a standard: started once, step by step, and no door past a required step."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import DomainError, InvalidInput, NotFound
from common.models import Event
from common.sweeping import run_sweeper
from common.time import now
from crm.models import Run, StepResult, Task
from crm.privacy import runs as privacy
from crm.selectors.runs import completion, completion_facts
from crm.services.cancel_requests import open_cancel_request
from crm.services.interactions import NewContact, record_interaction
from crm.services.notes import record_note
from crm.services.offers import record_offer
from crm.services.playbooks import NeverPublished, create_playbook, switch_playbook
from crm.services.run_steps import (
    EvidenceMissing,
    RequiredStepOpen,
    RequiredStepSkipped,
    RunEnded,
    StepDecided,
    StepForOthers,
    complete_run,
    do_step,
    give_up_run,
    reopen_step,
    skip_step,
    take_run,
)
from crm.services.runs import StandardSwitchedOff, start_run, start_runs
from crm.services.tasks import finish_task, finish_tasks, open_task, reopen_tasks
from feedback.services import open_complaint
from tests.cast import ACTOR, NOON, make_customer, make_location
from tests.crm.standards import DAY, HOUR, content, make_playbook, make_run, step
from tests.requirements import tries

pytestmark = pytest.mark.django_db

HAPPENING = {"happened_at": NOON, "actor": ACTOR}
AS_STAFF = HAPPENING | {"role": "staff"}
AS_MANAGER = HAPPENING | {"role": "manager"}


def states(run):
    return list(run.results.order_by("step__position").values_list("state", flat=True))


def refreshed(run):
    return Run.objects.get(pk=run.pk)


# --- Starting -----------------------------------------------------------------------------------
def test_a_run_knows_when_each_step_is_due_and_what_is_next():
    run = make_run(step("A", offset_minutes=2 * HOUR), step("B", offset_minutes=3 * DAY), at=NOON)
    due = list(run.results.order_by("step__position").values_list("due_at", flat=True))
    assert due == [NOON + timedelta(hours=2), NOON + timedelta(days=3)]
    assert (run.next_due_at, run.due_at) == (due[0], due[1])
    do_step(run_id=run.pk, position=1, **AS_STAFF)
    assert refreshed(run).next_due_at == due[1]
    codes = Event.objects.get(kind="standard.started").codes
    assert codes == {
        "standard": "care",
        "version": 1,
        "names": {"en": "Care"},
        "trigger": "manual",
    }


def test_it_is_followed_where_the_customer_belongs_unless_said_otherwise():
    home, other = make_location(), make_location()
    customer = make_customer(location_id=home.pk)
    playbook = make_playbook()
    at_home = make_run(playbook=playbook, customer_id=customer.pk)
    elsewhere = make_run(playbook=playbook, customer_id=customer.pk, location_id=other.pk)
    assert (at_home.location, elsewhere.location) == (home, other)


def test_nobody_starts_what_is_switched_off_not_published_or_for_nobody():
    customer = make_customer()
    playbook = make_playbook()
    switch_playbook(playbook_id=playbook.pk, is_active=False, **HAPPENING)
    draft = create_playbook(content=content(), **HAPPENING)
    for playbook_id, customer_id, refusal in (
        (playbook.pk, customer.pk, StandardSwitchedOff),
        (draft.pk, customer.pk, NeverPublished),
        (make_playbook().pk, 10**9, NotFound),
    ):
        with pytest.raises(refusal):
            start_run(playbook_id=playbook_id, customer_id=customer_id, **HAPPENING)
    assert not Run.objects.exists()


def test_a_trigger_starts_every_standard_that_waits_for_it_once():
    make_playbook(name="One", trigger="customer.recorded")
    make_playbook(name="Two", trigger="customer.recorded")
    make_playbook(name="Other", trigger="complaint.opened")
    customer = make_customer()
    first = set(Run.objects.values_list("version__playbook__key", flat=True))
    assert first == {"one", "two"}
    again = {"customer_id": customer.pk, "trigger_key": f"customer:{customer.ref}"}
    assert start_runs(trigger="customer.recorded", **again, **HAPPENING) == []
    assert Run.objects.count() == 2


def test_one_that_is_switched_off_is_not_triggered():
    playbook = make_playbook(trigger="customer.recorded")
    switch_playbook(playbook_id=playbook.pk, is_active=False, **HAPPENING)
    make_customer()
    assert not Run.objects.exists()


def test_a_complaint_and_a_wish_to_leave_start_theirs():
    customer, shop = make_customer(), make_location()
    make_playbook(name="Complaint", trigger="complaint.opened")
    make_playbook(name="Leaving", trigger="cancel_request.opened")
    complaint = open_complaint(
        customer_id=customer.pk,
        text="Broken.",
        source="staff",
        location_id=shop.pk,
        **HAPPENING,
    )
    request = open_cancel_request(customer_id=customer.pk, requested_at=NOON, **HAPPENING)
    subjects = Run.objects.order_by("pk").values_list("subject_kind", "subject_ref", "location_id")
    assert list(subjects) == [
        ("complaint", complaint.ref, shop.pk),
        ("cancel_request", request.ref, None),
    ]


def test_a_complaint_of_somebody_unknown_starts_nothing():
    make_playbook(trigger="complaint.opened")
    open_complaint(customer_id=None, text="Broken.", source="public", **HAPPENING)
    assert not Run.objects.exists()


def test_imported_customers_start_nothing(tmp_path):
    make_playbook(trigger="customer.recorded")
    file = tmp_path / "customers.csv"
    file.write_text("external_id,name\nC-1,Ann\n")
    call_command("import_data", "customers", str(file), verbosity=0)
    assert not Run.objects.exists()


def test_customers_imported_live_start_what_entered_ones_do(tmp_path):
    shop = make_location()
    first, second = make_playbook(trigger="customer.recorded"), make_playbook(name="By hand")
    file = tmp_path / "customers.csv"
    file.write_text(f"external_id,name,location\nC-1,Ann,{shop.code}\nC-2,Bob,\n")
    for _again in range(2):
        call_command("import_data", "customers", str(file), "--live", verbosity=0)
    runs = Run.objects.order_by("customer__external_id")
    assert [(run.customer.external_id, run.location, run.trigger) for run in runs] == [
        ("C-1", shop, "customer.recorded"),
        ("C-2", None, "customer.recorded"),
    ]
    assert {run.version_id for run in runs} == {first.current_id} != {second.current_id}
    typed = make_customer(happened_at=runs[0].started_at)
    like = Run.objects.get(customer=typed)
    results = "step", "state", "due_at"
    assert list(runs[1].results.values(*results)) == list(like.results.values(*results))
    for name in ("due_at", "next_due_at", "started_by", "subject_kind", "owner_id"):
        assert getattr(runs[1], name) == getattr(like, name)
    events = Event.objects.filter(kind="standard.started")
    assert [event.codes for event in events] == [events[0].codes] * 3
    assert {event.subject_ref for event in events} == {run.ref for run in [*runs, like]}


# --- What counts as done ------------------------------------------------------------------------
def contact(customer, at, direction="outbound"):
    return record_interaction(
        contact=NewContact(
            channel="phone",
            direction=direction,
            customer_id=customer.pk,
            text="Hello",
            occurred_at=at,
        ),
        happened_at=at,
        actor=ACTOR,
    )


def evidence_of(kind, customer, at):
    """A row of that kind about the customer, as its own service writes it."""
    happening = {"happened_at": at, "actor": ACTOR}
    if kind == "contact":
        return contact(customer, at)
    if kind == "note":
        return record_note(customer_id=customer.pk, kind="need", text="Tea", **happening)
    if kind == "task":
        return open_task(title="Call", due_at=at, customer_id=customer.pk, **happening)
    return record_offer(customer_id=customer.pk, text="Tea", made_at=at, **happening)


@pytest.mark.parametrize(
    ("kind", "named"),
    [("contact", "interaction"), ("note", "note"), ("task", "task"), ("offer", "offer")],
)
def test_a_step_that_needs_showing_is_done_by_a_row_of_the_customer_since_the_start(kind, named):
    customer = make_customer(happened_at=NOON - timedelta(days=9))
    playbook = make_playbook(step(done_when=kind), at=NOON - timedelta(days=9))
    evidence_of(kind, customer, NOON - timedelta(days=1))  # too early
    evidence_of(kind, make_customer(), NOON + timedelta(hours=1))  # somebody else's
    run = make_run(playbook=playbook, customer_id=customer.pk, at=NOON)
    later = {"happened_at": NOON + timedelta(hours=3), "actor": ACTOR, "role": "staff"}
    with pytest.raises(EvidenceMissing):
        do_step(run_id=run.pk, position=1, **later)
    assert states(run) == ["open"]

    row = evidence_of(kind, customer, NOON + timedelta(hours=2))
    result = do_step(run_id=run.pk, position=1, **later)

    assert (result.evidence_kind, result.evidence_ref) == (named, row.ref)
    assert (result.state, result.seconds) == ("done", 3 * 3600)


def test_one_contact_shows_one_step_and_internal_notes_none():
    run = make_run(step("A", done_when="contact"), step("B", done_when="contact"), at=NOON)
    later = NOON + timedelta(minutes=5)
    contact(run.customer, later, direction="internal")
    with pytest.raises(EvidenceMissing):
        do_step(run_id=run.pk, position=1, **AS_STAFF)
    contact(run.customer, later)
    do_step(run_id=run.pk, position=1, **AS_STAFF)
    with pytest.raises(EvidenceMissing):
        do_step(run_id=run.pk, position=2, **AS_STAFF)
    second = contact(run.customer, later)
    with pytest.raises(EvidenceMissing):
        do_step(run_id=run.pk, position=2, evidence_ref="nothingofit", **AS_STAFF)
    do_step(run_id=run.pk, position=2, evidence_ref=second.ref, **AS_STAFF)
    assert states(run) == ["done", "done"]


def test_an_answer_has_to_be_written_down():
    run = make_run(step(done_when="written"))
    with pytest.raises(InvalidInput) as refusal:
        do_step(run_id=run.pk, position=1, text="  ", **AS_STAFF)
    assert list(refusal.value.fields) == ["text"]
    assert states(run) == ["open"]
    assert do_step(run_id=run.pk, position=1, text="Yes", **AS_STAFF).text == "Yes"


def test_a_step_is_for_its_role_and_those_above():
    run = make_run(step(role="manager"))
    with pytest.raises(StepForOthers):
        do_step(run_id=run.pk, position=1, **AS_STAFF)
    assert states(run) == ["open"]
    do_step(run_id=run.pk, position=1, **(HAPPENING | {"role": "admin"}))
    assert states(run) == ["done"]


# --- No door past a required step ---------------------------------------------------------------
def test_the_last_step_completes_the_run():
    run = make_run(step("A"), step("B"), at=NOON)
    do_step(run_id=run.pk, position=2, **AS_STAFF)
    assert refreshed(run).state == Run.State.OPEN
    do_step(run_id=run.pk, position=1, **(AS_STAFF | {"happened_at": NOON + timedelta(hours=1)}))
    run = refreshed(run)
    assert (run.state, run.ended_by, run.seconds) == (Run.State.COMPLETED, ACTOR, 3600)
    assert run.next_due_at is None


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


def test_finishing_the_task_does_the_step_where_nothing_else_is_missing(stan):
    run = make_run(step(done_when="written", offset_minutes=HOUR))
    actor = f"user:{stan.pk}"
    finish_task(task_id=Task.objects.get().pk, result="Blue", happened_at=now(), actor=actor)
    result = run.results.get()
    assert (result.state, result.text, result.actor) == ("done", "Blue", actor)
    assert (refreshed(run).state, Task.objects.get().status) == ("completed", "done")
    assert Event.objects.filter(kind="task.done").count() == 1


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


# --- Again, back, over to somebody --------------------------------------------------------------
def test_what_is_done_already_stays_as_it_is():
    run = make_run(step("A"), step("B", is_required=False))
    first = do_step(run_id=run.pk, position=1, **AS_STAFF)
    again = do_step(run_id=run.pk, position=1, **(AS_STAFF | {"actor": "user:9"}))
    assert (first.pk, again.actor) == (again.pk, ACTOR)
    with pytest.raises(StepDecided):
        skip_step(run_id=run.pk, position=1, reason="Why", **AS_MANAGER)
    with pytest.raises(NotFound):
        do_step(run_id=run.pk, position=3, **AS_STAFF)
    assert Event.objects.filter(kind="standard.step_done").count() == 1


def test_the_last_click_is_taken_back_even_if_it_completed_the_run():
    run = make_run(step(offset_minutes=HOUR), at=NOON)
    do_step(run_id=run.pk, position=1, **AS_STAFF)
    assert Task.objects.get().status == "done"
    reopen_step(run_id=run.pk, position=1, **HAPPENING)
    run = refreshed(run)
    assert (run.state, run.ended_at, states(run)) == (Run.State.OPEN, None, ["open"])
    assert run.next_due_at == NOON + timedelta(hours=1)
    assert Task.objects.get().status == "open"


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


def test_a_run_given_up_is_not_taken_back():
    run = make_run()
    give_up_run(run_id=run.pk, reason="Why", **HAPPENING)
    with pytest.raises(RunEnded):
        reopen_step(run_id=run.pk, position=1, **HAPPENING)


def test_somebody_takes_a_run_over(stan):
    run = make_run()
    take_run(run_id=run.pk, user_id=stan.pk, **HAPPENING)
    assert refreshed(run).owner == stan
    take_run(run_id=run.pk, user_id=stan.pk, **HAPPENING)
    assert Event.objects.filter(kind="standard.taken").count() == 1


# --- Tasks --------------------------------------------------------------------------------------
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


# --- Facts and privacy --------------------------------------------------------------------------
def test_completion_counts_runs_due_in_the_period_and_kept_in_time_with_nothing_required_skipped():
    playbook = make_playbook(step(offset_minutes=DAY))
    runs = [make_run(playbook=playbook, at=NOON) for _number in range(5)]
    kept, late, skipped, given_up, _open = runs
    in_time, too_late = NOON + timedelta(hours=5), NOON + timedelta(days=2)
    do_step(run_id=kept.pk, position=1, **(AS_STAFF | {"happened_at": in_time}))
    do_step(run_id=late.pk, position=1, **(AS_STAFF | {"happened_at": too_late}))
    skip_step(
        run_id=skipped.pk, position=1, reason="Why", **(AS_MANAGER | {"happened_at": in_time})
    )
    give_up_run(run_id=given_up.pk, reason="Why", happened_at=in_time, actor=ACTOR)
    day = timedelta(days=1)
    assert completion(NOON + day, NOON + 2 * day) == (1, 5)
    assert completion(NOON, NOON + day) == (0, 0)  # half-open: due at its end
    facts = {row["id"]: row for row in completion_facts(NOON + day, NOON + 2 * day)}
    assert facts[kept.pk] == {
        "id": kept.pk,
        "customer_id": kept.customer_id,
        "playbook": "care",
        "location_id": None,
        "started_at": NOON,
        "due_at": NOON + day,
        "ended_at": in_time,
        "state": "completed",
        "required": 1,
        "required_done": 1,
        "seconds": 5 * 3600,
    }
    assert facts[skipped.pk]["required_done"] == 0


def test_erasure_forgets_words_and_keeps_codes():
    run = make_run(step("A", done_when="written"), step("B"))
    do_step(run_id=run.pk, position=1, text="She moved to Perm", **AS_STAFF)
    give_up_run(run_id=run.pk, reason="She is away", **HAPPENING)
    exported = privacy.export_step_results([run.customer_id]) + privacy.export_runs(
        [run.customer_id]
    )
    assert "She moved to Perm" in str(exported)
    assert "She is away" in str(exported)

    assert privacy.erase_step_results([run.customer_id]) == 1
    assert privacy.erase_runs([run.customer_id]) == 1

    assert set(StepResult.objects.values_list("text", flat=True)) == {""}
    assert (refreshed(run).ended_why, refreshed(run).state) == ("", "abandoned")
    assert states(run) == ["done", "left"]


def test_events_of_a_run_hold_no_words_of_customers():
    run = make_run(step("A", done_when="written"), step("B", is_required=False))
    do_step(run_id=run.pk, position=1, text="secret words", **AS_STAFF)
    complete_run(run_id=run.pk, reason="secret reason", **AS_STAFF)
    assert "secret" not in str(list(Event.objects.values_list("codes", flat=True)))
