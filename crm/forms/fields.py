"""Fields several crm forms share."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.forms import LineField
from common.validators import parse_date
from crm.models import Location
from crm.selectors.lists import list_locations
from crm.selectors.search import find_customers


class DateField(forms.DateField):
    """A calendar date between 1900 and 2200."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def to_python(self, value: Any) -> date | None:
        """The date, or None."""
        return None if value in self.empty_values else parse_date(value)


class CustomerField(LineField):
    """The one customer meant by a number, email or phone; nobody when left empty."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Customer"),
            max_length=254,
            required=False,
            help_text=_("Number, email or phone; empty for somebody unknown."),
        )

    def clean(self, value: Any) -> Any:
        """The customer, or None; refuse nobody and several."""
        text = super().clean(value)
        if not text:
            return None
        found = find_customers(text)
        if not found:
            raise ValidationError(_("Nobody has this number, email or phone."))
        if len(found) > 1:
            raise ValidationError(_("Several customers have it; give the customer's number."))
        return found[0]


def location_field(**options: Any) -> forms.ModelChoiceField[Location]:
    """Return a choice of shop by its code."""
    defaults: dict[str, Any] = {"label": _("Shop"), "empty_label": _("No shop"), "required": False}
    options = defaults | options
    return forms.ModelChoiceField(list_locations(), to_field_name="code", **options)


def language_choices(present: str = "") -> list[tuple[str, Any]]:
    """Return the product's languages; a customer's other language stays choosable."""
    choices: list[tuple[str, Any]] = [("", _("Not known")), *settings.LANGUAGES]
    if present and present not in dict(choices):
        choices.append((present, present))
    return choices
