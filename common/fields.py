"""API fields that apply the shared validators; errors land on the field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common import validators
from common.time import organisation_timezone


def _checked(parse: Callable[[Any], Any], value: Any) -> Any:
    try:
        return parse(value)
    except ValidationError as error:
        raise serializers.ValidationError(error.messages, code=error.code) from error


class LineField(serializers.CharField):
    """One line of clean text."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Refuse surrogates before anything tries to encode them."""
        if isinstance(data, str):
            data = _checked(
                lambda text: validators.clean_line(text, max_length=self.max_length or 255), data
            )
        return super().run_validation(data)


class TextField(serializers.CharField):
    """Clean text that may span lines."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Refuse surrogates before anything tries to encode them."""
        if isinstance(data, str):
            data = _checked(
                lambda text: validators.clean_text(
                    text, max_length=self.max_length or validators.MAX_TEXT
                ),
                data,
            )
        return super().run_validation(data)


class EmailField(LineField):
    """A casefolded email address, or empty where blank is allowed."""

    def to_internal_value(self, data: Any) -> str:
        """The clean address."""
        return _checked(validators.clean_email, data) if data else ""


class PhoneField(LineField):
    """A phone number as plus and digits, or empty where blank is allowed."""

    def to_internal_value(self, data: Any) -> str:
        """The clean number."""
        return _checked(validators.clean_phone, data) if data else ""


DECIMAL: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[+-]?[0-9]{1,11}(\.[0-9]{1,4})?$",
    "example": "12.50",
}


@extend_schema_field(DECIMAL)
class MoneyField(serializers.Field):  # type: ignore[type-arg]
    """An amount as a decimal string with at most four decimals."""

    def __init__(self, *, lowest: Decimal = Decimal("-99999999999"), **kwargs: Any) -> None:
        self.lowest = lowest
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        """The exact amount."""
        amount: Decimal = _checked(
            lambda value: validators.parse_decimal(value, lowest=self.lowest), data
        )
        return amount

    def to_representation(self, value: Decimal) -> str:
        """Plain digits, never an exponent."""
        return format(value, "f")


class QuantityField(MoneyField):
    """A quantity as a decimal string with at most four decimals, zero or more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(lowest=Decimal(0), **kwargs)


@extend_schema_field({"type": "string", "format": "date-time"})
class InstantField(serializers.Field):  # type: ignore[type-arg]
    """An ISO 8601 instant; naive times are the organisation's local time."""

    def to_internal_value(self, data: Any) -> datetime:
        """The aware UTC instant."""
        instant: datetime = _checked(
            lambda value: validators.parse_instant(value, timezone=organisation_timezone()), data
        )
        return instant

    def to_representation(self, value: datetime) -> str:
        """ISO 8601 in UTC with a trailing Z."""
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
