"""Exact money: ``Decimal`` in Python, a big integer of 1/10,000 units in every database."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.expressions import Combinable
from django.utils.translation import gettext_lazy as _

UNITS_PER_ONE = 10_000
QUANTUM = Decimal("0.0001")
CENT = Decimal("0.01")
LARGEST = Decimal("99999999999.9999")  # sums over 10 M rows still fit a 64-bit integer of units


def to_units(amount: Decimal) -> int:
    """Return amount in whole 1/10,000 units.

    :raises ValueError: the amount has more than four decimals or is not finite.
    """
    if not amount.is_finite():
        raise ValueError("amount is not finite")
    units = amount * UNITS_PER_ONE
    whole = int(units)
    if units != whole:
        raise ValueError("more than four decimals")
    return whole


def from_units(units: int) -> Decimal:
    """Return the amount that ``units`` of 1/10,000 make, with at least two decimals."""
    amount = Decimal(units).scaleb(-4)
    return amount.quantize(CENT) if units % 100 == 0 else amount


def round_cents(amount: Decimal) -> Decimal:
    """Round to two decimals, half to even."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


SetType = TypeVar("SetType", contravariant=True)
GetType = TypeVar("GetType", covariant=True)

if TYPE_CHECKING:
    BigIntegerField = models.BigIntegerField
else:

    class BigIntegerField(models.BigIntegerField):
        """Django's field takes its type parameters in the type checker only."""

        def __class_getitem__(cls, _parameters: Any) -> type[models.BigIntegerField]:
            """Without meaning when the program runs."""
            return cls


class MoneyField(BigIntegerField[SetType, GetType]):
    """A decimal amount, kept as an integer so that SQLite adds it exactly.

    Sums, comparisons and ordering work in the database; the currency stands in a field beside it.
    An average is a sum divided by a count: Django's ``Avg`` would answer in units, as a float.
    """

    _pyi_private_set_type: Decimal | int | str | Combinable  # type: ignore[assignment]
    _pyi_private_get_type: Decimal  # type: ignore[assignment]

    description = _("Amount of money")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    @property
    def validators(self) -> list[Any]:
        """Limits as amounts, instead of the parent's limits as integers."""
        return [MinValueValidator(-LARGEST), MaxValueValidator(LARGEST)]

    def from_db_value(self, value: int | None, expression: Any, connection: Any) -> Decimal | None:
        """Integer of the database → Decimal."""
        return None if value is None else from_units(int(value))

    def to_python(self, value: Any) -> Decimal | None:
        """Return value as an exact Decimal.

        :raises ValidationError: not a number, not finite, or over four decimals.
        """
        if value is None or value == "":
            return None
        if isinstance(value, float):
            value = repr(value)
        try:
            amount = Decimal(value)
            to_units(amount)
        except (ArithmeticError, ValueError, TypeError) as error:
            raise ValidationError(_("Enter an amount with at most four decimals.")) from error
        return amount

    def get_prep_value(self, value: Any) -> Any:
        """Decimal → integer for the database; expressions stay."""
        if value is None or hasattr(value, "resolve_expression"):
            return value
        return to_units(Decimal(value))

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        """A decimal input with four decimals."""
        from common.forms import DecimalField

        kwargs.pop("form_class", None)
        return models.Field.formfield(
            self,
            **{"form_class": DecimalField, "max_digits": 15, "decimal_places": 4, **kwargs},
        )

    def value_to_string(self, obj: models.Model) -> str:
        """For fixtures and backups: the decimal as text."""
        value = self.value_from_object(obj)
        return "" if value is None else str(value)


class QuantityField(MoneyField[SetType, GetType]):
    """A decimal quantity with four decimals, kept the same way."""

    description = _("Quantity")
