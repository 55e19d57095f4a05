"""Giving tasks to somebody and putting them off, one or many at once; and taking that back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from crm.models import Task
from crm.services.task_rows import (
    Open,
    TaskChanged,
    Times,
    assign,
    distance_of,
    locked,
    record,
    refuse_finished,
    reminder_at,
    set_assignee,
    set_due,
)


@transaction.atomic
def assign_tasks(
    *, task_ids: Collection[int], assignee_id: int | None, happened_at: datetime, actor: str
) -> dict[int, int | None]:
    """Give open tasks to a colleague, or to nobody; return id → who had it, for those changed.

    The colleague is told of each, unless they take it themselves.

    :raises TaskFinished: one of them is not open; nothing is written.
    :raises InvalidInput: not a colleague who may write; nothing is written.
    """
    tasks = locked(task_ids)
    refuse_finished(tasks)
    return assign(tasks, assignee_id, happened_at, actor)


@transaction.atomic
def move_tasks(
    *, task_ids: Collection[int], due_at: datetime, happened_at: datetime, actor: str
) -> dict[int, Times]:
    """Make open tasks due at another time; return id → due and remind time before, if changed.

    The reminder keeps its distance to the due time.

    :raises TaskFinished: one of them is not open; nothing is written.
    """
    tasks = locked(task_ids)
    refuse_finished(tasks)
    wanted = {task: (due_at, reminder_at(due_at, distance_of(task))) for task in tasks}
    return set_due(wanted, happened_at, actor)


@transaction.atomic
def take_next(
    *, user_id: int, happened_at: datetime, actor: str, location_ids: Collection[int] = ()
) -> Task | None:
    """Return the task a colleague does next: their own due first, else one that nobody has.

    An unassigned one becomes theirs; of two who ask at once each gets another. None: nothing to do.

    location_ids: where they work; only tasks of these shops are taken, all without any.
    """
    own = Task.objects.filter(status=Open, assignee_id=user_id).order_by("due_at", "id")
    free = Task.objects.filter(status=Open, assignee__isnull=True).order_by("due_at", "id")
    if location_ids:
        free = free.filter(location_id__in=location_ids)
    first = own.first()
    while found := free.first():
        if first and first.due_at <= found.due_at:
            return first
        claimed = Task.objects.filter(pk=found.pk, status=Open, assignee__isnull=True)
        if claimed.update(assignee_id=user_id) == 1:
            found.assignee_id = user_id
            record(found, "task.assigned", happened_at, actor, assignee=f"user:{user_id}")
            return found
    return first


@transaction.atomic
def take_back_assignment(
    *, before: dict[int, int | None], happened_at: datetime, actor: str, to: int | None
) -> None:
    """Undo :func:`assign_tasks`.

    before: as returned by it.  to: whom the tasks were given.

    :raises TaskChanged: a task was finished or given on since; nothing is written.
    """
    tasks = locked(before)
    if any(task.status != Open or task.assignee_id != to for task in tasks):
        raise TaskChanged
    for user_id in set(before.values()):
        set_assignee(
            [task for task in tasks if before[task.pk] == user_id], user_id, happened_at, actor
        )


@transaction.atomic
def take_back_move(
    *,
    before: dict[int, Times],
    happened_at: datetime,
    actor: str,
    to: datetime,
) -> None:
    """Undo :func:`move_tasks`.

    before: as returned by it.  to: the due time they were given.

    :raises TaskChanged: a task was finished or moved since; nothing is written.
    """
    tasks = locked(before)
    if any(task.status != Open or task.due_at != to for task in tasks):
        raise TaskChanged
    set_due({task: before[task.pk] for task in tasks}, happened_at, actor)
