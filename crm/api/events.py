"""``/api/v1/events/``: the event log, to read."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.errors import NotFound
from common.fields import InstantField
from common.idempotency import IdempotentMixin
from common.models import Event
from crm.api.inputs import InstantFilter, LineFilter
from crm.models import Customer
from crm.roles import READERS
from crm.selectors.customers import get_customer


class EventOutput(serializers.Serializer[Event]):
    """One event. actor: what kind of actor it was: user, key, customer, system or public."""

    kind = serializers.CharField()
    customer = serializers.SerializerMethodField()
    subject_kind = serializers.CharField()
    subject_ref = serializers.CharField()
    actor = serializers.SerializerMethodField()
    occurred_at = InstantField()
    recorded_at = InstantField()
    codes = serializers.DictField()

    def get_customer(self, event: Event) -> str | None:
        """The customer's ref."""
        refs: dict[int | None, str] = self.context["refs"]
        return refs.get(event.customer_id)

    def get_actor(self, event: Event) -> str:
        """The kind of actor; ids of the database stay inside."""
        return event.actor.partition(":")[0]


class EventFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the log."""

    customer = LineFilter(method="by_customer", help_text="ref or external id")
    kind = LineFilter()
    subject_kind = LineFilter()
    subject_ref = LineFilter()
    occurred_since = InstantFilter(field_name="occurred_at", lookup_expr="gte")
    occurred_until = InstantFilter(field_name="occurred_at", lookup_expr="lt")
    recorded_since = InstantFilter(field_name="recorded_at", lookup_expr="gte")

    def by_customer(self, events: QuerySet[Event], name: str, ref: str) -> QuerySet[Event]:
        """Only the events of one customer; none for a stranger."""
        try:
            return events.filter(customer_id=get_customer(ref).pk)
        except NotFound:
            return events.none()


class EventList(IdempotentMixin, ListAPIView[Event]):
    """Read the event log, newest first."""

    roles_read = READERS
    roles_write: frozenset[str] = frozenset()
    serializer_class = EventOutput
    filterset_class = EventFilter
    ordering_fields = ("occurred_at", "recorded_at")
    queryset = Event.objects.all()

    @property
    def ordering(self) -> str:
        """One customer's events stand in the index by time, all others by the order they came."""
        return "-occurred_at" if self.request.query_params.get("customer") else "-id"

    @extend_schema(responses=EventOutput(many=True))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List events."""
        events = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        ids = {event.customer_id for event in events if event.customer_id is not None}
        refs = dict(Customer.objects.filter(pk__in=ids).values_list("pk", "ref"))
        rows = [EventOutput(event, context={"refs": refs}).data for event in events]
        return self.get_paginated_response(rows)
