"""The form that takes a contact down, with the task that comes of it."""

from __future__ import annotations

from typing import Any

from crispy_forms.bootstrap import InlineRadios
from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from common.forms import InstantField, LineField, TextField
from common.time import now
from crm.models import Channel, Customer, Interaction
from crm.selectors.inbox import colleagues
from crm.selectors.search import find_customers, search_customers
from crm.services.interactions import FollowUp

MOST_SHOWN = 8


class ColleagueField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A colleague who serves customers, by address."""

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {"required": False, "to_field_name": "email"}
        super().__init__(colleagues(), **(defaults | options))

    def label_from_instance(self, obj: User) -> str:
        """The name."""
        return str(obj)


class ContactForm(forms.Form):
    """Who, how, what was said and what is to be done."""

    customer = LineField(label=_("Customer"), max_length=254, required=False)
    customer_ref = forms.SlugField(max_length=16, required=False, widget=forms.HiddenInput)
    channel = forms.ChoiceField(label=_("Channel"), choices=Channel.choices)
    direction = forms.ChoiceField(
        label=_("Direction"), choices=Interaction.Direction.choices, widget=forms.RadioSelect
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"), choices=Interaction.Outcome.choices, required=False
    )
    text = TextField(
        label=_("What was said"),
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("@name tells a colleague."),
    )
    task_title = LineField(label=_("Follow-up task"), max_length=200, required=False)
    task_due_at = InstantField(label=_("Due"), required=False)
    task_assignee = ColleagueField(label=_("Who"), empty_label=_("The team"))
    occurred_at = InstantField(label=_("When"), required=False, help_text=_("Empty: just now."))
    answer = forms.ChoiceField(
        label=_("Answer"),
        required=False,
        choices=[
            ("", _("As usual on this channel")),
            ("yes", _("Still to be answered")),
            ("no", _("Needs no answer")),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.found: list[Customer] = []  # of several the person chooses one
        self.takes_anybody = False  # the conversation says who it is
        self.helper = _helper(
            InlineRadios("direction"),
            Row(Column("channel", css_class="col-6"), Column("outcome", css_class="col-6")),
            "text",
        )
        self.task_helper = _helper(
            "task_title",
            Row(
                Column("task_due_at", css_class="col-md-6"),
                Column("task_assignee", css_class="col-md-6"),
            ),
        )
        self.more_helper = _helper(
            Row(
                Column("occurred_at", css_class="col-md-6"), Column("answer", css_class="col-md-6")
            ),
        )

    def clean_occurred_at(self) -> Any:
        """Refuse the future."""
        moment = self.cleaned_data["occurred_at"]
        if moment is not None and moment > now():
            raise ValidationError(_("This time has not come yet."))
        return moment

    def clean(self) -> dict[str, Any]:
        """Find the customer; a task needs a title and a time."""
        data = super().clean() or {}
        if bool(data.get("task_title")) != bool(data.get("task_due_at")):
            missing = "task_due_at" if data.get("task_title") else "task_title"
            if missing not in self.errors:
                self.add_error(missing, _("A task needs both: what, and until when."))
        if data.get("task_assignee") and not data.get("task_title"):
            self.add_error("task_title", _("Say what is to be done."))
        if "customer" not in self.errors:
            self._find_customer(data)
        if data.get("direction") == Interaction.Direction.INTERNAL and not data.get("text"):
            self.add_error("text", _("Write the note."))
        return data

    def _find_customer(self, data: dict[str, Any]) -> None:
        """Whom is meant: chosen, or found by number, email, phone or name, or nobody we know."""
        named, chosen = data.get("customer") or "", data.get("customer_ref") or ""
        self.found = find_customers(chosen or named) or (
            search_customers(named)[: MOST_SHOWN + 1] if named else []
        )
        data["person"] = self.found[0] if len(self.found) == 1 else None
        if data["person"] is not None:
            return
        if len(self.found) > 1:
            self.add_error("customer", _("Several customers fit; choose one below."))
        elif self.takes_anybody:
            return
        elif not named:
            if data.get("direction") != Interaction.Direction.INBOUND:
                self.add_error("customer", _("Say who it was."))
        elif data.get("direction") != Interaction.Direction.INBOUND:
            self.add_error("customer", _("Nobody has this number, email, phone or name."))

    def follow_up(self) -> FollowUp | None:
        """Return the task that comes of it, if any."""
        data = self.cleaned_data
        if not data.get("task_title"):
            return None
        assignee = data.get("task_assignee")
        return FollowUp(
            title=data["task_title"],
            due_at=data["task_due_at"],
            assignee_id=assignee.pk if assignee else None,
        )


def _helper(*fields: Any) -> FormHelper:
    helper = FormHelper()
    helper.form_tag = False
    helper.layout = Layout(*fields)
    return helper
