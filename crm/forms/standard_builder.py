"""The builder of a standard: its head and its steps as forms of one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Role
from common.forms import LineField, TextField
from crm.forms.filters import SELECT
from crm.models import Step
from crm.standards.content import (
    DOERS,
    MAX_OFFSET,
    MAX_STEPS,
    NAME_LENGTH,
    TEXT_LENGTH,
    TITLE_LENGTH,
    Content,
    StepContent,
    Texts,
)
from crm.standards.offsets import UNIT_CHOICES, UNITS, split_offset
from crm.standards.triggers import triggers


class TextsForm(forms.Form):
    """A line and a longer text, each in every language of the product."""

    line, line_label, line_length = "name", _("Name"), NAME_LENGTH
    text, text_label = "purpose", _("What it is for")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for code, _language in settings.LANGUAGES:
            self.fields[_named(self.line, code)] = LineField(
                label=self.line_label,
                max_length=self.line_length,
                required=False,
                widget=forms.TextInput({"class": "form-control", "lang": code}),
            )
            self.fields[_named(self.text, code)] = TextField(
                label=self.text_label,
                max_length=TEXT_LENGTH,
                required=False,
                widget=forms.Textarea({"class": "form-control", "lang": code, "rows": 2}),
            )

    @property
    def by_language(self) -> list[dict[str, Any]]:
        """Return per language its name and its two fields, the reader's language first."""
        rows = [
            {
                "code": code,
                "language": language,
                "line": self[_named(self.line, code)],
                "text": self[_named(self.text, code)],
            }
            for code, language in settings.LANGUAGES
        ]
        return sorted(rows, key=lambda row: row["code"] != get_language())

    def texts(self, name: str) -> Texts:
        """Return language → text of the line or the longer text, empty ones left out."""
        codes = [code for code, _language in settings.LANGUAGES]
        found = {code: self.cleaned_data.get(_named(name, code), "") for code in codes}
        return {code: text for code, text in found.items() if text}


class HeadForm(TextsForm):
    """What a standard is called, what it is for and what starts it."""

    trigger = forms.ChoiceField(
        label=_("Starts"), choices=[], required=False, widget=forms.Select(SELECT)
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        by_hand = [("", _("by hand only"))]
        self.fields["trigger"].choices = by_hand + list(triggers.items())  # type: ignore[attr-defined]


class StepForm(TextsForm):
    """One step."""

    line, line_label, line_length = "title", _("What to do"), TITLE_LENGTH
    text, text_label = "guidance", _("How to do it well")

    role = forms.ChoiceField(
        label=_("Who"),
        choices=[(role.value, role.label) for role in DOERS],
        initial=Role.STAFF,
        widget=forms.Select(SELECT),
    )
    is_required = forms.BooleanField(
        label=_("Required"),
        required=False,
        initial=True,
        widget=forms.CheckboxInput({"class": "form-check-input"}),
    )
    value = forms.IntegerField(
        label=_("Due after"),
        min_value=1,
        max_value=MAX_OFFSET,
        initial=1,
        widget=forms.NumberInput({"class": "form-control"}),
    )
    unit = forms.ChoiceField(
        label=_("Unit"), choices=UNIT_CHOICES, initial="days", widget=forms.Select(SELECT)
    )
    five_p = forms.ChoiceField(
        label=_("Class"),
        choices=Step.FiveP.choices,
        initial=Step.FiveP.PROCESSES,
        widget=forms.Select(SELECT),
    )
    done_when = forms.ChoiceField(
        label=_("Done when"),
        choices=Step.DoneWhen.choices,
        initial=Step.DoneWhen.TICKED,
        widget=forms.Select(SELECT),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a time beyond two years."""
        data = super().clean() or {}
        minutes = (data.get("value") or 0) * UNITS.get(data.get("unit", ""), 0)
        if minutes > MAX_OFFSET:
            self.add_error("value", ValidationError(_("At most two years are possible.")))
        return data

    @property
    def content(self) -> StepContent:
        """The step as it was filled in; only of a valid form."""
        data = self.cleaned_data
        return StepContent(
            titles=self.texts("title"),
            guidance=self.texts("guidance"),
            five_p=data["five_p"],
            role=data["role"],
            is_required=data["is_required"],
            offset_minutes=data["value"] * UNITS[data["unit"]],
            done_when=data["done_when"],
        )


class BuilderForm:
    """Head and steps together: made from a document, or from what the browser sent."""

    def __init__(self, content: Content, data: Mapping[str, Any] | None = None) -> None:
        count = len(content.steps)
        if data is not None:
            sent = str(data.get("steps", ""))
            count = min(int(sent), MAX_STEPS) if sent.isascii() and sent.isdigit() else 0
        self.head = HeadForm(data, initial=_head_initial(content))
        self.steps = [
            StepForm(
                data,
                prefix=f"step{number}",
                initial=_step_initial(content.steps[number]) if data is None else None,
            )
            for number in range(count)
        ]

    @property
    def is_valid(self) -> bool:
        """Whether every field can be used; all are looked at."""
        return all([self.head.is_valid(), *(step.is_valid() for step in self.steps)])

    @property
    def content(self) -> Content:
        """The document as it was filled in; only of valid forms."""
        return Content(
            names=self.head.texts("name"),
            purposes=self.head.texts("purpose"),
            trigger=self.head.cleaned_data["trigger"],
            steps=tuple(step.content for step in self.steps),
        )


def _named(name: str, code: str) -> str:
    return f"{name}_{code.replace('-', '_')}"


def _head_initial(content: Content) -> dict[str, Any]:
    return {
        "trigger": content.trigger,
        **{_named("name", code): text for code, text in content.names.items()},
        **{_named("purpose", code): text for code, text in content.purposes.items()},
    }


def _step_initial(step: StepContent) -> dict[str, Any]:
    value, unit = split_offset(step.offset_minutes)
    return {
        "role": step.role,
        "is_required": step.is_required,
        "value": value,
        "unit": unit,
        "five_p": step.five_p,
        "done_when": step.done_when,
        **{_named("title", code): text for code, text in step.titles.items()},
        **{_named("guidance", code): text for code, text in step.guidance.items()},
    }
