"""What is to do: for somebody, for a team, for a customer."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db.models import QuerySet

from accounts.models import User
from accounts.permissions import WRITERS
from common.errors import NotFound
from crm.models import ContactCadence, LocationMembership, Task
from crm.selectors.identity import siblings_of

Scope = Literal["mine", "team", "unassigned", "overdue", "done", "all"]
SOON_ROWS = 6
MOST_COUNTED = 100


@dataclass(frozen=True, slots=True)
class NextAction:
    """What comes next with a customer. task: None when only a date stands in the calendar."""

    due_at: datetime
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """Somebody's open tasks, soonest first. count: up to ``MOST_COUNTED``."""

    tasks: list[Task]
    count: int


def list_tasks(
    *,
    scope: Scope = "all",
    user_id: int | None = None,
    location_ids: Collection[int] = (),
    now: datetime | None = None,
    assignee_id: int | None = None,
    origin: str = "",
    customer_ids: Collection[int] | None = None,
    location_id: int | None = None,
) -> QuerySet[Task]:
    """Return tasks with customer, assignee and shop; order by :func:`order_of` the scope.

    scope: ``mine`` of ``user_id``; ``team`` of the shops in ``location_ids``, of all without any;
        ``unassigned`` ones of that team; ``overdue`` at ``now``; these are all open. ``done``
        includes what was not needed. ``all`` is everything.
    """
    tasks = Task.objects.select_related("customer", "assignee", "location")
    if scope == "done":
        tasks = tasks.exclude(status=Task.Status.OPEN)
    elif scope != "all":
        tasks = tasks.filter(status=Task.Status.OPEN)
    if scope == "mine":
        tasks = tasks.filter(assignee_id=user_id)
    if scope == "unassigned":
        tasks = tasks.filter(assignee__isnull=True)
    if scope in ("team", "unassigned") and location_ids:
        tasks = tasks.filter(location_id__in=location_ids)
    if scope == "overdue":
        tasks = tasks.filter(due_at__lt=now)
    if assignee_id:
        tasks = tasks.filter(assignee_id=assignee_id)
    if origin:
        tasks = tasks.filter(origin=origin)
    if customer_ids is not None:
        tasks = tasks.filter(customer_id__in=customer_ids)
    if location_id:
        tasks = tasks.filter(location_id=location_id)
    return tasks


def order_of(scope: Scope) -> list[str]:
    """Return the order of a scope's list, which stands in an index: due first, or newest done."""
    return ["-finished_at", "-id"] if scope == "done" else ["due_at", "id"]


def get_task(ref: str) -> Task:
    """Return the task with this ref, with all that its page shows.

    :raises NotFound: none has it.
    """
    tasks = Task.objects.select_related(
        "customer", "assignee", "location", "interaction__conversation"
    )
    task = tasks.filter(ref=ref).first()
    if task is None:
        raise NotFound
    return task


def task_ids_of(refs: Collection[str]) -> list[int]:
    """Return the ids of the tasks with these refs; refs nobody has are passed over."""
    return list(Task.objects.filter(ref__in=refs).order_by("pk").values_list("pk", flat=True))


def queue_of(user_id: int, *, size: int = SOON_ROWS) -> Queue:
    """Return what somebody has to do next; one query."""
    rows = list(
        list_tasks(scope="mine", user_id=user_id).order_by(*order_of("mine"))[:MOST_COUNTED]
    )
    return Queue(rows[:size], len(rows))


def count_unassigned() -> int:
    """Return how many open tasks nobody has, up to ``MOST_COUNTED``; one query."""
    return list_tasks(scope="unassigned").order_by("due_at")[:MOST_COUNTED].count()


def next_action_of(
    customer_id: int, *, records: Collection[int] | None = None
) -> NextAction | None:
    """Return the earliest open task of a person, else when to get in touch; two queries.

    customer_id: any of the person's records.
    records: all of them, where they are known; else finding them takes two queries more.
    """
    records = siblings_of(customer_id) if records is None else records
    task = (
        list_tasks(customer_ids=records).filter(status=Task.Status.OPEN).order_by("due_at", "id")
    ).first()
    if task:
        return NextAction(task.due_at, task)
    cadences = ContactCadence.objects.filter(customer_id__in=records, next_due_at__isnull=False)
    due_at = cadences.order_by("next_due_at").values_list("next_due_at", flat=True).first()
    return NextAction(due_at) if due_at else None


def find_cadence(customer_id: int) -> ContactCadence | None:
    """Return how often a person is to be contacted, if anybody said so; two queries."""
    cadences = ContactCadence.objects.filter(customer_id__in=siblings_of(customer_id))
    return cadences.select_related("assignee").order_by("recorded_at").first()


def locations_of(user_id: int) -> list[int]:
    """Return the ids of the shops somebody works at."""
    places = LocationMembership.objects.filter(user_id=user_id)
    return list(places.values_list("location_id", flat=True))


def list_assignees() -> QuerySet[User]:
    """Return the colleagues whom tasks can be given to, by name; there are few."""
    return User.objects.filter(is_active=True, role__in=WRITERS).order_by("name", "email")


def names_of(actors: Iterable[str]) -> dict[str, str]:
    """Return actor → name for colleagues among them (``user:<id>``); at most one query."""
    ids = {int(actor[5:]) for actor in actors if actor.startswith("user:") and actor[5:].isdigit()}
    users = User.objects.filter(pk__in=ids).only("email", "name") if ids else []
    return {f"user:{user.pk}": str(user) for user in users}


def list_reminders(*, since: datetime) -> QuerySet[Task]:
    """Return open tasks whose assignee, who works here, was reminded of them at or after since."""
    return Task.objects.filter(
        status=Task.Status.OPEN,
        reminded_at__gte=since,
        assignee__is_active=True,
        assignee__role__in=WRITERS,
    ).select_related("assignee")
