"""Following a standard step by step: what counts as done, and what is taken back or over."""

from datetime import timedelta

import pytest

from common.errors import InvalidInput, NotFound
from common.models import Event
from crm.models import Run, Task
from crm.services.interactions import NewContact, record_interaction
from crm.services.notes import record_note
from crm.services.offers import record_offer
from crm.services.run_steps import (
    EvidenceMissing,
    RunEnded,
    StepDecided,
    StepForOthers,
    do_step,
    give_up_run,
    reopen_step,
    skip_step,
    take_run,
)
from crm.services.tasks import open_task
from tests.cast import ACTOR, NOON, make_customer
from tests.crm.following import AS_MANAGER, AS_STAFF, HAPPENING, refreshed, states
from tests.crm.standards import HOUR, make_playbook, make_run, step

pytestmark = pytest.mark.django_db


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


def test_the_last_step_completes_the_run():
    run = make_run(step("A"), step("B"), at=NOON)
    do_step(run_id=run.pk, position=2, **AS_STAFF)
    assert refreshed(run).state == Run.State.OPEN
    do_step(run_id=run.pk, position=1, **(AS_STAFF | {"happened_at": NOON + timedelta(hours=1)}))
    run = refreshed(run)
    assert (run.state, run.ended_by, run.seconds) == (Run.State.COMPLETED, ACTOR, 3600)
    assert run.next_due_at is None


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
