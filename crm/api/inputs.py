"""What the endpoints' inputs share: strict bodies, dates, shops by code, filters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common import forms as common_forms
from common.errors import InvalidInput
from common.time import now
from common.validators import parse_currency, parse_date
from crm.models import Location

CLOCK_TOLERANCE = timedelta(days=1)  # for callers whose clock or timezone is off


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it doesn't know, so that a misspelt name can't be lost silently."""

    def to_internal_value(self, data: Any) -> Any:
        """The clean values."""
        if isinstance(data, Mapping):
            unknown = sorted(str(name)[:60] for name in data if name not in self.fields)
            if unknown:
                raise serializers.ValidationError({name: [_("Unknown field.")] for name in unknown})
        return super().to_internal_value(data)


class DateField(serializers.DateField):
    """A calendar date, ISO 8601."""

    def to_internal_value(self, value: Any) -> date:
        """The date."""
        try:
            return parse_date(value)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error


class CurrencyField(serializers.CharField):
    """An ISO 4217 code."""

    def to_internal_value(self, data: Any) -> str:
        """The code in capitals."""
        try:
            return parse_currency(data)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error


def checked(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    """Return the values of a valid input; raises DRF's ValidationError for any other."""
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def location_id_of(code: str | None) -> int | None:
    """Return the id of the shop with this code; empty means none.

    :raises InvalidInput: no such shop.
    """
    if not code:
        return None
    found = Location.objects.filter(code=code).values_list("pk", flat=True).first()
    if found is None:
        raise InvalidInput(fields={"location": [str(_("No shop has this code."))]})
    return found


def refuse_future(field: str, moment: Any) -> None:
    """Refuse a purchase time that has not come yet (beyond a day of tolerance).

    :raises InvalidInput: it lies in the future.
    """
    if moment is not None and moment > now() + CLOCK_TOLERANCE:
        raise InvalidInput(fields={field: [str(_("This time has not come yet."))]})


@extend_schema_field(OpenApiTypes.STR)
class LineFilter(django_filters.Filter):  # type: ignore[misc]
    """Filters by one line of clean text."""

    field_class = common_forms.LineField


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantFilter(django_filters.Filter):  # type: ignore[misc]
    """Filters by an instant; naive times are the organisation's."""

    field_class = common_forms.InstantField
