"""What the services of tasks share: rows under lock, and the changes every one of them makes.

Each call stands in the caller's transaction and records its events there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.permissions import WRITERS
from common.errors import Conflict, InvalidInput
from common.services import record_event
from crm.models import Notification, Task
from crm.services.notifications import notify

MOST_AT_ONCE = 500  # tasks per bulk call
Open = Task.Status.OPEN
Times = tuple[datetime, datetime | None]  # due, and remind


class TaskFinished(Conflict):
    """The task is done or not needed any more."""

    code = "task_finished"
    message = _("This task is finished already.")


class TaskOpen(Conflict):
    """The task is still to do."""

    code = "task_open"
    message = _("This task is still to do.")


class TaskChanged(Conflict):
    """Somebody changed the task since."""

    code = "task_changed"
    message = _("Somebody changed this task meanwhile. Nothing was changed.")


def locked(task_ids: Collection[int]) -> list[Task]:
    """Return the tasks, locked in the order of their ids.

    :raises InvalidInput: more than can be changed at once.
    """
    if len(task_ids) > MOST_AT_ONCE:
        raise InvalidInput(_("Too many tasks at once."))
    tasks = list(Task.objects.select_for_update().filter(pk__in=task_ids).order_by("pk"))
    if len(tasks) != len(set(task_ids)):
        raise Task.DoesNotExist
    return tasks


def refuse_finished(tasks: Sequence[Task]) -> None:
    """Refuse tasks that are not open.

    :raises TaskFinished: one of them is done or not needed.
    """
    if any(task.status != Open for task in tasks):
        raise TaskFinished


def check_assignee(user_id: int | None) -> None:
    """Refuse whom no task can be given to; None is nobody in particular.

    :raises InvalidInput: no colleague who may write, or one who left.
    """
    if user_id and not User.objects.filter(pk=user_id, is_active=True, role__in=WRITERS).exists():
        raise InvalidInput(fields={"assignee": [str(_("This is no colleague who could do it."))]})


def assign(
    tasks: Sequence[Task], assignee_id: int | None, happened_at: datetime, actor: str
) -> dict[int, int | None]:
    """Give tasks to a colleague, who is told; return id → who had it, for those changed."""
    changed = [task for task in tasks if task.assignee_id != assignee_id]
    if not changed:
        return {}
    check_assignee(assignee_id)
    before = {task.pk: task.assignee_id for task in changed}
    set_assignee(changed, assignee_id, happened_at, actor)
    tell_assignees(changed, happened_at, actor)
    return before


def set_assignee(
    tasks: Sequence[Task], assignee_id: int | None, happened_at: datetime, actor: str
) -> None:
    """Write who does the tasks, all of them changed, without telling anybody."""
    Task.objects.filter(pk__in=[task.pk for task in tasks]).update(assignee_id=assignee_id)
    assignee = f"user:{assignee_id}" if assignee_id else ""
    for task in tasks:
        task.assignee_id = assignee_id
        record(task, "task.assigned", happened_at, actor, assignee=assignee)


def set_due(wanted: Mapping[Task, Times], happened_at: datetime, actor: str) -> dict[int, Times]:
    """Give tasks a due and a remind time; return id → those before, for the ones changed."""
    moved = {}
    for task, (due_at, remind_at) in wanted.items():
        if (task.due_at, task.remind_at) == (due_at, remind_at):
            continue
        moved[task.pk] = (task.due_at, task.remind_at)
        if task.due_at != due_at:
            record(
                task,
                "task.moved",
                happened_at,
                actor,
                due_at=due_at.isoformat(),
                before=task.due_at.isoformat(),
            )
        task.due_at, task.remind_at, task.reminded_at = due_at, remind_at, None
    Task.objects.bulk_update(
        [task for task in wanted if task.pk in moved], ["due_at", "remind_at", "reminded_at"]
    )
    return moved


def reminder_at(due_at: datetime, before: timedelta | None) -> datetime | None:
    """Return when to remind, or None for never."""
    return None if before is None else due_at - before


def distance_of(task: Task) -> timedelta | None:
    """Return how long before it is due a task reminds, or None for never."""
    return None if task.remind_at is None else task.due_at - task.remind_at


def tell_assignees(tasks: Sequence[Task], happened_at: datetime, actor: str) -> None:
    """Put tasks behind the bell of whom they were given to, unless they took them themselves."""
    for task in tasks:
        if task.assignee_id and actor != f"user:{task.assignee_id}":
            notify(
                user_ids=[task.assignee_id],
                kind=Notification.Kind.ASSIGNED,
                subject_kind="task",
                subject_ref=task.ref,
                customer_id=task.customer_id,
                source_key=f"task_assigned:{task.ref}:{happened_at.isoformat()}",
                happened_at=happened_at,
            )


def record(
    task: Task,
    kind: str,
    happened_at: datetime,
    actor: str,
    *,
    detail: dict[str, Any] | None = None,
    **codes: Any,
) -> None:
    """Record an event of a task. detail: personal text. codes: everything else."""
    record_event(
        kind=kind,
        subject_kind="task",
        subject_ref=task.ref,
        customer_id=task.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes=codes,
        detail=detail,
    )
