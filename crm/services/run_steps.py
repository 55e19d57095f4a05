"""Following a standard: steps done or skipped, runs completed or given up.

One guard stands before every door (page, bulk, API, task): a run ends as completed only when no
step is open, and a required step closes only by being done or by a manager who says why not.
Locks: the tasks of the run in the order of their ids, then the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Min
from django.utils.translation import gettext_lazy as _

from accounts.models import Role
from common.errors import Conflict, InvalidInput, NotAllowed, NotFound
from common.services import record_event
from common.validators import clean_text
from crm.models import Run, Step, StepResult, Task
from crm.selectors.actors import role_of_actor
from crm.selectors.evidence import Evidence, find_evidence
from crm.selectors.runs import covers
from crm.services.run_tasks import close_task_of, reopen_task_of

MAX_TEXT = 4_000
MANAGING = (Role.MANAGER, Role.ADMIN)


class RunEnded(Conflict):
    """The run was completed or given up."""

    code = "run_ended"
    message = _("This run has ended; it can't be changed any more.")


class StepDecided(Conflict):
    """The step is done or skipped already."""

    code = "step_decided"
    message = _("This step is done or skipped already.")


class StepForOthers(NotAllowed):
    """The step is for a role that may more."""

    code = "step_for_others"
    message = _("This step is for another role. Ask a manager.")


class EvidenceMissing(Conflict):
    """What counts as done for the step is not there."""

    code = "evidence_missing"
    message = _("What counts as done for this step is not there yet.")


class RequiredStepOpen(Conflict):
    """A required step was not done."""

    code = "required_step_open"
    message = _("A required step is still to do.")


class RequiredStepSkipped(NotAllowed):
    """Only managers may skip a required step."""

    code = "required_step_skipped"
    message = _("A required step can be skipped by a manager only.")


class AnswerMissing(InvalidInput):
    """The step is done by writing an answer down, and there is none."""

    message = _("Write down the answer.")


class ReasonMissing(InvalidInput):
    """Nothing is skipped or given up without a reason."""

    message = _("Say why.")


@dataclass(frozen=True, slots=True)
class _Doer:
    """Who decides, in which role and when; the task of the step may be closing by itself."""

    actor: str
    role: str
    happened_at: datetime
    closes_task: bool = True


@transaction.atomic
def do_step(
    *,
    run_id: int,
    position: int,
    happened_at: datetime,
    actor: str,
    role: str,
    text: str = "",
    evidence_ref: str = "",
) -> StepResult:
    """Record that a step was done and return it; the last one completes the run.

    position: from 1.  role: of whoever did it.  text: the answer, where one is to be written down.
    evidence_ref: the contact, note, task or offer that shows it; the latest one since the start is
        taken where none is named. Each shows one step of a run only.
    Done already, it stays as it is.

    :raises RunEnded: completed or given up; nothing is written.
    :raises StepDecided: it was skipped; nothing is written.
    :raises StepForOthers: the role may not; nothing is written.
    :raises AnswerMissing: no answer where one is asked for; nothing is written.
    :raises EvidenceMissing: nothing shows that it was done; nothing is written.
    """
    run, result = _locked(run_id, position)
    if result.state != StepResult.State.DONE:
        _do(run, result, text, evidence_ref, _Doer(actor, role, happened_at))
    return result


@transaction.atomic
def skip_step(
    *, run_id: int, position: int, reason: str, happened_at: datetime, actor: str, role: str
) -> StepResult:
    """Record that a step is skipped, and why, and return it; the last one completes the run.

    Skipped already, it stays as it is.

    :raises RunEnded: completed or given up; nothing is written.
    :raises StepDecided: it was done; nothing is written.
    :raises RequiredStepSkipped: it is required, and the role is not a manager's.
    :raises StepForOthers: the role may not; nothing is written.
    :raises ReasonMissing: no reason; nothing is written.
    """
    run, result = _locked(run_id, position)
    if result.state != StepResult.State.SKIPPED:
        _skip(run, result, reason, _Doer(actor, role, happened_at))
    return result


@transaction.atomic
def decide_by_task(task: Task, happened_at: datetime, actor: str) -> None:
    """Do the step of a task that is being finished, or skip it where the task isn't needed.

    What came of the task is the answer or the reason. Registered for tasks of standards, so that
    what holds for a step holds through the tasks' page, bulk and API as well.

    :raises DomainError: whatever :func:`do_step` and :func:`skip_step` refuse.
    """
    known = _step_of(task)
    if known is None:
        return
    run, result = _locked(known.run_id, known.step.position)
    if result.state != StepResult.State.OPEN:
        return
    doer = _Doer(actor, role_of_actor(actor), happened_at, closes_task=False)
    if task.status == Task.Status.DONE:
        _do(run, result, task.result, "", doer)
    else:
        _skip(run, result, task.result, doer)


@transaction.atomic
def complete_run(
    *, run_id: int, happened_at: datetime, actor: str, role: str, reason: str = ""
) -> Run:
    """Complete a run and return it; completed already, it stays as it is.

    reason: why the optional steps still open are skipped.

    :raises RequiredStepOpen: a required step is still to do; nothing is written.
    :raises ReasonMissing: optional steps are open and no reason is given; nothing is written.
    :raises StepForOthers: an open optional step is for another role; nothing is written.
    :raises RunEnded: it was given up; nothing is written.
    """
    run = _locked_run(run_id)
    if run.state == Run.State.COMPLETED:
        return run
    _refuse_ended(run)
    still_open = _open_steps(run)
    if required := [one.step.position for one in still_open if one.step.is_required]:
        raise RequiredStepOpen(steps=required)
    for result in still_open:
        _skip(run, result, reason, _Doer(actor, role, happened_at))
    return run


@transaction.atomic
def give_up_run(*, run_id: int, reason: str, happened_at: datetime, actor: str) -> Run:
    """Give a run up, saying why, and return it; its open steps are left undone.

    :raises RunEnded: it ended already; nothing is written.
    :raises ReasonMissing: no reason; nothing is written.
    """
    run = _locked_run(run_id)
    _refuse_ended(run)
    reason = _checked_reason(reason)
    for result in _open_steps(run):
        result.state, result.actor = StepResult.State.LEFT, actor
        result.decided_at = result.recorded_at = happened_at
        result.save()
        close_task_of(result, is_done=False, happened_at=happened_at, actor=actor)
    _end(run, Run.State.ABANDONED, happened_at, actor, reason)
    return run


@transaction.atomic
def reopen_step(*, run_id: int, position: int, happened_at: datetime, actor: str) -> StepResult:
    """Take back that a step was done or skipped, and return it.

    A run that this very step completed goes on.

    :raises RunEnded: the run ended otherwise; nothing is written.
    """
    run, result = _locked(run_id, position)
    if result.state != StepResult.State.OPEN:
        _reopen(run, result, happened_at, actor)
        reopen_task_of(result, happened_at=happened_at, actor=actor)
    return result


@transaction.atomic
def reopen_by_task(task: Task, happened_at: datetime, actor: str) -> None:
    """Take back the step of a task that is put back to be done.

    :raises RunEnded: the run ended otherwise than by this step.
    """
    if known := _step_of(task):
        run, result = _locked(known.run_id, known.step.position)
        if result.state != StepResult.State.OPEN:
            _reopen(run, result, happened_at, actor)


@transaction.atomic
def take_run(*, run_id: int, user_id: int | None, happened_at: datetime, actor: str) -> Run:
    """Make a user the one who follows an open run, and return it; None leaves it to anybody.

    :raises RunEnded: it ended; nothing is written.
    """
    run = _locked_run(run_id)
    _refuse_ended(run)
    if run.owner_id != user_id:
        run.owner_id = user_id
        run.save(update_fields=["owner"])
        _record("standard.taken", run, happened_at, actor)
    return run


def _step_of(task: Task) -> StepResult | None:
    return StepResult.objects.select_related("step").filter(task_id=task.pk).first()


def _reopen(run: Run, result: StepResult, happened_at: datetime, actor: str) -> None:
    if run.state != Run.State.OPEN:
        if run.state != Run.State.COMPLETED or run.ended_at != result.decided_at:
            raise RunEnded
        run.state, run.ended_at, run.ended_by, run.seconds = Run.State.OPEN, None, "", None
    result.state, result.text, result.actor = StepResult.State.OPEN, "", ""
    result.evidence_kind = result.evidence_ref = ""
    result.decided_at = result.recorded_at = result.seconds = None
    result.save()
    run.next_due_at = _next_due(run)
    run.save()
    _record("standard.step_reopened", run, happened_at, actor, step=result.step)


def _do(run: Run, result: StepResult, text: str, evidence_ref: str, doer: _Doer) -> None:
    _refuse_closed(run, result, doer)
    text = clean_text(text, max_length=MAX_TEXT)
    if result.step.done_when == Step.DoneWhen.WRITTEN and not text:
        raise AnswerMissing(fields={"text": [str(AnswerMissing.message)]})
    evidence = find_evidence(run, result.step, evidence_ref)
    if evidence is None:
        raise EvidenceMissing(step=result.step.position, done_when=result.step.done_when)
    result.seconds = _seconds(run, doer.happened_at)
    _decide(run, result, StepResult.State.DONE, text, evidence, doer)


def _skip(run: Run, result: StepResult, reason: str, doer: _Doer) -> None:
    _refuse_ended(run)
    if result.step.is_required and doer.role not in MANAGING:
        raise RequiredStepSkipped
    _refuse_closed(run, result, doer)
    reason = _checked_reason(reason)
    _decide(run, result, StepResult.State.SKIPPED, reason, Evidence(), doer)


def _decide(
    run: Run,
    result: StepResult,
    state: StepResult.State,
    text: str,
    evidence: Evidence,
    doer: _Doer,
) -> None:
    is_done = state == StepResult.State.DONE
    result.state, result.text, result.actor = state, text, doer.actor
    result.evidence_kind, result.evidence_ref = evidence.kind, evidence.ref
    result.decided_at = result.recorded_at = doer.happened_at
    result.save()
    if doer.closes_task:
        close_task_of(result, is_done=is_done, happened_at=doer.happened_at, actor=doer.actor)
    kind = "standard.step_done" if is_done else "standard.step_skipped"
    _record(kind, run, doer.happened_at, doer.actor, step=result.step)
    run.next_due_at = _next_due(run)
    if run.next_due_at is None:
        _end(run, Run.State.COMPLETED, doer.happened_at, doer.actor, "")
    else:
        run.save(update_fields=["next_due_at"])


def _end(run: Run, state: Run.State, happened_at: datetime, actor: str, why: str) -> None:
    run.state, run.next_due_at = state, None
    run.ended_at, run.ended_by, run.ended_why = happened_at, actor, why
    run.seconds = _seconds(run, happened_at)
    run.save()
    done = state == Run.State.COMPLETED
    _record("standard.completed" if done else "standard.given_up", run, happened_at, actor)


def _open_steps(run: Run) -> list[StepResult]:
    still_open = run.results.select_related("step").filter(state=StepResult.State.OPEN)
    return list(still_open.order_by("step__position"))


def _next_due(run: Run) -> datetime | None:
    still_open = run.results.filter(state=StepResult.State.OPEN)
    earliest: datetime | None = still_open.aggregate(earliest=Min("due_at"))["earliest"]
    return earliest


def _seconds(run: Run, moment: datetime) -> int:
    return max(0, int((moment - run.started_at).total_seconds()))


def _locked_run(run_id: int) -> Run:
    tasks = StepResult.objects.filter(run_id=run_id, task__isnull=False).values("task_id")
    list(Task.objects.select_for_update().filter(pk__in=tasks).order_by("pk"))
    return Run.objects.select_for_update().get(pk=run_id)


def _locked(run_id: int, position: int) -> tuple[Run, StepResult]:
    """The run, locked, and its step.

    :raises NotFound: the run has no such step.
    """
    run = _locked_run(run_id)
    results = run.results.select_related("step").filter(step__position=position)
    result = results.first()
    if result is None:
        raise NotFound
    return run, result


def _refuse_ended(run: Run) -> None:
    if run.state != Run.State.OPEN:
        raise RunEnded


def _refuse_closed(run: Run, result: StepResult, doer: _Doer) -> None:
    _refuse_ended(run)
    if result.state != StepResult.State.OPEN:
        raise StepDecided
    if not covers(doer.role, result.step):
        raise StepForOthers


def _checked_reason(reason: str) -> str:
    reason = clean_text(reason, max_length=MAX_TEXT)
    if not reason:
        raise ReasonMissing(fields={"reason": [str(ReasonMissing.message)]})
    return reason


def _record(
    kind: str, run: Run, happened_at: datetime, actor: str, *, step: Step | None = None
) -> None:
    version = run.version
    record_event(
        kind=kind,
        subject_kind="run",
        subject_ref=run.ref,
        customer_id=run.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"version": version.number, "names": version.names}
        | ({"step": step.position, "titles": step.titles} if step else {}),
    )
