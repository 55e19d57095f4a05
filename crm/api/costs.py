"""``/api/v1/costs/``."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.fields import InstantField, LineField, MoneyField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import Period, now
from crm.api.inputs import CurrencyField, LineFilter, StrictSerializer, checked, location_id_of
from crm.models import Cost
from crm.roles import COST_READERS, MONEY_WRITERS
from crm.selectors.costs import list_costs
from crm.services.costs import record_cost


@extend_schema_field({"type": "string", "pattern": r"^\d{4}-\d{2}$", "example": "2026-05"})
class MonthField(serializers.Field):  # type: ignore[type-arg]
    """A month such as 2026-05."""

    def to_internal_value(self, data: Any) -> date:
        """Its first day."""
        try:
            period = Period.parse(str(data))
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        if period.unit != "month":
            raise serializers.ValidationError([_("Enter a month such as 2026-05.")])
        return period.first_day

    def to_representation(self, value: date) -> str:
        """Year and month."""
        return f"{value:%Y-%m}"


class CostInput(StrictSerializer):
    """What a month cost; an amount of 0 takes back what was recorded."""

    month = MonthField()
    category = serializers.ChoiceField(Cost.Category.choices)
    amount = MoneyField(lowest=Decimal(0))
    currency = CurrencyField(required=False)
    location = LineField(max_length=64, required=False, allow_null=True, help_text="a shop's code")


class CostOutput(serializers.Serializer[Cost]):
    """A cost in force."""

    month = MonthField()
    category = serializers.CharField()
    location = serializers.CharField(source="location.code", default=None)
    amount = MoneyField()
    currency = serializers.CharField()
    is_simulated = serializers.BooleanField()
    recorded_at = InstantField()


class CostFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list."""

    month = LineFilter(method="by_month", help_text="such as 2026-05")
    category = django_filters.ChoiceFilter(choices=Cost.Category.choices)
    location = LineFilter(field_name="location__code")

    def by_month(self, costs: QuerySet[Cost], name: str, text: str) -> QuerySet[Cost]:
        """Only one month's; nothing for what is no month."""
        try:
            return costs.filter(month=Period.parse(text).first_day)
        except ValidationError:
            return costs.none()


class CostList(IdempotentMixin, ListAPIView[Cost]):
    """List costs in force, latest month first; record one."""

    roles_read = COST_READERS
    roles_write = MONEY_WRITERS
    serializer_class = CostOutput
    filterset_class = CostFilter
    ordering = ("-month", "-id")
    ordering_fields = ("month",)

    def get_queryset(self) -> QuerySet[Cost]:
        """The row recorded last per month, category and shop."""
        return list_costs()

    @extend_schema(request=CostInput, responses={201: CostOutput})
    def post(self, request: Request) -> Response:
        """Record a cost; the same month, category and shop again corrects it by a new row."""
        fields = checked(CostInput(data=request.data))
        fields["location_id"] = location_id_of(fields.pop("location", None))
        row = record_cost(happened_at=now(), actor=actor_of(request), **fields)
        row.refresh_from_db()
        return Response(CostOutput(row).data, status=status.HTTP_201_CREATED)
