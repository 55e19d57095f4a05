"""From when something no longer holds."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from loyalty.forms.fields import FromNowField


class StopForm(forms.Form):
    """When a rule stops paying."""

    valid_from = FromNowField(label=_("For purchases from"))
