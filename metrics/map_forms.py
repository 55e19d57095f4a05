"""What the pages of cohorts and maps take from the address; anything else counts as empty."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from common.time import Period
from metrics.forms import AddressForm, CellForm, CohortForm
from metrics.maps import SEGMENTS
from metrics.slices import parse_slice


def _is_month(text: str) -> None:
    if Period.parse(text).unit != "month":
        raise ValidationError("not a month")


class SliceField(forms.CharField):
    """A slice such as ``location=north``; a bare word is a segment."""

    def __init__(self) -> None:
        super().__init__(max_length=140, required=False)

    def clean(self, value: Any) -> str:
        """Return the slice's name."""
        text: str = super().clean(value)
        return parse_slice(text) if text else ""


class MatrixForm(CohortForm):
    """What to show of the matrix, of whom, up to which cohort, and which two to compare."""

    until = forms.CharField(max_length=7, required=False, validators=[_is_month])
    other = forms.CharField(max_length=7, required=False, validators=[_is_month])
    table = forms.BooleanField(required=False)
    segment = SliceField()


class SlicedCellForm(CellForm):
    """A cell of the matrix, of some of the customers."""

    segment = SliceField()


class MapForm(AddressForm):
    """Of whom a map is."""

    segment = SliceField()


class PlaceForm(AddressForm):
    """Some places on a map: where x and y are given, those; else a named part, or a whole line."""

    x = forms.IntegerField(min_value=0, max_value=20, required=False)
    y = forms.IntegerField(min_value=0, max_value=20, required=False)
    part = forms.ChoiceField(choices=[(one.code, one.title) for one in SEGMENTS], required=False)
    segment = SliceField()
