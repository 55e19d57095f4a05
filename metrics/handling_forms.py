"""What to do with a kind of customers, and the tasks for it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from common.forms import InstantField, LineField, TextField
from crm.forms.tasks import colleague_field, in_days, widget_time
from metrics.models import HandlingRule
from metrics.services.handling import LONGEST_DAYS, LONGEST_TEXT

INPUT = {"class": "form-control"}
SELECT = {"class": "form-select"}
USUAL_DAYS = 14


class RuleForm(forms.Form):
    """The rule itself."""

    text = TextField(
        label=_("What to do with them"),
        max_length=LONGEST_TEXT,
        widget=forms.Textarea({"rows": 5} | INPUT),
    )
    task_title = LineField(
        label=_("What the task is called"), max_length=200, widget=forms.TextInput(INPUT)
    )
    due_days = forms.IntegerField(
        label=_("Days for it"),
        initial=USUAL_DAYS,
        min_value=1,
        max_value=LONGEST_DAYS,
        widget=forms.NumberInput(INPUT | {"inputmode": "numeric"}),
    )


class RuleTasksForm(forms.Form):
    """A task about each of them."""

    title = LineField(label=_("What is to be done"), max_length=200, widget=forms.TextInput(INPUT))
    due_at = InstantField(label=_("Due"))
    assignee = colleague_field(widget=forms.Select(SELECT))

    def __init__(self, data: Any = None, *, rule: HandlingRule | None = None) -> None:
        days = rule.due_days if rule else USUAL_DAYS
        initial = {
            "title": rule.task_title if rule else "",
            "due_at": widget_time(in_days(days)),
        }
        super().__init__(data, auto_id="tasks-%s", initial=initial)
        self.fields["due_at"].widget.attrs |= INPUT
