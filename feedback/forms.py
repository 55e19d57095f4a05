"""Forms of the feedback app."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from common.forms import EmailField, LineField, TextField
from crm.forms.fields import CustomerField, location_field
from crm.models import Product
from feedback.models import Complaint
from feedback.services.complaints import MAX_DESCRIPTION
from feedback.services.surveys import MAX_COMMENT

CATEGORIES = [("", _("Choose…")), *Complaint.Category.choices]


class SurveyForm(forms.Form):
    """The answer to a would-recommend survey. The score is chosen from 0 to 10."""

    score = forms.TypedChoiceField(
        choices=[(number, str(number)) for number in range(11)],
        coerce=int,
        error_messages={
            "required": _("Choose a number from 0 to 10."),
            "invalid_choice": _("Choose a number from 0 to 10."),
        },
    )
    comment = TextField(required=False, max_length=MAX_COMMENT)


class VoidForm(forms.Form):
    """Why an answer shall not count."""

    reason = LineField(
        label=_("Why shall it not count?"),
        max_length=255,
        help_text=_("For example: a colleague answered it while testing."),
    )


class ComplaintForm(forms.Form):
    """A complaint logged by staff."""

    customer = CustomerField()
    text = TextField(
        label=_("What happened?"),
        max_length=MAX_DESCRIPTION,
        widget=forms.Textarea(attrs={"rows": 5, "autofocus": True}),
    )
    category = forms.ChoiceField(label=_("About"), choices=CATEGORIES, required=False)
    severity = forms.ChoiceField(
        label=_("Severity"), choices=Complaint.Severity, initial=Complaint.Severity.NORMAL
    )
    product = LineField(label=_("Product (SKU)"), required=False, max_length=64)
    location = location_field()

    def clean_product(self) -> Product | None:
        """Return the product meant, or None."""
        sku = self.cleaned_data["product"]
        if not sku:
            return None
        product = Product.objects.filter(sku=sku).first()
        if product is None:
            raise forms.ValidationError(_("There is no product with this SKU."))
        return product


class PublicComplaintForm(forms.Form):
    """A complaint in a customer's own words. ``website`` is a trap for programs."""

    text = TextField(
        label=_("What happened?"),
        max_length=MAX_DESCRIPTION,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    category = forms.ChoiceField(label=_("What is it about?"), choices=CATEGORIES, required=False)
    name = LineField(label=_("Your name"), required=False)
    email = EmailField(
        label=_("Your email"), required=False, help_text=_("So that we can answer you.")
    )
    website = forms.CharField(
        required=False,
        label="",
        widget=forms.TextInput(
            attrs={"tabindex": "-1", "autocomplete": "off", "class": "visually-hidden"}
        ),
    )

    def __init__(self, *args: Any, is_known: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_known:
            del self.fields["name"], self.fields["email"]


class ResolveForm(forms.Form):
    """What was done for the customer."""

    resolution = TextField(
        label=_("What was done?"),
        max_length=MAX_DESCRIPTION,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
