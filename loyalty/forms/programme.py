"""Opening the programme."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.forms import DecimalField, InstantField, LineField
from loyalty.models import RuleVersion
from loyalty.services.programme import LONGEST_WINDOW
from loyalty.services.rule_content import LEAST_AMOUNT, MOST_POINTS


class ProgrammeForm(forms.Form):
    """Opens the programme with one earning rule."""

    name = LineField(label=pgettext_lazy("of a thing", "Name"), max_length=255)
    starts_at = InstantField(
        label=_("Starts"), help_text=_("Purchases made before this time earn nothing.")
    )
    points = forms.IntegerField(label=_("Points"), min_value=1, max_value=MOST_POINTS, initial=1)
    per_amount = DecimalField(
        label=_("for each amount of"),
        min_value=LEAST_AMOUNT,
        max_value=1_000_000,
        decimal_places=2,
        initial=1,
    )
    rounding = forms.ChoiceField(
        label=_("Rounded"),
        choices=RuleVersion.Rounding.choices,
        initial=RuleVersion.Rounding.DOWN,
    )
    pending_days = forms.IntegerField(
        label=_("Days for returns"),
        min_value=0,
        max_value=LONGEST_WINDOW,
        initial=14,
        help_text=_("Points become usable when these days after delivery are over."),
    )
    point_value = DecimalField(
        label=_("Worth of one point"),
        min_value=0,
        max_value=1_000_000,
        decimal_places=4,
        initial="0.01",
    )
