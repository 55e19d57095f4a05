"""A service's refusal, shown where the person can mend it."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError

from common.errors import DomainError


def show_refusal(form: forms.BaseForm, error: DomainError | ValidationError) -> None:
    """Put a refusal on the fields it names, else on the whole form."""
    if isinstance(error, ValidationError):
        named = error.message_dict if hasattr(error, "error_dict") else {}
        general = [] if named else error.messages
    else:
        named = error.fields
        general = [] if named else [str(error)]
    for name, texts in named.items():
        for text in texts:
            form.add_error(name if name in form.fields else None, text)
    for text in general:
        form.add_error(None, text)
