"""Fields that several forms of the programme share."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.forms import InstantField, LineField
from common.time import organisation_timezone
from crm.selectors.sales import find_products

SELECT = {"class": "form-select"}
CHECKS = {"class": "form-check-input"}
BOXES = forms.CheckboxSelectMultiple(CHECKS)  # copied by each field that has it


class ListField(LineField):
    """Several short texts on one line, separated by commas."""

    def __init__(self, *, one: Callable[[str], Any] = str, **options: Any) -> None:
        """one: makes a value of each text; raises ValidationError."""
        super().__init__(max_length=2_000, required=False, **options)
        self.one = one

    def prepare_value(self, value: Any) -> Any:
        """The values on one line."""
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        """The values, each once."""
        texts = [part.strip() for part in re.split("[,;，；]", super().clean(value))]
        return list(dict.fromkeys(self.one(text) for text in texts if text))


class ProductField(LineField):
    """One product by its SKU or its whole name; its id when cleaned."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=255, **options)

    def clean(self, value: Any) -> Any:
        """The id of the product, or None."""
        text = super().clean(value)
        if not text:
            return None
        found = find_products(text)
        exact = [product for product in found if text in (product.sku, product.name)] or found
        if len(exact) != 1:
            several, none = _("Several products fit; give the SKU."), _("There is no such product.")
            raise ValidationError(several if exact else none, code="product")
        return exact[0].pk


class FromNowField(InstantField):
    """From when something is to hold; empty means from now on."""

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "label": _("From"),
            "required": False,
            "help_text": _("Empty: from now on."),
        }
        super().__init__(**(defaults | options))


def local_minute(moment: datetime | None) -> str:
    """Return an instant as a field for date and time shows it."""
    if moment is None:
        return ""
    return moment.astimezone(organisation_timezone()).strftime("%Y-%m-%dT%H:%M")
