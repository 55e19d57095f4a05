"""What the metrics pages take from the address; anything else is as if it wasn't there."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.forms import DecimalField
from common.time import Period
from metrics.figures import currency_of
from metrics.kpis.base import Kpi
from metrics.selectors.cohorts import MEASURES
from metrics.slices import OF_PRODUCT, parse_slice
from metrics.windows import TRAILING_DAYS

LARGEST_ID = 2**32 - 2
UNITS = ("quarter", "month", "year", "week", "trailing")
BEFORE, A_YEAR_BEFORE = "before", "year"  # what a period is compared with, unless it is named
PARTS = ("stayed", "came", "left")  # of a set of people, from one period to another


def _is_period(text: str) -> None:
    Period.parse(text)


def is_window(text: str) -> None:
    """Refuse what is neither a period nor one of the stretches of last days."""
    if text not in [f"{days}d" for days in TRAILING_DAYS]:
        _is_period(text)


def _is_compared(text: str) -> None:
    if text not in (BEFORE, A_YEAR_BEFORE):
        is_window(text)


def is_month(text: str) -> None:
    """Refuse what is no month."""
    if Period.parse(text).unit != "month":
        raise ValidationError("not a month")


class SliceField(forms.CharField):
    """A slice such as ``location=north``; a bare word is a segment.

    or_product: also a product whose own figure is meant.
    """

    def __init__(self, *, or_product: bool = False) -> None:
        super().__init__(max_length=140, required=False)
        self._or_product = or_product

    def clean(self, value: Any) -> str:
        """Return the slice's name."""
        text: str = super().clean(value)
        if self._or_product and text.startswith(f"{OF_PRODUCT}="):
            return text
        return parse_slice(text) if text else ""


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
    """Which unit, which period, compared with which, of whom.

    against: ``before``, ``year`` or a period.  segment: a slice such as ``location=north``.
    by: a dimension; the figure is told for each of its values.
    """

    unit = forms.ChoiceField(choices=[(unit, unit) for unit in UNITS], required=False)
    period = forms.CharField(max_length=8, required=False, validators=[is_window])
    against = forms.CharField(max_length=8, required=False, validators=[_is_compared])
    segment = SliceField(or_product=True)
    by = forms.CharField(max_length=16, required=False)


class PeopleForm(AddressForm):
    """Whose, of which period, and from where on.

    other, part: instead, who of the set stayed, came or left since another period.
    """

    period = forms.CharField(max_length=8, required=False, validators=[is_window])
    set = forms.CharField(max_length=16, required=False)
    segment = SliceField(or_product=True)
    other = forms.CharField(max_length=8, required=False, validators=[is_window])
    part = forms.ChoiceField(choices=[(part, part) for part in PARTS], required=False)


class CohortForm(AddressForm):
    """What to show of the matrix."""

    show = forms.ChoiceField(choices=[(one, one) for one in MEASURES], required=False)
    cohort = forms.CharField(max_length=7, required=False, validators=[is_month])
    all = forms.BooleanField(required=False)


class CellForm(AddressForm):
    """A cell of the matrix."""

    cohort = forms.CharField(max_length=7, validators=[is_month])
    offset = forms.IntegerField(min_value=0, max_value=5000)


class TargetForm(forms.Form):
    """What a figure is to reach, in its own unit; empty for none."""

    value = DecimalField(label=_("Target"), max_digits=16, decimal_places=4, required=False)

    def __init__(self, *args: Any, kpi: Kpi, **kwargs: Any) -> None:
        """kpi: the figure, whose unit the number has."""
        super().__init__(*args, **kwargs)
        self.fields["value"].help_text = _UNITS[kpi.unit] % {"currency": currency_of(kpi)}


_UNITS = {
    "percent": _("In per cent: 65 means 65 %%."),
    "money": _("In %(currency)s."),
    "days": _("In days."),
    "ratio": _("As a multiple: 1.7."),
    "count": _("A number."),
    "score": _("In points."),
    "per_1000": _("So many of 1,000."),
}
