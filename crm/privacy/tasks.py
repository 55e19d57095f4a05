"""Tasks for customers, and how often they are contacted."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from common.services import SYSTEM
from common.time import now
from crm.models import ContactCadence, Task

Rows = list[dict[str, Any]]


def export_tasks(customer_ids: list[int]) -> Rows:
    """What was to be done for the customers, and what came of it."""
    tasks = Task.objects.filter(customer_id__in=customer_ids).order_by("pk")
    names = ("ref", "title", "text", "due_at", "origin", "status", "result", "created_at")
    return [dict(row) for row in tasks.values(*names, "finished_at")]


@transaction.atomic
def erase_tasks(customer_ids: list[int]) -> int:
    """Forget the words; times and codes stay. What was still to do is not needed any more."""
    tasks = Task.objects.filter(customer_id__in=customer_ids)
    tasks.filter(status=Task.Status.OPEN).update(
        status=Task.Status.CANCELLED, finished_at=now(), finished_by=SYSTEM
    )
    return tasks.exclude(title="", text="", result="").update(title="", text="", result="")


def export_cadences(customer_ids: list[int]) -> Rows:
    """How often the customers are contacted."""
    cadences = ContactCadence.objects.filter(customer_id__in=customer_ids).order_by("pk")
    return [
        dict(row)
        for row in cadences.values("every_days", "last_contact_at", "next_due_at", "recorded_at")
    ]


def erase_cadences(customer_ids: list[int]) -> int:
    """Nobody is contacted regularly once they are erased."""
    return ContactCadence.objects.filter(customer_id__in=customer_ids).delete()[0]
