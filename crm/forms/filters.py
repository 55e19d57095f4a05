"""Filters above the lists; a value that makes no sense filters nothing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from common.forms import LineField
from crm.forms.fields import location_field
from crm.models import Order, Product

SELECT = {"class": "form-select"}


class FilterForm(forms.Form):
    """Base of the filters."""

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data, auto_id="filter-%s")
        self.full_clean()

    @property
    def values(self) -> dict[str, Any]:
        """Return what makes sense of the filters, by name."""
        return {name: self.cleaned_data.get(name) for name in self.fields}

    @property
    def is_set(self) -> bool:
        """Whether anything is filtered."""
        return any(self.values.values())


class OrderFilterForm(FilterForm):
    """Status and shop."""

    status = forms.ChoiceField(
        label=_("Status"),
        choices=[("", _("Every status")), *Order.Status.choices],
        required=False,
        widget=forms.Select(SELECT),
    )
    shop = location_field(empty_label=_("Every shop"), widget=forms.Select(SELECT))


class ProductFilterForm(FilterForm):
    """Search and kind."""

    text = LineField(label=_("SKU or name"), max_length=200, required=False)
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[("", _("Every kind")), *Product.Kind.choices],
        required=False,
        widget=forms.Select(SELECT),
    )
