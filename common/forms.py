"""Form fields that apply the shared validators."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms

from common import validators
from common.time import organisation_timezone


class LineField(forms.CharField):
    """One line of clean text."""

    def to_python(self, value: Any) -> str:
        """Trimmed NFC text on one line."""
        return validators.clean_line(value or "", max_length=self.max_length or validators.MAX_LINE)


class TextField(forms.CharField):
    """Clean text that may span lines."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        """Trimmed NFC text."""
        return validators.clean_text(value or "", max_length=self.max_length or validators.MAX_TEXT)


class EmailField(forms.CharField):
    """A casefolded email address."""

    widget = forms.EmailInput

    def to_python(self, value: Any) -> str:
        """The address, or an empty string."""
        return validators.clean_email(value) if (value or "").strip() else ""


class PhoneField(forms.CharField):
    """A phone number as plus and digits."""

    def to_python(self, value: Any) -> str:
        """The number, or an empty string."""
        return validators.clean_phone(value) if (value or "").strip() else ""


class DecimalField(forms.DecimalField):
    """An exact number; a decimal comma is understood."""

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        """The number, or None."""
        if value in self.empty_values:
            return None
        text = str(value).strip().replace("\u00a0", "").replace(" ", "")
        if "," in text and "." not in text:
            text = text.replace(",", ".")
        return validators.parse_decimal(text, places=self.decimal_places or 0)


class InstantField(forms.CharField):
    """A local date and time of the organisation, returned as an aware UTC instant."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def to_python(self, value: Any) -> datetime | None:  # type: ignore[override]
        """The instant, or None."""
        if value in self.empty_values:
            return None
        return validators.parse_instant(value, timezone=organisation_timezone())
