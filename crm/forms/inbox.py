"""Forms of the inbox: filters, answers, bulk actions, promises, absences, saved replies."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from common.forms import InstantField, LineField, TextField
from common.time import local_date, organisation_timezone
from crm.forms.contacts import ColleagueField
from crm.forms.fields import DateField
from crm.forms.filters import SELECT, FilterForm
from crm.models import Channel
from crm.saved_texts import check_names
from crm.selectors.inbox import VIEWS

MORNING = time(9)  # local; when what was put off comes back
PERIOD_DAYS = {"7": 7, "30": 30, "90": 90, "365": 365}


class InboxFilterForm(FilterForm):
    """Whose conversations, and which channel."""

    view = forms.ChoiceField(choices=[(name, name) for name in VIEWS], required=False)
    channel = forms.ChoiceField(
        label=_("Channel"),
        choices=[("", _("Every channel")), *Channel.choices],
        required=False,
        widget=forms.Select(SELECT),
    )


class ReplyForm(forms.Form):
    """An answer to the customer, or a note among colleagues; and what becomes of it then."""

    do = forms.ChoiceField(choices=[(name, name) for name in ("note", "stay", "close", "next")])
    text = TextField(label=_("Text"), widget=forms.Textarea({"rows": 5}))
    by_email = forms.BooleanField(label=_("Send it by email"), required=False)


class PlaceForm(forms.Form):
    """What becomes of one conversation or several."""

    action = forms.ChoiceField(
        choices=[
            (name, name)
            for name in (
                "take",
                "assign",
                "release",
                "snooze",
                "wake",
                "close",
                "dismiss",
                "reopen",
            )
        ]
    )
    assignee = ColleagueField()
    until = forms.ChoiceField(
        choices=[("tomorrow", "tomorrow"), ("week", "week"), ("date", "date")], required=False
    )
    date = DateField(required=False)

    def clean(self) -> dict[str, Any]:
        """Assigning needs somebody; resting until a date needs the date."""
        data = super().clean() or {}
        if data.get("action") == "assign" and not data.get("assignee"):
            self.add_error("assignee", _("Choose a colleague."))
        if data.get("action") == "snooze" and data.get("until") == "date" and not data.get("date"):
            self.add_error("date", _("Choose a date."))
        return data

    def rests_until(self, now: datetime) -> datetime:
        """Return the morning on which it comes back."""
        today = local_date(now)
        until = self.cleaned_data["until"] or "tomorrow"
        day = {
            "tomorrow": today + timedelta(days=1),
            "week": today + timedelta(days=7 - today.weekday()),
            "date": self.cleaned_data.get("date"),
        }[until]
        return datetime.combine(day or today, MORNING, organisation_timezone())


class FiguresForm(FilterForm):
    """The period of the response times."""

    days = forms.ChoiceField(
        label=_("Period"),
        choices=[
            ("7", _("The last 7 days")),
            ("30", _("The last 30 days")),
            ("90", _("The last 90 days")),
            ("365", _("The last 365 days")),
        ],
        required=False,
        widget=forms.Select(SELECT),
    )


class PromiseForm(forms.Form):
    """Business minutes per channel."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for channel in Channel:
            self.fields[channel.value] = forms.IntegerField(
                label=channel.label, min_value=1, max_value=100_000
            )


class AbsenceForm(forms.Form):
    """Who is away, when, and who stands in."""

    user = ColleagueField(label=_("Who is away"), required=True, empty_label=None)
    substitute = ColleagueField(
        label=_("Who stands in"), empty_label=_("Nobody"), help_text=_("Gets what waits meanwhile.")
    )
    starts_at = InstantField(label=_("From"))
    ends_at = InstantField(label=_("Until"))


class SavedReplyForm(forms.Form):
    """A text to answer with."""

    name = LineField(label=_("Name"), max_length=80)
    language = forms.ChoiceField(label=_("Language"), required=False)
    text = TextField(
        label=_("Text"),
        max_length=5000,
        widget=forms.Textarea({"rows": 6}),
        help_text=_("{name} is the customer's name, {me} yours, {organisation} the business's."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language: Any = self.fields["language"]
        language.choices = [("", _("Every language")), *settings.LANGUAGES]

    def clean_text(self) -> str:
        """Refuse names nobody fills in."""
        text: str = self.cleaned_data["text"]
        check_names(text)
        return text
