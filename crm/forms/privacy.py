"""Forms of consent, erasure and retention."""

from __future__ import annotations

from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.forms import EmailField, LineField, PhoneField
from crm.consent_texts import ConsentChannel
from crm.models import ConsentEvent, RetentionPeriod
from crm.services.retention import LONGEST_DAYS


class ConsentForm(forms.Form):
    """One switch of consent; without a channel, by email."""

    purpose = forms.ChoiceField(choices=ConsentEvent.Purpose.choices)
    channel = forms.ChoiceField(choices=ConsentChannel.choices, required=False)
    is_granted = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")])

    def clean_channel(self) -> str:
        """The channel, email by default."""
        return self.cleaned_data["channel"] or ConsentChannel.EMAIL.value


class ErasureForm(forms.Form):
    """The customer's reference, typed in, since this can't be undone."""

    confirm = LineField(label=_("Type the reference to confirm"), max_length=64)

    def __init__(self, *args: Any, ref: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ref = ref
        self.fields["confirm"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        self.helper = FormHelper()
        self.helper.form_tag = False

    def clean_confirm(self) -> str:
        """Refuse anything else."""
        typed: str = self.cleaned_data["confirm"]
        if typed.casefold() != self.ref:
            raise ValidationError(_("This is not the reference shown above."))
        return typed


class RetentionForm(forms.Form):
    """Days per kind of data; empty means for ever."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for subject, label in RetentionPeriod.Subject.choices:
            self.fields[field_of(subject)] = forms.IntegerField(
                label=label, required=False, min_value=1, max_value=LONGEST_DAYS
            )

    def periods(self) -> dict[str, int | None]:
        """Return kind → days, None for ever."""
        return {
            subject: self.cleaned_data[field_of(subject)]
            for subject in RetentionPeriod.Subject.values
        }


def field_of(subject: str) -> str:
    """Return the name under which a kind's days are sent."""
    return f"days_{subject}"


class CameBackForm(forms.Form):
    """By what somebody who was erased is known; none of it is kept."""

    external_id = LineField(label=_("External id"), max_length=64, required=False)
    email = EmailField(label=_("Email"), max_length=254, required=False)
    phone = PhoneField(
        label=_("Phone"), max_length=40, required=False, widget=forms.TextInput({"type": "tel"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(
            Row(
                Column("external_id", css_class="col-md-4"),
                Column("email", css_class="col-md-4"),
                Column("phone", css_class="col-md-4"),
            )
        )

    def clean(self) -> dict[str, Any]:
        """Ask for at least one."""
        data = super().clean() or {}
        if not self.errors and not any(data.values()):
            self.add_error("external_id", _("Give the id, email or phone of the person."))
        return data
