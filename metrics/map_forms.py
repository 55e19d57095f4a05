"""What the pages of cohorts and maps take from the address; anything else counts as empty."""

from __future__ import annotations

from django import forms

from metrics.forms import AddressForm, CellForm, CohortForm, SliceField, is_month
from metrics.maps import SEGMENTS


class MatrixForm(CohortForm):
    """What to show of the matrix, of whom, up to which cohort, and which two to compare."""

    until = forms.CharField(max_length=7, required=False, validators=[is_month])
    other = forms.CharField(max_length=7, required=False, validators=[is_month])
    table = forms.BooleanField(required=False)
    segment = SliceField()


class SlicedCellForm(CellForm):
    """A cell of the matrix, of some of the customers."""

    segment = SliceField()


class MapForm(AddressForm):
    """Of whom a map is. against: the run of an earlier day, by its reference."""

    segment = SliceField()
    against = forms.CharField(max_length=16, required=False)


class PlaceForm(AddressForm):
    """Some places on a map: where x and y are given, those; else a named part, or a whole line."""

    x = forms.IntegerField(min_value=0, max_value=20, required=False)
    y = forms.IntegerField(min_value=0, max_value=20, required=False)
    part = forms.ChoiceField(choices=[(one.code, one.title) for one in SEGMENTS], required=False)
    segment = SliceField()
