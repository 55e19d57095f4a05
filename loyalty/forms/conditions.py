"""The terms of the programme: what is promised from a time still to come."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import dates
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.forms import DecimalField
from loyalty.forms.fields import SELECT, FromNowField
from loyalty.models import TermsVersion
from loyalty.services.programme import (
    DEAREST,
    LONGEST_VALIDITY,
    LONGEST_WINDOW,
    MOST_LIMIT,
    TERM_RANGES,
)

EXPIRY = ("expiry", "expiry_count", "expiry_end", "expiry_month", "expiry_day")
TIERS = ("tier_measure", "tier_window", "tier_months", "tier_grace_days", "tier_downgrade")
LIMITS = ("hold_minutes", "staff_limit", "manager_limit")
WORTH = ("pending_days", "point_value", "point_cost")
MONEY: dict[str, Any] = {"decimal_places": 4, "max_digits": 15, "min_value": 0}


class ConditionsForm(forms.Form):
    """Changes the terms; names of fields are those of the versions."""

    pending_days = forms.IntegerField(
        label=gettext_lazy("Days for returns"),
        min_value=0,
        max_value=LONGEST_WINDOW,
        help_text=gettext_lazy("Points become usable when these days after delivery are over."),
    )
    point_value = DecimalField(
        label=gettext_lazy("Worth of one point"),
        max_value=DEAREST,
        help_text=gettext_lazy("As members are told."),
        **MONEY,
    )
    point_cost = DecimalField(
        label=gettext_lazy("Cost of one point"),
        max_value=DEAREST,
        help_text=gettext_lazy("What a used point costs you; for the reports."),
        **MONEY,
    )
    expiry = forms.ChoiceField(
        label=gettext_lazy("Points lapse"),
        choices=TermsVersion.Expiry.choices,
        widget=forms.Select(SELECT),
    )
    expiry_count = forms.IntegerField(
        label=gettext_lazy("How many days or months"),
        required=False,
        min_value=1,
        max_value=LONGEST_VALIDITY,
    )
    expiry_end = forms.ChoiceField(
        label=gettext_lazy("and then at"),
        required=False,
        choices=TermsVersion.ExpiryEnd.choices,
        widget=forms.Select(SELECT),
    )
    expiry_month = forms.TypedChoiceField(
        label=gettext_lazy("Month (on one day of each year)"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", "–"), *dates.MONTHS.items()],
        widget=forms.Select(SELECT),
    )
    expiry_day = forms.IntegerField(
        label=gettext_lazy("Day"), required=False, min_value=1, max_value=31
    )
    tier_measure = forms.ChoiceField(
        label=gettext_lazy("Tiers by"),
        choices=TermsVersion.TierMeasure.choices,
        widget=forms.Select(SELECT),
    )
    tier_window = forms.ChoiceField(
        label=gettext_lazy("Counted over"),
        choices=TermsVersion.TierWindow.choices,
        widget=forms.Select(SELECT),
    )
    tier_months = forms.IntegerField(
        label=gettext_lazy("How many months"), min_value=1, max_value=120
    )
    tier_grace_days = forms.IntegerField(
        label=gettext_lazy("Days of grace"), min_value=0, max_value=3_650
    )
    tier_downgrade = forms.ChoiceField(
        label=gettext_lazy("Who no longer reaches a tier gets"),
        choices=TermsVersion.Downgrade.choices,
        widget=forms.Select(SELECT),
    )
    hold_minutes = forms.IntegerField(
        label=gettext_lazy("Points are set aside for (minutes)"),
        min_value=1,
        max_value=int(TERM_RANGES["hold_minutes"][1]),
    )
    staff_limit = forms.IntegerField(
        label=gettext_lazy("Staff may ask for up to (points)"), min_value=0, max_value=MOST_LIMIT
    )
    manager_limit = forms.IntegerField(
        label=gettext_lazy("A manager alone books up to (points)"),
        min_value=0,
        max_value=MOST_LIMIT,
    )
    valid_from = FromNowField(
        label=gettext_lazy("For purchases from"),
        help_text=gettext_lazy("Empty: from now on. Points that were earned keep their dates."),
    )

    def __init__(
        self, data: QueryDict | None = None, *, latest: TermsVersion | None = None
    ) -> None:
        """latest: the version that is changed."""
        super().__init__(data, auto_id="terms-%s")
        if latest is not None:
            for name in (*WORTH, *EXPIRY, *TIERS, *LIMITS):
                value = getattr(latest, name)
                is_money = name in ("point_value", "point_cost")
                self.initial[name] = f"{value.normalize():f}" if is_money else value

    def sections(self) -> list[dict[str, Any]]:
        """Return the fields in groups."""
        groups = [
            (_("Points"), WORTH),
            (_("When points lapse"), EXPIRY),
            (_("Tiers"), TIERS),
            (_("Limits"), LIMITS),
        ]
        return [
            {"label": label, "fields": [self[name] for name in names]} for label, names in groups
        ]

    def content(self) -> dict[str, Any]:
        """Return what services take, without the start."""
        content = {name: value for name, value in self.cleaned_data.items() if name != "valid_from"}
        content["expiry_end"] = content["expiry_end"] or TermsVersion.ExpiryEnd.DAY.value
        return content
