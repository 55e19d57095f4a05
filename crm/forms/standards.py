"""Forms of service standards: starting and following one, lists, scorecard and audit."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.permissions import WRITERS
from common.forms import TextField
from common.time import local_date, now, start_of_day
from crm.forms.fields import CustomerField, DateField, location_field
from crm.forms.filters import SELECT, FilterForm
from crm.models import Playbook
from crm.selectors.playbooks import list_playbooks
from crm.selectors.runs import VIEWS

LONGEST_PERIOD = timedelta(days=2 * 366)
USUAL_DAYS = 90
VIEW_LABELS = {
    "mine": _("Mine"),
    "late": _("Late"),
    "open": _("Under way"),
    "ended": _("Ended"),
}


if TYPE_CHECKING:
    PlaybookChoice = forms.ModelChoiceField[Playbook]
else:
    PlaybookChoice = forms.ModelChoiceField


class PlaybookField(PlaybookChoice):
    """A choice of standard, named in the reader's language."""

    def label_from_instance(self, obj: Playbook) -> str:
        """Its name."""
        return obj.name


def playbook_field(
    *, active_only: bool = False, **options: Any
) -> forms.ModelChoiceField[Playbook]:
    """Return a choice of standard by its ref, named in the reader's language."""
    playbooks = list_playbooks(active_only=active_only).order_by("key")
    return PlaybookField(playbooks, to_field_name="ref", **options)


class StartForm(forms.Form):
    """For whom a standard is started, where, and who follows it."""

    customer = CustomerField()
    location = location_field(empty_label=_("The customer's own shop"), widget=forms.Select(SELECT))
    owner = forms.ModelChoiceField(
        User.objects.filter(is_active=True, role__in=WRITERS).order_by("name", "email"),
        label=_("Who follows it"),
        required=False,
        empty_label=_("Whoever takes it"),
        widget=forms.Select(SELECT),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["customer"].required = True
        self.fields["customer"].help_text = _("Number, email or phone.")
        self.fields["customer"].widget.attrs["class"] = "form-control"


class StepDecisionForm(forms.Form):
    """A step done, or skipped for a reason."""

    decision = forms.ChoiceField(choices=[("done", ""), ("skipped", "")])
    text = TextField(max_length=4_000, required=False)


class ReasonForm(forms.Form):
    """Why."""

    reason = TextField(
        label=_("Why"),
        max_length=4_000,
        required=False,
        widget=forms.Textarea({"class": "form-control", "rows": 2}),
    )


class RunFilterForm(FilterForm):
    """Which runs: mine, late, under way or ended; of which standard and shop."""

    view = forms.ChoiceField(choices=[(name, VIEW_LABELS[name]) for name in VIEWS], required=False)
    standard = playbook_field(
        label=_("Standard"),
        required=False,
        empty_label=_("Every standard"),
        widget=forms.Select(SELECT),
    )
    shop = location_field(empty_label=_("Every shop"), widget=forms.Select(SELECT))


class PeriodForm(FilterForm):
    """From a local day to another, both included; the last 90 days where nothing is said."""

    since = DateField(label=_("First day"), required=False)
    until = DateField(label=_("Last day"), required=False)
    standard = playbook_field(
        label=_("Standard"),
        required=False,
        empty_label=_("Every standard"),
        widget=forms.Select(SELECT),
    )
    shop = location_field(empty_label=_("Every shop"), widget=forms.Select(SELECT))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("since", "until"):
            self.fields[name].widget.attrs["class"] = "form-control"

    def clean(self) -> dict[str, Any]:
        """Refuse a period that ends before it begins or lasts longer than two years."""
        data = super().clean() or {}
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            self.add_error("until", ValidationError(_("This day is before the first one.")))
        elif since and until and until - since > LONGEST_PERIOD:
            self.add_error("until", ValidationError(_("At most two years are possible.")))
        return data

    @property
    def days(self) -> tuple[date, date]:
        """Return the first and the last local day that are meant."""
        until = self.values["until"] or local_date(now())
        return self.values["since"] or until - timedelta(days=USUAL_DAYS - 1), until

    @property
    def instants(self) -> tuple[Any, Any]:
        """Return the period as half-open aware instants."""
        first, last = self.days
        return start_of_day(first), start_of_day(last + timedelta(days=1))
