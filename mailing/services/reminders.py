"""Reminding colleagues of their tasks by email: catches up on what crm reminded them of."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import override

from common.display import format_local
from crm.models import Task
from crm.selectors.tasks import list_reminders
from mailing.models import Message
from mailing.services.messages import Draft, queue_messages
from mailing.services.templates import ensure_template

KEY = "task_reminder"
TEXTS = {
    "en": (
        "To do: {{task}}",
        "{{name}}, this is due {{due}}:\n\n{{task}}\n\n{{link}}",
    ),
    "ru": (
        "Задача: {{task}}",
        "{{name}}, срок этой задачи – {{due}}:\n\n{{task}}\n\n{{link}}",
    ),
    "zh-hans": (
        "待办任务：{{task}}",
        "{{name}}，这项任务的截止时间为 {{due}}：\n\n{{task}}\n\n{{link}}",
    ),
}
# A reminder that comes later than this is of no use: whoever opens the product sees the task.
LATEST = timedelta(days=1)
BATCH = 100


def queue_task_reminders(now: datetime) -> int:
    """Write an email for each reminder of the last day that has none yet; how many were written.

    One per reminder, whoever runs this and however often: the key names task and reminder.
    """
    written = Message.objects.filter(task=OuterRef("pk"), recorded_at__gte=OuterRef("reminded_at"))
    reminded = list_reminders(since=now - LATEST).exclude(Exists(written))
    tasks = list(reminded.order_by("reminded_at", "id")[:BATCH])
    if not tasks:
        return 0
    ensure_template(KEY, TEXTS)
    queue_messages([_draft(task) for task in tasks], happened_at=now)
    return len(tasks)


def _draft(task: Task) -> Draft:
    assert task.assignee is not None  # noqa: S101 - list_reminders leaves them out
    assert task.reminded_at is not None  # noqa: S101
    language = task.assignee.language or settings.LANGUAGE_CODE
    with override(language):
        due = format_local(task.due_at)
    link = settings.BASE_URL + reverse("crm:task", args=[task.ref])
    return Draft(
        source_key=f"{KEY}:{task.ref}:{task.reminded_at:%Y%m%dT%H%M%S.%f}",
        customer_id=None,
        recipient_id=task.assignee_id,
        task_id=task.pk,
        template=KEY,
        language=language,
        context={"task": task.title, "due": due, "link": link},
        kind=Message.Kind.SERVICE,
        reason_code=KEY,
    )
