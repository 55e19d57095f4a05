"""Steps that fall due as tasks: opened in time, closed with the step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import translation

from accounts.models import User
from accounts.permissions import WRITERS
from common.services import SYSTEM
from crm.models import Run, Step, StepResult, Task
from crm.selectors.runs import covers
from crm.services.tasks import finish_tasks, open_task, reopen_tasks

LEAD = timedelta(days=1)  # so long before it is due a step shows up among the tasks
AT_ONCE = 100


def open_due_tasks(now: datetime) -> int:
    """Open a task for every open step due within a day; how many were opened. A sweeper."""
    results = _without_task(now).order_by("due_at", "pk")[:AT_ONCE]
    return _open_tasks(results, happened_at=now, actor=SYSTEM)


def open_tasks_of(run: Run, *, happened_at: datetime, actor: str) -> int:
    """Open tasks for a run's steps due within a day; how many were opened."""
    return _open_tasks(
        _without_task(happened_at).filter(run=run), happened_at=happened_at, actor=actor
    )


def close_task_of(result: StepResult, *, is_done: bool, happened_at: datetime, actor: str) -> None:
    """Finish the task of a decided step, if it has an open one."""
    if result.task_id and Task.objects.filter(pk=result.task_id, status="open").exists():
        finish_tasks(
            task_ids=[result.task_id], happened_at=happened_at, actor=actor, is_needed=is_done
        )


def reopen_task_of(result: StepResult, *, happened_at: datetime, actor: str) -> None:
    """Put the task of a reopened step back to be done, if it has a finished one."""
    if result.task_id and not Task.objects.filter(pk=result.task_id, status="open").exists():
        reopen_tasks(task_ids=[result.task_id], happened_at=happened_at, actor=actor)


def _without_task(now: datetime) -> QuerySet[StepResult]:
    return StepResult.objects.filter(
        state=StepResult.State.OPEN, task__isnull=True, due_at__lte=now + LEAD
    ).select_related("run__owner", "step")


def _open_tasks(results: Iterable[StepResult], *, happened_at: datetime, actor: str) -> int:
    opened = 0
    for result in results:
        with transaction.atomic():
            run = Run.objects.select_for_update().get(pk=result.run_id)
            if run.state != Run.State.OPEN:
                continue
            task = _task_for(result, happened_at, actor)
            # Decided meanwhile, it needs none; the next pass finds what failed here.
            opened += StepResult.objects.filter(
                pk=result.pk, state=StepResult.State.OPEN, task__isnull=True
            ).update(task=task)
    return opened


def _task_for(result: StepResult, happened_at: datetime, actor: str) -> Task:
    run, step, owner = result.run, result.step, result.run.owner
    language = (owner.language if owner else "") or settings.LANGUAGE_CODE
    with translation.override(language):
        return open_task(
            title=step.title,
            text=step.help,
            due_at=result.due_at,
            happened_at=happened_at,
            actor=actor,
            customer_id=run.customer_id,
            assignee_id=owner.pk if owner and _may_do(owner, step) else None,
            location_id=run.location_id,
            origin=Task.Origin.STANDARD,
            source_key=f"standard:{run.ref}:{step.position}",
            subject_kind="run",
            subject_ref=run.ref,
        )


def _may_do(user: User, step: Step) -> bool:
    return user.is_active and user.role in WRITERS and covers(user.role, step)
