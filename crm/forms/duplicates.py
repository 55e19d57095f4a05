"""Two customers to compare, and who of them remains."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.forms.fields import CustomerField


class CompareForm(forms.Form):
    """Any two customers, found alike or not."""

    one = CustomerField()
    other = CustomerField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in (("one", _("One customer")), ("other", _("Another customer"))):
            self.fields[name].label = label
            self.fields[name].required = True
            self.fields[name].help_text = _("Number, email or phone")

    def clean(self) -> dict[str, Any]:
        """Two different people."""
        found = super().clean() or {}
        one, other = found.get("one"), found.get("other")
        if one and other and (one.person_id or one.pk) == (other.person_id or other.pk):
            self.add_error("other", _("Both are one and the same customer already."))
        return found


class RemainForm(forms.Form):
    """Which of two remains; the other's records become theirs."""

    person = forms.ChoiceField()

    def __init__(self, *args: Any, refs: tuple[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].choices = [(ref, ref) for ref in refs]  # type: ignore[attr-defined]
