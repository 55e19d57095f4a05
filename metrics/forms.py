"""What the metrics pages take from the address; anything else is as if it wasn't there."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from common.time import Period
from metrics.selectors.cohorts import MEASURES

LARGEST_ID = 2**32 - 2


def _is_period(text: str) -> None:
    Period.parse(text)


def _is_month(text: str) -> None:
    if Period.parse(text).unit != "month":
        raise ValidationError("not a month")


class AddressForm(forms.Form):
    """A form read from the address: fields that don't fit count as empty."""

    after = forms.IntegerField(min_value=0, max_value=LARGEST_ID, required=False)

    def chosen(self, name: str) -> str:
        """The value of a field, or an empty string."""
        self.is_valid()
        value: Any = self.cleaned_data.get(name)
        return str(value) if value else ""

    @property
    def after_id(self) -> int:
        """The id to go on after; 0 at the beginning."""
        return int(self.chosen("after") or 0)


class FigureForm(AddressForm):
    """Which unit, which period."""

    unit = forms.ChoiceField(
        choices=[(unit, unit) for unit in ("quarter", "month", "year")], required=False
    )
    period = forms.CharField(max_length=8, required=False, validators=[_is_period])


class PeopleForm(AddressForm):
    """Whose, and from where on."""

    period = forms.CharField(max_length=8, required=False, validators=[_is_period])
    set = forms.CharField(max_length=16, required=False)


class CohortForm(AddressForm):
    """What to show of the matrix."""

    show = forms.ChoiceField(choices=[(one, one) for one in MEASURES], required=False)
    cohort = forms.CharField(max_length=7, required=False, validators=[_is_month])
    all = forms.BooleanField(required=False)


class CellForm(AddressForm):
    """A cell of the matrix."""

    cohort = forms.CharField(max_length=7, validators=[_is_month])
    offset = forms.IntegerField(min_value=0, max_value=5000)
