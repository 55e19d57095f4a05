"""Tasks: asked for, given to somebody, put off, done or not needed.

Whoever wants something done calls :func:`open_task`; with a ``source_key`` asking again changes
nothing. What else follows from finishing a task of some origin, or forbids it, is registered by
the module of that origin, so that it holds through every door.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.validators import clean_line, clean_text
from crm.models import Customer, Task
from crm.services.task_rows import (
    Open,
    TaskOpen,
    assign,
    check_assignee,
    distance_of,
    locked,
    record,
    refuse_finished,
    reminder_at,
    set_due,
    tell_assignees,
)

AT_DUE_TIME = timedelta(0)
CHANGEABLE = {"title", "text", "customer_id", "location_id"}

# (task, happened_at, actor): runs before the task is finished, in the same transaction.
Finishing = Callable[[Task, datetime, str], None]
_finishing: dict[str, Finishing] = {}
_reopening: dict[str, Finishing] = {}


def register_finishing(origin: str, function: Finishing) -> None:
    """Say what else happens when a task of ``origin`` is finished.

    function: called with the task as it will be (its ``status`` says done or not needed), the time
        and the actor; may refuse by a ``DomainError``, then nothing is written.
    """
    _finishing[origin] = function


def register_reopening(origin: str, function: Finishing) -> None:
    """Say what else happens when a finished task of ``origin`` is put back to be done.

    function: called with the task as it still is, the time and the actor; may refuse by a
        ``DomainError``, then nothing is written.
    """
    _reopening[origin] = function


@transaction.atomic
def open_task(
    *,
    title: str,
    due_at: datetime,
    happened_at: datetime,
    actor: str,
    customer_id: int | None = None,
    text: str = "",
    assignee_id: int | None = None,
    location_id: int | None = None,
    origin: str = Task.Origin.MANUAL,
    source_key: str | None = None,
    subject_kind: str = "",
    subject_ref: str = "",
    interaction_id: int | None = None,
    remind_before: timedelta | None = AT_DUE_TIME,
) -> Task:
    """Return a new task, or the one that was opened under the same ``source_key``.

    title, text: may be personal; they are erased with the customer.
    location_id: whose team it is for; by default the customer's shop.
    assignee_id: a colleague who may write; told unless they ask for it themselves.
    subject_kind, subject_ref: what it is about, such as a complaint and its ref.
    remind_before: how long before it is due the assignee is reminded; None: never.

    :raises InvalidInput: no title, or nobody who could do it; nothing is written.
    """
    if source_key and (known := Task.objects.filter(source_key=source_key).first()):
        return known
    customer = Customer.objects.filter(pk=customer_id).first() if customer_id else None
    check_assignee(assignee_id)
    task = Task(
        customer=customer,
        title=_checked_title(title),
        text=clean_text(text),
        due_at=due_at,
        assignee_id=assignee_id,
        location_id=location_id or (customer.location_id if customer else None),
        origin=origin,
        source_key=source_key,
        subject_kind=subject_kind,
        subject_ref=subject_ref,
        interaction_id=interaction_id,
        created_by=actor,
        created_at=happened_at,
        remind_at=reminder_at(due_at, remind_before),
    )
    if source_key:
        # Two at once: the first one's row counts.
        Task.objects.bulk_create([task], ignore_conflicts=True)
        stored = Task.objects.get(source_key=source_key)
        if stored.ref != task.ref:
            return stored
        task = stored
    else:
        task.save(force_insert=True)
    record(task, "task.opened", happened_at, actor, origin=task.origin)
    tell_assignees([task], happened_at, actor)
    return task


@transaction.atomic
def update_task(*, task_id: int, happened_at: datetime, actor: str, **changes: Any) -> Task:
    """Change what is to be done, for whom, until when or by whom, and return the task.

    changes: any of ``title``, ``text``, ``customer_id``, ``location_id``, ``due_at``,
        ``assignee_id``, ``remind_before``; unknown names raise TypeError. Nothing changed,
        nothing recorded. With the due time the reminder moves, and comes once more.

    :raises TaskFinished: it is not open; nothing is written.
    :raises InvalidInput: no title, or nobody who could do it; nothing is written.
    """
    if unknown := changes.keys() - CHANGEABLE - {"due_at", "assignee_id", "remind_before"}:
        raise TypeError(f"not fields of a task: {sorted(unknown)}")
    task = locked([task_id])[0]
    refuse_finished([task])
    if "title" in changes:
        changes["title"] = _checked_title(changes["title"])
    if "text" in changes:
        changes["text"] = clean_text(changes["text"])
    changed = [
        name for name in sorted(CHANGEABLE & changes.keys()) if getattr(task, name) != changes[name]
    ]
    detail = {}
    for name in changed:
        detail[name] = [str(getattr(task, name) or ""), str(changes[name] or "")]
        setattr(task, name, changes[name])
    if changed:
        task.save(update_fields=changed)
        codes = {"fields": changed}
        record(task, "task.changed", happened_at, actor, detail=detail, **codes)
    before = changes.get("remind_before", distance_of(task))
    due_at = changes.get("due_at", task.due_at)
    set_due({task: (due_at, reminder_at(due_at, before))}, happened_at, actor)
    if "assignee_id" in changes:
        assign([task], changes["assignee_id"], happened_at, actor)
    return task


@transaction.atomic
def finish_tasks(
    *,
    task_ids: Collection[int],
    happened_at: datetime,
    actor: str,
    result: str = "",
    is_needed: bool = True,
) -> list[Task]:
    """Finish open tasks as done, or as not needed, and return them.

    result: what came of it; may be personal.

    :raises TaskFinished: one of them is not open; nothing is written.
    :raises DomainError: what the origin of a task forbids; nothing is written.
    """
    tasks = locked(task_ids)
    refuse_finished(tasks)
    status = Task.Status.DONE if is_needed else Task.Status.CANCELLED
    result = clean_text(result)
    for task in tasks:
        task.status, task.result = status, result
        task.finished_by, task.finished_at = actor, happened_at
        if follow := _finishing.get(task.origin):
            follow(task, happened_at, actor)
    Task.objects.bulk_update(tasks, ["status", "result", "finished_by", "finished_at"])
    for task in tasks:
        kind = "task.done" if is_needed else "task.cancelled"
        record(task, kind, happened_at, actor, origin=task.origin)
    return tasks


def finish_task(
    *, task_id: int, happened_at: datetime, actor: str, result: str = "", is_needed: bool = True
) -> Task:
    """Finish one task; see :func:`finish_tasks`."""
    return finish_tasks(
        task_ids=[task_id],
        happened_at=happened_at,
        actor=actor,
        result=result,
        is_needed=is_needed,
    )[0]


@transaction.atomic
def reopen_tasks(*, task_ids: Collection[int], happened_at: datetime, actor: str) -> list[Task]:
    """Put finished tasks back to be done; what came of them is kept in the log.

    :raises TaskOpen: one of them is open; nothing is written.
    """
    tasks = locked(task_ids)
    if any(task.status == Open for task in tasks):
        raise TaskOpen
    for task in tasks:
        if follow := _reopening.get(task.origin):
            follow(task, happened_at, actor)
        detail = {"result": task.result} if task.result else None
        record(task, "task.reopened", happened_at, actor, detail=detail, status=task.status)
        task.status, task.result = Open, ""
        task.finished_by, task.finished_at = "", None
    Task.objects.bulk_update(tasks, ["status", "result", "finished_by", "finished_at"])
    return tasks


@transaction.atomic
def change_task(
    *,
    task_id: int,
    happened_at: datetime,
    actor: str,
    status: str = "",
    result: str = "",
    **changes: Any,
) -> Task:
    """Change a task and finish or reopen it, all or nothing, and return it.

    status: ``done``, ``cancelled`` or ``open``; empty leaves it. changes: as :func:`update_task`.

    :raises TaskFinished: it is not open, and ``status`` doesn't open it; nothing is written.
    :raises TaskOpen: it is open, and should be opened; nothing is written.
    :raises InvalidInput: a result without an end, or what the changes refuse; nothing is written.
    """
    if result and status not in (Task.Status.DONE, Task.Status.CANCELLED):
        raise InvalidInput(fields={"result": [str(_("Only a finished task has a result."))]})
    if status == Open:
        reopen_tasks(task_ids=[task_id], happened_at=happened_at, actor=actor)
    if changes:
        update_task(task_id=task_id, happened_at=happened_at, actor=actor, **changes)
    if status in (Task.Status.DONE, Task.Status.CANCELLED):
        finish_task(
            task_id=task_id,
            happened_at=happened_at,
            actor=actor,
            result=result,
            is_needed=status == Task.Status.DONE,
        )
    return Task.objects.get(pk=task_id)


def _checked_title(title: str) -> str:
    clean = clean_line(title, max_length=200)
    if not clean:
        raise InvalidInput(fields={"title": [str(_("Say what is to be done."))]})
    return clean
