"""Reminding colleagues of their tasks: behind the bell at once; mailing follows by itself."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from accounts.models import User
from accounts.permissions import WRITERS
from crm.models import Notification, Task
from crm.services.notifications import notify

BATCH = 200  # per transaction, so that the write lock is held briefly


def remind_due(now: datetime) -> int:
    """Remind of open tasks whose time has come, each once, and return how many they were.

    Tasks that nobody has, or that somebody has who left, are passed over: they stand in the
    team's list anyway.
    """
    acted = 0
    while (count := _remind_batch(now)) > 0:
        acted += count
        if count < BATCH:
            break
    return acted


@transaction.atomic
def _remind_batch(now: datetime) -> int:
    due = Task.objects.filter(
        status=Task.Status.OPEN, reminded_at__isnull=True, remind_at__lte=now
    ).order_by("remind_at", "id")
    if connection.features.has_select_for_update_skip_locked:
        due = due.select_for_update(skip_locked=True)
    tasks = list(due[:BATCH])
    if not tasks:
        return 0
    Task.objects.filter(pk__in=[task.pk for task in tasks]).update(reminded_at=now)
    assignees = {task.assignee_id for task in tasks if task.assignee_id}
    there = set(
        User.objects.filter(pk__in=assignees, is_active=True, role__in=WRITERS).values_list(
            "pk", flat=True
        )
    )
    for task in tasks:
        if task.assignee_id in there and task.remind_at:
            notify(
                user_ids=[task.assignee_id],
                kind=Notification.Kind.TASK_DUE,
                subject_kind="task",
                subject_ref=task.ref,
                customer_id=task.customer_id,
                source_key=f"task_due:{task.ref}:{task.remind_at.isoformat()}",
                happened_at=now,
            )
    return len(tasks)
