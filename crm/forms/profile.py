"""Forms on a customer's page: the timeline's filter, notes, contacts, tags, files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from common.forms import LineField, TextField
from common.time import start_of_day
from crm.forms.fields import DateField
from crm.forms.filters import SELECT, FilterForm
from crm.models import ContactPoint, Note, Tag
from crm.selectors.timeline import CONTACTS, ORDERS
from crm.services.contacts import normalized_contact
from crm.services.notes import MOST_TEXT

Kind = ContactPoint.Kind


class DayField(DateField):
    """A day in a filter."""

    widget = forms.DateInput({"type": "date", "class": "form-control"}, format="%Y-%m-%d")


class TimelineFilterForm(FilterForm):
    """Kind and period; a value that makes no sense filters nothing."""

    kind = forms.ChoiceField(label=_("Show only"), required=False, widget=forms.Select(SELECT))
    first_day = DayField(label=_("First day"), required=False)
    last_day = DayField(label=_("Last day"), required=False)

    def __init__(self, data: QueryDict, *, kinds: Iterable[tuple[str, Any]]) -> None:
        super().__init__(data)
        field: Any = self.fields["kind"]
        field.choices = [
            ("", _("Everything")),
            (ORDERS, _("Purchases")),
            (CONTACTS, _("Contacts")),
            *kinds,
        ]
        self.full_clean()

    @property
    def since(self) -> datetime | None:
        """The first instant shown."""
        day = self.values["first_day"]
        return start_of_day(day) if day else None

    @property
    def until(self) -> datetime | None:
        """The first instant no longer shown."""
        day = self.values["last_day"]
        return start_of_day(day + timedelta(days=1)) if day else None


class NoteForm(forms.Form):
    """What somebody said about a customer."""

    kind = forms.ChoiceField(
        label=_("Kind"), choices=Note.Kind.choices, widget=forms.Select(SELECT)
    )
    text = TextField(
        label=_("Note"),
        max_length=MOST_TEXT,
        widget=forms.Textarea({"rows": 3, "class": "form-control", "maxlength": MOST_TEXT}),
    )


class NoteFilterForm(FilterForm):
    """Only one kind of notes."""

    kind = forms.ChoiceField(
        label=_("Show only"),
        choices=[("", _("Every kind")), *Note.Kind.choices],
        required=False,
        widget=forms.Select(SELECT),
    )


class ContactForm(forms.Form):
    """Another address or number."""

    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[(kind.value, kind.label) for kind in (Kind.PHONE, Kind.EMAIL)],
        widget=forms.Select(SELECT),
    )
    value = LineField(
        label=_("Number or address"),
        max_length=254,
        widget=forms.TextInput({"class": "form-control", "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse what is no number or address."""
        data = super().clean() or {}
        if data.get("kind") and data.get("value"):
            try:
                normalized_contact(data["kind"], data["value"])
            except forms.ValidationError as error:
                self.add_error("value", error)
        return data


class TagForm(forms.Form):
    """A label, a new one or one that is there."""

    name = LineField(
        label=_("Tag"),
        max_length=60,
        widget=forms.TextInput(
            {
                "class": "form-control form-control-sm",
                "list": "tag-names",
                "placeholder": _("Add a tag"),
                "autocomplete": "off",
            }
        ),
    )


class TagNameForm(forms.Form):
    """Another name for a label."""

    name = LineField(label=_("Name"), max_length=60)


class TagMergeForm(forms.Form):
    """The label that another one becomes."""

    into = forms.ModelChoiceField(Tag.objects.order_by("name"), label=_("Merge into"))


class FileForm(forms.Form):
    """A file beside a customer."""

    file = forms.FileField(
        label=_("File"), widget=forms.ClearableFileInput({"class": "form-control form-control-sm"})
    )
