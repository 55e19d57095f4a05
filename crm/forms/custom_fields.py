"""Forms of the business's own fields: defining one, and giving a customer values."""

from __future__ import annotations

from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.forms import DecimalField, LineField, TextField
from common.validators import clean_line
from crm.forms.fields import DateField
from crm.models import CustomField
from crm.services.custom_fields import KEY, MOST_TEXT

PREFIX = "custom."  # before a field's key, in forms, files and the API's errors
Kind = CustomField.Kind


class CustomFieldForm(forms.Form):
    """What a field is called and what it holds; key and kind stay once they are in use."""

    label = LineField(label=_("Label"), max_length=80, help_text=_("As forms and pages show it."))
    key = LineField(
        label=_("Key"),
        max_length=40,
        help_text=_("Its name in files and the API: small letters, digits and underscores."),
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=Kind.choices)
    choices = TextField(
        label=_("Choices"),
        max_length=10_000,
        required=False,
        widget=forms.Textarea({"rows": 5}),
        help_text=_("One on each line; for the kind “Choice” only."),
    )
    position = forms.IntegerField(
        label=_("Place"),
        min_value=0,
        max_value=1000,
        required=False,
        help_text=_("Small numbers come first."),
    )

    def __init__(self, *args: Any, is_known: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].disabled = self.fields["kind"].disabled = is_known
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(
            Row(Column("label", css_class="col-md-6"), Column("key", css_class="col-md-6")),
            Row(Column("kind", css_class="col-md-6"), Column("position", css_class="col-md-6")),
            "choices",
        )

    def clean_key(self) -> str:
        """Refuse what could not stand in a file's header."""
        key: str = self.cleaned_data["key"]
        if not KEY.fullmatch(key):
            raise ValidationError(_("Use small letters, digits and underscores, a letter first."))
        return key

    def values(self) -> dict[str, Any]:
        """Return what both services take."""
        data = self.cleaned_data
        values: dict[str, Any] = {
            "label": data["label"],
            "choices": [clean_line(line) for line in data["choices"].split("\n")],
        }
        if data["position"] is not None:
            values["position"] = data["position"]
        return values


def value_field(field: CustomField, present: Any = None) -> forms.Field:
    """Return the form field for a customer's value.

    present: the value that is there; a former choice stays choosable for whom it was chosen.
    """
    options: dict[str, Any] = {"label": field.label, "required": False}
    if field.kind == Kind.NUMBER:
        return DecimalField(max_digits=15, decimal_places=4, **options)
    if field.kind == Kind.DATE:
        return DateField(**options)
    if field.kind == Kind.BOOLEAN:
        return forms.TypedChoiceField(
            choices=[("", _("Not known")), ("yes", _("Yes")), ("no", _("No"))],
            coerce=lambda answer: answer == "yes",
            empty_value=None,
            **options,
        )
    if field.kind == Kind.CHOICE:
        offered = list(field.choices)
        if present and present not in offered:
            offered.append(present)
        return forms.ChoiceField(
            choices=[("", _("Not known")), *((choice, choice) for choice in offered)], **options
        )
    return LineField(max_length=MOST_TEXT, **options)


def shown_value(field: CustomField, value: Any) -> Any:
    """Return a value as the form field shows it."""
    if field.kind == Kind.BOOLEAN and value is not None:
        return "yes" if value else "no"
    return value
