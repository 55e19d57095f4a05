"""What is done for many customers at once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from common.forms import InstantField, LineField
from crm.forms.fields import location_field
from crm.forms.filters import SELECT
from crm.forms.tasks import colleague_field
from crm.selectors.tags import find_tag

ACTIONS = ("tag", "untag", "shop", "task")
INPUT = {"class": "form-control"}


class BulkForm(forms.Form):
    """An action, and what it needs; the inputs of the other actions are left alone."""

    action = forms.ChoiceField(choices=[(action, action) for action in ACTIONS])
    tag = LineField(
        label=_("Tag"),
        max_length=60,
        required=False,
        widget=forms.TextInput(INPUT | {"list": "known-tags", "autocomplete": "off"}),
    )
    location = location_field(widget=forms.Select(SELECT))
    title = LineField(
        label=_("What is to be done"),
        max_length=200,
        required=False,
        widget=forms.TextInput(INPUT),
    )
    due_at = InstantField(label=_("Due"), required=False)
    assignee = colleague_field(widget=forms.Select(SELECT))

    def __init__(self, data: Any = None, *, shops: Any = None, **options: Any) -> None:
        """shops: choices that were read already."""
        super().__init__(data, auto_id="bulk-%s", **options)
        if shops is not None:
            location: Any = self.fields["location"]
            location.choices = [("", _("No shop")), *list(shops)[1:]]
        self.fields["due_at"].widget.attrs |= INPUT

    def clean(self) -> dict[str, Any]:
        """Refuse an action that lacks what it needs."""
        asked = self.cleaned_data
        action = asked.get("action")
        if action in ("tag", "untag") and not asked.get("tag") and "tag" not in self.errors:
            self.add_error("tag", _("Give the tag a name."))
        elif action == "untag" and "tag" not in self.errors:
            asked["known_tag"] = find_tag(asked["tag"])
            if asked["known_tag"] is None:
                self.add_error("tag", _("There is no such tag."))
        if action == "task":
            for name, message in (
                ("title", _("Say what is to be done.")),
                ("due_at", _("Say until when.")),
            ):
                if not asked.get(name) and name not in self.errors:
                    self.add_error(name, message)
        return asked

    @property
    def problems(self) -> list[str]:
        """What is wrong, in one line each."""
        return [str(message) for messages in self.errors.values() for message in messages]
