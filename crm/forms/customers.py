"""Forms about one customer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import HTML, Column, Fieldset, Layout, Row
from django import forms
from django.utils.translation import gettext_lazy as _

from common.forms import EmailField, LineField, PhoneField
from crm.forms.custom_fields import PREFIX, shown_value, value_field
from crm.forms.fields import DateField, language_choices, location_field
from crm.models import Channel, ConsentEvent, Customer, CustomField
from crm.selectors.custom_fields import OwnValue


class CustomerForm(forms.Form):
    """What is known of a customer."""

    name = LineField(label=_("Name"), max_length=255, required=False)
    kind = forms.ChoiceField(label=_("Kind"), choices=Customer.Kind.choices)
    email = EmailField(label=_("Email"), max_length=254, required=False)
    phone = PhoneField(
        label=_("Phone"), max_length=40, required=False, widget=forms.TextInput({"type": "tel"})
    )
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        help_text=_("Emails and surveys are written in it."),
    )
    location = location_field()
    country = LineField(label=_("Country"), max_length=64, required=False)
    city = LineField(label=_("City"), max_length=120, required=False)
    preferred_channel = forms.ChoiceField(
        label=_("Likes to be reached by"),
        required=False,
        choices=[("", _("Not known")), *Channel.choices],
    )
    birth_date = DateField(label=_("Birth date"), required=False)
    source = LineField(
        label=_("Source"), max_length=120, required=False, help_text=_("How they came to you.")
    )
    industry = LineField(label=_("Industry"), max_length=120, required=False)
    external_id = LineField(
        label=_("External id"),
        max_length=64,
        required=False,
        help_text=_("The customer's number in another system."),
    )

    def __init__(
        self,
        *args: Any,
        custom_fields: Iterable[CustomField] = (),
        custom_values: Iterable[OwnValue] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        present = {own.field.pk: own.value for own in custom_values}
        self.own_keys = [field.key for field in custom_fields]
        for field in custom_fields:
            value = present.get(field.pk)
            self.fields[PREFIX + field.key] = value_field(field, value)
            self.initial.setdefault(PREFIX + field.key, shown_value(field, value))
        language: Any = self.fields["language"]
        language.choices = language_choices(str(self.initial.get("language") or ""))
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(*self.sections())

    def sections(self) -> list[Any]:
        """The form from top to bottom."""
        return [
            Row(Column("name", css_class="col-md-8"), Column("kind", css_class="col-md-4")),
            Row(Column("email", css_class="col-md-6"), Column("phone", css_class="col-md-6")),
            Row(
                Column("language", css_class="col-md-4"),
                Column("preferred_channel", css_class="col-md-4"),
                Column("location", css_class="col-md-4"),
            ),
            Row(
                Column("country", css_class="col-md-4"),
                Column("city", css_class="col-md-4"),
                Column("birth_date", css_class="col-md-4"),
            ),
            Row(
                Column("source", css_class="col-md-4"),
                Column("industry", css_class="col-md-4"),
                Column("external_id", css_class="col-md-4"),
            ),
            *self._own_section(),
        ]

    def _own_section(self) -> list[Any]:
        """Fields of the business's own, where there are any."""
        columns = [Column(PREFIX + key, css_class="col-md-4") for key in self.own_keys]
        return [Fieldset(_("More about them"), Row(*columns))] if columns else []

    def clean(self) -> dict[str, Any]:
        """Ask for something to know the customer by."""
        data = super().clean() or {}
        known = ("name", "email", "phone", "external_id")
        if not self.errors and not any(data.get(field) for field in known):
            self.add_error("name", _("Give a name, an email, a phone number or an external id."))
        return data

    def values(self) -> dict[str, Any]:
        """Return what the service takes."""
        data = {name: self.cleaned_data[name] for name in CustomerForm.base_fields}
        location = data.pop("location")
        custom = {key: self.cleaned_data[PREFIX + key] for key in self.own_keys}
        return data | {"location_id": location.pk if location else None, "custom": custom}


class NewCustomerForm(CustomerForm):
    """A new customer may say at once what they agree to."""

    marketing = forms.BooleanField(
        label=_("Agrees to get offers and news by email"), required=False
    )
    surveys = forms.BooleanField(
        label=_("Agrees to get questions about purchases by email"), required=False
    )

    def sections(self) -> list[Any]:
        """The form, with consent at its end."""
        return [
            *super().sections(),
            Fieldset(
                _("Consent"),
                HTML("{% include 'crm/parts/consent_hint.html' %}"),
                "marketing",
                "surveys",
            ),
        ]

    def consents(self) -> dict[str, bool]:
        """Return the purposes agreed to; an empty box is no answer and is not recorded."""
        return {
            purpose: True
            for purpose in ConsentEvent.Purpose.values
            if self.cleaned_data.get(purpose)
        }
