"""Forms of tasks and of regular contact."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from common.forms import InstantField, LineField, TextField
from common.time import local_date, now, organisation_timezone
from crm.forms.fields import CustomerField, location_field
from crm.forms.filters import SELECT, FilterForm
from crm.models import Task
from crm.selectors.tasks import list_assignees
from crm.services.cadences import LONGEST_DAYS

NEVER = "never"
REMINDERS = [
    ("0", _("When it is due")),
    ("15", _("15 minutes before")),
    ("60", _("An hour before")),
    ("1440", _("A day before")),
    (NEVER, _("Never")),
]
MOST_TICKED = 100
USUAL_HOUR = 12  # local, of what is due on a day and at no hour in particular


def colleague_field(**options: Any) -> forms.ModelChoiceField[User]:
    """Return a choice of who could do it, by address."""
    defaults: dict[str, Any] = {
        "label": _("For whom"),
        "empty_label": _("Whoever has time"),
        "required": False,
    }
    return forms.ModelChoiceField(list_assignees(), to_field_name="email", **(defaults | options))


def in_days(days: int, *, like: datetime | None = None) -> datetime:
    """Return an instant so many local days from today, at the local hour of ``like``, or noon."""
    zone = organisation_timezone()
    day = local_date(now()) + timedelta(days=days)
    hour = like.astimezone(zone).time() if like else None
    local = datetime(day.year, day.month, day.day, USUAL_HOUR, tzinfo=zone)
    return datetime.combine(day, hour, zone) if hour else local


def widget_time(moment: datetime) -> str:
    """Return a local time as ``datetime-local`` inputs take it."""
    return moment.astimezone(organisation_timezone()).strftime("%Y-%m-%dT%H:%M")


class TaskForm(forms.Form):
    """What is to be done, for which customer, until when and by whom."""

    title = LineField(label=_("What is to be done"), max_length=200)
    customer = CustomerField()
    due_at = InstantField(label=_("Due"))
    remind = forms.ChoiceField(label=_("Remind"), choices=REMINDERS, initial="0")
    assignee = colleague_field()
    location = location_field(help_text=_("Whose team; left empty, the customer's shop."))
    text = TextField(
        label=_("Details"),
        required=False,
        max_length=5000,
        widget=forms.Textarea({"rows": 3}),
    )

    def __init__(self, *args: Any, task: Task | None = None, **kwargs: Any) -> None:
        if task:
            kwargs["initial"] = _initial(task) | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        self.task = task
        customer: Any = self.fields["customer"]
        customer.help_text = _("Number, email or phone; empty if it is about nobody.")
        remind: Any = self.fields["remind"]
        own = (kwargs.get("initial") or {}).get("remind", "0")
        if own not in dict(REMINDERS):
            remind.choices = [(own, _("As it is")), *REMINDERS]
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(
            "title",
            Row(Column("due_at", css_class="col-md-6"), Column("remind", css_class="col-md-6")),
            Row(Column("assignee", css_class="col-md-6"), Column("customer", css_class="col-md-6")),
            "text",
            "location",
        )

    def values(self) -> dict[str, Any]:
        """Return what the services take."""
        data = self.cleaned_data
        remind = data["remind"]
        return {
            "title": data["title"],
            "text": data["text"],
            "customer_id": data["customer"].pk if data["customer"] else None,
            "due_at": data["due_at"],
            "assignee_id": data["assignee"].pk if data["assignee"] else None,
            "location_id": data["location"].pk if data["location"] else None,
            "remind_before": None if remind == NEVER else timedelta(minutes=int(remind)),
        }


def _initial(task: Task) -> dict[str, Any]:
    distance = None if task.remind_at is None else task.due_at - task.remind_at
    return {
        "title": task.title,
        "text": task.text,
        "customer": task.customer.ref if task.customer else "",
        "due_at": widget_time(task.due_at),
        "remind": NEVER if distance is None else str(int(distance.total_seconds() // 60)),
        "assignee": task.assignee.email if task.assignee else None,
        "location": task.location.code if task.location else None,
    }


class FinishForm(forms.Form):
    """What came of it."""

    result = TextField(
        label=_("What came of it"),
        required=False,
        max_length=5000,
        widget=forms.Textarea({"rows": 2, "class": "form-control"}),
    )
    outcome = forms.ChoiceField(
        choices=[("done", _("Done")), ("not_needed", _("Not needed"))], required=False
    )

    @property
    def is_needed(self) -> bool:
        """Whether it was done, rather than not needed."""
        return bool(self.cleaned_data["outcome"] != "not_needed")


class MoveForm(forms.Form):
    """Another due time: in some days, or at a time."""

    days = forms.TypedChoiceField(
        choices=[(1, ""), (3, ""), (7, "")], coerce=int, required=False, empty_value=None
    )
    due_at = InstantField(label=_("Due"), required=False)

    def clean(self) -> dict[str, Any]:
        """One of both."""
        data = super().clean() or {}
        if not self.errors and not data.get("days") and not data.get("due_at"):
            raise ValidationError(_("Say until when."))
        return data

    def moved_to(self, task: Task) -> datetime:
        """Return when the task is due from now on."""
        days: int | None = self.cleaned_data["days"]
        due_at: datetime = self.cleaned_data["due_at"] or task.due_at
        return in_days(days, like=task.due_at) if days else due_at


class BulkForm(forms.Form):
    """What becomes of the ticked tasks."""

    what = forms.ChoiceField(choices=[("done", ""), ("assign", ""), ("move", "")])
    assignee = colleague_field(
        required=False, widget=forms.Select({"class": "form-select w-auto flex-fill"})
    )
    due_at = InstantField(
        label=_("Due"),
        required=False,
        widget=forms.DateTimeInput(
            {"type": "datetime-local", "class": "form-control w-auto flex-fill"}
        ),
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="bulk-%s")
        self.refs = data.getlist("task")[: MOST_TICKED + 1] if data else []

    def clean(self) -> dict[str, Any]:
        """Something is ticked, not too much, and what is missing for it is given."""
        data = super().clean() or {}
        if not self.refs:
            raise ValidationError(_("Tick at least one task."))
        if len(self.refs) > MOST_TICKED:
            raise ValidationError(_("Tick at most 100 tasks at once."))
        if data.get("what") == "move" and not data.get("due_at"):
            self.add_error("due_at", _("Say until when."))
        return data


class TaskFilterForm(FilterForm):
    """Who, where from, and which shop."""

    assignee = colleague_field(empty_label=_("Everybody"), widget=forms.Select(SELECT))
    origin = forms.ChoiceField(
        label=_("Where it came from"),
        choices=[("", _("From anywhere")), *Task.Origin.choices],
        required=False,
        widget=forms.Select(SELECT),
    )
    shop = location_field(empty_label=_("Every shop"), widget=forms.Select(SELECT))


class CadenceForm(forms.Form):
    """How often somebody gets in touch with a customer."""

    every_days = forms.IntegerField(
        label=_("Every so many days"),
        min_value=1,
        max_value=LONGEST_DAYS,
        widget=forms.NumberInput({"class": "form-control", "inputmode": "numeric"}),
    )
    assignee = colleague_field(label=_("Who"), widget=forms.Select(SELECT))
