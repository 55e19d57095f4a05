"""Looking for members."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from common.forms import LineField
from crm.forms.filters import FilterForm
from loyalty.forms.fields import SELECT
from loyalty.models import Membership, Tier


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
