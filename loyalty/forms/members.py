"""Looking for members."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from common.forms import LineField, TextField
from crm.forms.fields import DateField
from crm.forms.filters import FilterForm
from loyalty.forms.fields import SELECT
from loyalty.models import Membership, Programme, Tier


class MemberFilterForm(FilterForm):
    """Search, status and tier."""

    q = LineField(label=_("Name, card, phone or number"), max_length=200, required=False)
    status = forms.ChoiceField(
        label=_("Status"),
        choices=[("", _("Every status")), *Membership.Status.choices],
        required=False,
        widget=forms.Select(SELECT),
    )
    tier = forms.ModelChoiceField(
        Tier.objects.order_by("rank"),
        label=_("Tier"),
        to_field_name="ref",
        required=False,
        empty_label=_("Every tier"),
        widget=forms.Select(SELECT),
    )


class TierGrantForm(forms.Form):
    """Which tier a member is given by hand, until when, and why."""

    tier = forms.ModelChoiceField(
        Tier.objects.none(),
        label=_("Tier"),
        to_field_name="ref",
        required=False,
        empty_label=_("What was earned"),
        widget=forms.Select(SELECT),
    )
    last_day = DateField(
        label=_("Last day"), required=False, help_text=_("Empty: until somebody ends it.")
    )
    reason = TextField(
        label=_("Reason"),
        max_length=1_000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("Kept among the notes about the customer."),
    )

    def __init__(self, data: QueryDict | None = None, *, programme: Programme) -> None:
        """programme: whose tiers can be given."""
        super().__init__(data, auto_id="grant-%s")
        self.fields["tier"].queryset = programme.tiers.order_by("rank")  # type: ignore[attr-defined]

    def content(self) -> dict[str, Any]:
        """Return what services take."""
        data = self.cleaned_data
        tier = data["tier"]
        return {
            "tier_id": tier.pk if tier else None,
            "last_day": data["last_day"],
            "reason": data["reason"],
        }
