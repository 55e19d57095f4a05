"""Points given or taken by hand."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.forms import LineField, TextField
from common.refs import new_ref
from loyalty.forms.fields import SELECT
from loyalty.models import Adjustment

LONGEST_NOTE = 2_000
GIVE, TAKE = "give", "take"


class AdjustmentForm(forms.Form):
    """How many points, in which direction, and why. token: so that a second click asks once."""

    token = LineField(widget=forms.HiddenInput, max_length=16)
    direction = forms.ChoiceField(
        label=gettext_lazy("What is to happen"),
        choices=[(GIVE, gettext_lazy("Give points")), (TAKE, gettext_lazy("Take points"))],
        initial=GIVE,
        widget=forms.RadioSelect({"class": "form-check-input"}),
    )
    points = forms.IntegerField(label=gettext_lazy("Points"), min_value=1)
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        choices=[("", gettext_lazy("Choose")), *Adjustment.Reason.choices],
        widget=forms.Select(SELECT),
    )
    note = TextField(
        label=gettext_lazy("Note"),
        max_length=LONGEST_NOTE,
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text=gettext_lazy("For whoever decides."),
    )

    def __init__(self, data: QueryDict | None = None, *, limit: int | None) -> None:
        """limit: so many may be asked for at once; None: any number."""
        super().__init__(data, auto_id="adjust-%s")
        self.fields["token"].initial = new_ref()
        if limit is not None:
            self.fields["points"].help_text = _("At most %(limit)s.") % {"limit": limit}

    def clean_token(self) -> str:
        """A token as the form was given."""
        token: str = self.cleaned_data["token"]
        if not token.isalnum():
            raise ValidationError(_("Open this page again."), code="token")
        return token

    def content(self) -> dict[str, Any]:
        """Return what services take."""
        data = self.cleaned_data
        sign = -1 if data["direction"] == TAKE else 1
        return {"points": sign * data["points"], "reason": data["reason"], "note": data["note"]}
