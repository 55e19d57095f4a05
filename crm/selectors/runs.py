"""Standards being followed: lists of runs, one run with its steps, a customer's runs, facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Prefetch, Q, QuerySet

from common.errors import NotFound
from common.models import Event
from crm.models import Run, Step, StepResult
from crm.selectors.evidence import Evidence, evidence_for
from crm.standards.content import DOERS

VIEWS = ("mine", "late", "open", "ended")


def list_runs(
    *,
    view: str = "open",
    user_id: int | None = None,
    playbook_id: int | None = None,
    location_id: int | None = None,
    customer_ids: list[int] | None = None,
    now: datetime | None = None,
) -> QuerySet[Run]:
    """Return runs with customer, standard, shop and owner; not yet ordered.

    view: ``mine`` (open ones of ``user_id``), ``late`` (open, a step was due before ``now``),
        ``open``, ``ended``, or empty for all of them.
    customer_ids: only of these customer records.
    """
    runs = Run.objects.select_related("customer", "version__playbook", "location", "owner")
    if view == "ended":
        runs = runs.exclude(state=Run.State.OPEN).filter(ended_at__isnull=False)
    elif view:
        runs = runs.filter(state=Run.State.OPEN, next_due_at__isnull=False)
    if view == "mine":
        runs = runs.filter(owner_id=user_id)
    if view == "late":
        runs = runs.filter(next_due_at__lt=now)
    if playbook_id is not None:
        runs = runs.filter(version__playbook_id=playbook_id)
    if location_id is not None:
        runs = runs.filter(location_id=location_id)
    if customer_ids is not None:
        runs = runs.filter(customer_id__in=customer_ids)
    return runs


def progress_of(runs: list[Run]) -> dict[int, dict[str, Any]]:
    """Return run id → ``done``, ``steps`` (counts) and ``next`` (the step due next); one query."""
    found: dict[int, dict[str, Any]] = {
        run.pk: {"done": 0, "steps": 0, "next": None} for run in runs
    }
    results = (
        StepResult.objects.filter(run__in=found)
        .select_related("step")
        .order_by("due_at", "step__position")
    )
    for result in results:
        progress = found[result.run_id]
        progress["steps"] += 1
        if result.state == StepResult.State.OPEN:
            progress["next"] = progress["next"] or result.step
        elif result.state == StepResult.State.DONE:
            progress["done"] += 1
    return found


def get_run(ref: str) -> Run:
    """Return the run with this ref, with customer, version, shop and owner.

    :raises NotFound: none has it, or its customer was erased.
    """
    run = list_runs(view="").filter(ref=ref, customer__erased_at__isnull=True).first()
    if run is None:
        raise NotFound
    return run


@dataclass(frozen=True, slots=True)
class RunStep:
    """A step of a run for one reader.

    found: what would show at present that it was done; None if nothing does.
    """

    step: Step
    result: StepResult
    is_late: bool
    may_do: bool
    may_skip: bool
    found: Evidence | None

    @property
    def is_open(self) -> bool:
        """Whether it is still to do."""
        return self.result.state == StepResult.State.OPEN


def steps_of(run: Run, *, role: str, now: datetime) -> list[RunStep]:
    """Return a run's steps in order, and what ``role`` may do with each; at most six queries.

    A step is late when it was done, or is still open, after its due time.
    """
    results = list(run.results.select_related("step").order_by("step__position"))
    is_open = run.state == Run.State.OPEN
    to_do = [one.step for one in results if is_open and one.state == StepResult.State.OPEN]
    found = evidence_for(run, to_do, results) if to_do else {}
    steps = []
    for result in results:
        may_do = is_open and result.state == StepResult.State.OPEN and covers(role, result.step)
        steps.append(
            RunStep(
                step=result.step,
                result=result,
                is_late=is_late(result, now),
                may_do=may_do,
                may_skip=may_do and (not result.step.is_required or role in DOERS[1:]),
                found=found.get(result.step_id),
            )
        )
    return steps


def covers(role: str, step: Step) -> bool:
    """Whether a role may do a step: the one it names, or one that may more."""
    ranks = {str(name): rank for rank, name in enumerate(DOERS)}
    return ranks.get(role, -1) >= ranks.get(step.role, 0)


def is_late(result: StepResult, now: datetime) -> bool:
    """Whether a step was done, or left open until ``now``, after its due time."""
    if result.state in (StepResult.State.SKIPPED, StepResult.State.LEFT):
        return False
    return (result.decided_at or now) > result.due_at


def run_with_steps(run: Run) -> Run:
    """Return the run with all its steps at hand, for the API; two queries."""
    return runs_with_steps(Run.objects.filter(pk=run.pk)).get()


def runs_with_steps(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Return the runs with their steps at hand, in order."""
    return runs.select_related(
        "customer", "version__playbook", "location", "owner"
    ).prefetch_related(
        Prefetch("results", StepResult.objects.select_related("step").order_by("step__position"))
    )


def events_of(run: Run) -> QuerySet[Event]:
    """Return what happened in a run, oldest first, the first 200."""
    return Event.objects.filter(subject_kind="run", subject_ref=run.ref).order_by(
        "occurred_at", "id"
    )[:200]


def completion_facts(since: datetime, until: datetime) -> QuerySet[Any, Any]:
    """Return one row per run due in ``[since, until)``, for metrics (``playbook_completion``).

    Columns: ``id``, ``customer_id``, ``playbook`` (key), ``location_id``, ``started_at``,
    ``due_at`` (of its last step), ``ended_at``, ``state``, ``required`` and
    ``required_done`` (counts of steps), ``seconds`` (from start to end).
    """
    is_required = Q(results__step__is_required=True)
    return (
        Run.objects.filter(due_at__gte=since, due_at__lt=until)
        .annotate(
            playbook=F("version__playbook__key"),
            required=Count("results", filter=is_required),
            required_done=Count(
                "results", filter=is_required & Q(results__state=StepResult.State.DONE)
            ),
        )
        .values(
            "id",
            "customer_id",
            "playbook",
            "location_id",
            "started_at",
            "due_at",
            "ended_at",
            "state",
            "required",
            "required_done",
            "seconds",
        )
    )


def completion(since: datetime, until: datetime) -> tuple[int, int]:
    """Return (numerator, denominator) of standard completion for runs due in ``[since, until)``.

    Numerator: completed by their due time with every required step done (none skipped).
    """
    due = Run.objects.filter(due_at__gte=since, due_at__lt=until)
    not_done = StepResult.objects.filter(run__in=due, step__is_required=True).exclude(
        state=StepResult.State.DONE
    )
    kept = due.filter(state=Run.State.COMPLETED, ended_at__lte=F("due_at")).exclude(
        pk__in=not_done.values("run_id")
    )
    return kept.count(), due.count()
