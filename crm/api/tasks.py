"""``/api/v1/tasks/``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import InvalidInput, NotFound
from common.fields import InstantField, LineField, TextField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from crm.api.inputs import InstantFilter, LineFilter, StrictSerializer, checked, location_id_of
from crm.api.orders import customer_id_of
from crm.models import Task
from crm.roles import READERS, WRITERS, reads_texts
from crm.selectors import get_customer
from crm.selectors.identity import siblings_of
from crm.selectors.tasks import get_task, list_assignees, list_tasks
from crm.services import open_task
from crm.services.tasks import change_task

LONGEST_REMINDER = 366 * 24 * 60  # minutes


class TaskInput(StrictSerializer):
    """What is to be done; without an assignee it is for whoever has time."""

    title = LineField(max_length=200)
    text = TextField(max_length=5000, required=False, allow_blank=True)
    due_at = InstantField()
    customer = LineField(
        max_length=64, required=False, allow_null=True, help_text="ref or external id"
    )
    assignee = LineField(
        max_length=254, required=False, allow_null=True, help_text="a colleague's address"
    )
    location = LineField(max_length=64, required=False, allow_null=True)
    remind_minutes_before = serializers.IntegerField(
        min_value=0,
        max_value=LONGEST_REMINDER,
        required=False,
        allow_null=True,
        help_text="before it is due; null for no reminder",
    )


class TaskChanges(TaskInput):
    """What may change; ``status`` finishes it or opens it again."""

    title = LineField(max_length=200, required=False)
    due_at = InstantField(required=False)
    status = serializers.ChoiceField(Task.Status.choices, required=False)
    result = TextField(max_length=5000, required=False, allow_blank=True)


class TaskOutput(serializers.Serializer[Task]):
    """A task; its words are left out for analysts."""

    ref = serializers.CharField()
    title = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    customer = serializers.CharField(source="customer.ref", default=None)
    customer_external_id = serializers.CharField(source="customer.external_id", default=None)
    due_at = InstantField()
    remind_at = InstantField(allow_null=True)
    assignee = serializers.CharField(source="assignee.email", default=None)
    location = serializers.CharField(source="location.code", default=None)
    origin = serializers.CharField()
    subject_kind = serializers.CharField()
    subject_ref = serializers.CharField()
    status = serializers.CharField()
    result = serializers.SerializerMethodField()
    created_at = InstantField()
    finished_at = InstantField(allow_null=True)

    def get_title(self, task: Task) -> str:
        """What is to be done."""
        return self._shown(task.title)

    def get_text(self, task: Task) -> str:
        """The details."""
        return self._shown(task.text)

    def get_result(self, task: Task) -> str:
        """What came of it."""
        return self._shown(task.result)

    def _shown(self, text: str) -> str:
        return text if reads_texts(self.context["request"].user) else ""


class TaskFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list; due in ``[due_since, due_until)``."""

    status = django_filters.ChoiceFilter(choices=Task.Status.choices)
    origin = django_filters.ChoiceFilter(choices=Task.Origin.choices)
    assignee = LineFilter(field_name="assignee__email", help_text="a colleague's address")
    is_assigned = django_filters.BooleanFilter(
        field_name="assignee", lookup_expr="isnull", exclude=True
    )
    customer = LineFilter(method="by_customer", help_text="ref or external id")
    location = LineFilter(field_name="location__code")
    due_since = InstantFilter(field_name="due_at", lookup_expr="gte")
    due_until = InstantFilter(field_name="due_at", lookup_expr="lt")

    def by_customer(self, tasks: QuerySet[Task], name: str, ref: str) -> QuerySet[Task]:
        """Only the tasks for one person; none for a stranger."""
        try:
            return tasks.filter(customer_id__in=siblings_of(get_customer(ref).pk))
        except NotFound:
            return tasks.none()


class TaskList(IdempotentMixin, ListAPIView[Task]):
    """List tasks, newest first; ask for something to be done."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = TaskOutput
    filterset_class = TaskFilter
    ordering_fields = ("due_at",)

    def get_queryset(self) -> QuerySet[Task]:
        """All tasks."""
        return list_tasks()

    @extend_schema(request=TaskInput, responses={201: TaskOutput})
    def post(self, request: Request) -> Response:
        """Open a task."""
        fields = _for_service(checked(TaskInput(data=request.data)))
        task = open_task(
            happened_at=now(), actor=actor_of(request), origin=Task.Origin.API, **fields
        )
        return Response(
            TaskOutput(get_task(task.ref), context={"request": request}).data,
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api-task", args=[task.ref])},
        )


class TaskDetail(IdempotentMixin, GenericAPIView[Task]):
    """One task."""

    roles_read = READERS
    roles_write = WRITERS
    serializer_class = TaskOutput
    pagination_class = None
    filter_backends = []

    @extend_schema(responses=TaskOutput)
    def get(self, request: Request, ref: str) -> Response:
        """Tell of one task."""
        return Response(TaskOutput(get_task(ref), context={"request": request}).data)

    @extend_schema(request=TaskChanges, responses=TaskOutput)
    def patch(self, request: Request, ref: str) -> Response:
        """Change what is given, leave the rest."""
        task = get_task(ref)
        fields = _for_service(checked(TaskChanges(data=request.data)))
        change_task(task_id=task.pk, happened_at=now(), actor=actor_of(request), **fields)
        return Response(TaskOutput(get_task(ref), context={"request": request}).data)


def _for_service(fields: dict[str, Any]) -> dict[str, Any]:
    """Exchange public names for ids, and minutes for a time."""
    if "customer" in fields:
        fields["customer_id"] = customer_id_of(fields.pop("customer"))
    if "location" in fields:
        fields["location_id"] = location_id_of(fields.pop("location"))
    if "assignee" in fields:
        fields["assignee_id"] = _assignee_id_of(fields.pop("assignee"))
    if "remind_minutes_before" in fields:
        minutes = fields.pop("remind_minutes_before")
        fields["remind_before"] = None if minutes is None else timedelta(minutes=minutes)
    return fields


def _assignee_id_of(email: str | None) -> int | None:
    """Return the id of the colleague with this address; None means nobody yet.

    :raises InvalidInput: no colleague who could do it.
    """
    if not email:
        return None
    found = list_assignees().filter(email=email.casefold()).values_list("pk", flat=True).first()
    if found is None:
        raise InvalidInput(fields={"assignee": [str(_("This is no colleague who could do it."))]})
    return found
