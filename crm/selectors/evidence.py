"""What shows that a step of a standard was done: rows about the customer since the run began."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from crm.models import Interaction, Note, Offer, Run, Step, StepResult, Task
from crm.selectors.identity import records_of


@dataclass(frozen=True, slots=True)
class Evidence:
    """A row that shows it; empty where a tick or the answer itself is enough."""

    kind: str = ""
    ref: str = ""
    at: datetime | None = None


NOT_NEEDED = Evidence()
# done_when → how the row is named and which of its times counts.
KINDS = {
    Step.DoneWhen.CONTACT: ("interaction", "occurred_at"),
    Step.DoneWhen.NOTE: ("note", "occurred_at"),
    Step.DoneWhen.TASK: ("task", "created_at"),
    Step.DoneWhen.OFFER: ("offer", "made_at"),
}


def find_evidence(run: Run, step: Step, ref: str = "") -> Evidence | None:
    """Return what shows that ``step`` was done for the run's customer; None if nothing does.

    The latest row since the run began that shows no other step of the run.
    ref: this row and no other.
    """
    used = StepResult.objects.filter(run=run).exclude(evidence_ref="")
    return evidence_for(run, [step], used, ref=ref)[step.pk]


def evidence_for(
    run: Run, steps: Iterable[Step], results: Iterable[StepResult], *, ref: str = ""
) -> dict[int, Evidence | None]:
    """Return step id → what would show it done at present; at most five queries.

    results: the run's steps with what shows them already.
    """
    wanted = {step.pk: Step.DoneWhen(step.done_when) for step in steps}
    kinds = set(wanted.values()) & set(KINDS)
    if not kinds:
        return dict.fromkeys(wanted, NOT_NEEDED)
    used = {(one.evidence_kind, one.evidence_ref) for one in results if one.evidence_ref}
    people = records_of(run.customer.person_id or run.customer_id)
    found = {kind: _latest(run, kind, people, used, ref) for kind in sorted(kinds)}
    return {pk: found.get(kind, NOT_NEEDED) for pk, kind in wanted.items()}


def _latest(
    run: Run, kind: Step.DoneWhen, people: list[int], used: set[tuple[str, str]], ref: str
) -> Evidence | None:
    name, time_field = KINDS[kind]
    since = run.started_at.replace(second=0, microsecond=0)  # people enter times to the minute
    rows = _rows(kind).filter(customer_id__in=people, **{f"{time_field}__gte": since})
    rows = rows.exclude(ref__in=[one for used_kind, one in used if used_kind == name])
    if ref:
        rows = rows.filter(ref=ref)
    latest = rows.order_by(f"-{time_field}", "-pk").values_list("ref", time_field).first()
    return Evidence(name, *latest) if latest else None


def _rows(kind: Step.DoneWhen) -> QuerySet[Any]:
    if kind == Step.DoneWhen.CONTACT:
        return Interaction.objects.exclude(direction=Interaction.Direction.INTERNAL)
    if kind == Step.DoneWhen.NOTE:
        return Note.objects.filter(archived_at__isnull=True)
    if kind == Step.DoneWhen.TASK:
        return Task.objects.exclude(origin=Task.Origin.STANDARD)
    return Offer.objects.all()
