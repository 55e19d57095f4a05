"""Setting up a follow-up."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from outreach.services.rules import LONGEST_DELAY_DAYS


class FollowUpForm(forms.Form):
    """How long to wait, and whether to write at night."""

    delay_days = forms.IntegerField(
        label=_("Days to wait after delivery"),
        min_value=0,
        max_value=LONGEST_DELAY_DAYS,
        initial=3,
    )
    keeps_quiet_hours = forms.BooleanField(
        label=_("Not at night: wait until the morning"), required=False, initial=True
    )
