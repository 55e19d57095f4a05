"""``/api/v1/rates/``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from common.fields import InstantField
from common.idempotency import IdempotentMixin
from common.requests import actor_of
from common.time import now
from common.validators import parse_decimal
from crm.api.inputs import CurrencyField, DateField, LineFilter, StrictSerializer, checked
from crm.models import ExchangeRate
from crm.roles import MONEY_WRITERS, READERS
from crm.selectors.rates import SCALE, list_rates, rate_of
from crm.services.rates import record_rate


@extend_schema_field({"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,8})?$", "example": "0.0112"})
class RateField(serializers.Field):  # type: ignore[type-arg]
    """A rate as a decimal string with at most eight decimals."""

    def to_internal_value(self, data: Any) -> Decimal:
        """The exact rate."""
        try:
            return parse_decimal(data, places=SCALE, lowest=Decimal(0))
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error

    def to_representation(self, value: Decimal) -> str:
        """Plain digits."""
        return format(value.normalize(), "f")


class RateInput(StrictSerializer):
    """What one unit of a currency was worth in the organisation's on a local day."""

    currency = CurrencyField()
    date = DateField()
    rate = RateField()


class RateOutput(serializers.Serializer[ExchangeRate]):
    """A rate in force."""

    currency = serializers.CharField()
    date = serializers.DateField()
    rate = serializers.SerializerMethodField()
    recorded_at = InstantField()

    @extend_schema_field(RateField)
    def get_rate(self, row: ExchangeRate) -> str:
        """In the organisation's currency, up to eight decimals."""
        return format(rate_of(row).normalize(), "f")


class RateFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Filters of the list; dates are local days, the last one included."""

    currency = LineFilter(method="by_currency")
    date_from = django_filters.DateFilter(field_name="date", lookup_expr="gte")
    date_to = django_filters.DateFilter(field_name="date", lookup_expr="lte")

    def by_currency(
        self, rates: QuerySet[ExchangeRate], name: str, code: str
    ) -> QuerySet[ExchangeRate]:
        """Only the rates of one currency."""
        return rates.filter(currency=code.upper())


class RateList(IdempotentMixin, ListAPIView[ExchangeRate]):
    """List rates in force, latest day first; record one."""

    roles_read = READERS
    roles_write = MONEY_WRITERS
    serializer_class = RateOutput
    filterset_class = RateFilter
    ordering = ("-date", "-id")
    ordering_fields = ("date",)

    def get_queryset(self) -> QuerySet[ExchangeRate]:
        """The row recorded last per currency and day."""
        return list_rates()

    @extend_schema(request=RateInput, responses={201: RateOutput})
    def post(self, request: Request) -> Response:
        """Record a rate; the same day again corrects it by a new row."""
        fields = checked(RateInput(data=request.data))
        row = record_rate(happened_at=now(), actor=actor_of(request), **fields)
        return Response(RateOutput(row).data, status=status.HTTP_201_CREATED)
