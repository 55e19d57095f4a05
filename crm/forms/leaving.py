"""Forms of offers, requests to leave, and the list of reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Fieldset, Layout, Row
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.forms import DecimalField, InstantField, LineField, TextField
from crm.forms.fields import CustomerField
from crm.forms.filters import SELECT, FilterForm
from crm.forms.money import MONEY, local_now, past_instant
from crm.models import CancelReason, CancelRequest, Offer, Product
from crm.selectors.cancel_requests import list_reasons, reason_name
from crm.selectors.catalogue import products_by_sku

if TYPE_CHECKING:
    ReasonChoice = forms.ModelChoiceField[CancelReason]
else:
    ReasonChoice = forms.ModelChoiceField


class ReasonField(ReasonChoice):
    """A reason of the business's list, in the reader's language."""

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "label": _("Reason"),
            "empty_label": _("Not said"),
            "required": False,
            "to_field_name": "code",
        }
        super().__init__(list_reasons(), **(defaults | options))

    def label_from_instance(self, obj: CancelReason) -> str:
        """The reason's name."""
        return reason_name(obj)


class OfferFields(forms.Form):
    """What is offered, and what they said."""

    offer_text = LineField(
        label=_("What you offer"),
        max_length=255,
        required=False,
        help_text=_("Such as: one month free."),
    )
    offer_sku = LineField(
        label=_("Product"), max_length=64, required=False, help_text=_("Its SKU, if it is one.")
    )
    offer_amount = DecimalField(label=_("Worth"), required=False, **MONEY)
    offer_state = forms.ChoiceField(
        label=_("Their answer"),
        choices=[
            (Offer.State.MADE, _("No answer yet")),
            (Offer.State.ACCEPTED, Offer.State.ACCEPTED.label),
            (Offer.State.DECLINED, Offer.State.DECLINED.label),
        ],
        initial=Offer.State.MADE,
        required=False,
    )

    offer_rows = (
        Row(
            Column("offer_text", css_class="col-md-6"),
            Column("offer_sku", css_class="col-md-3"),
            Column("offer_amount", css_class="col-md-3"),
        ),
        Row(Column("offer_state", css_class="col-md-6")),
    )

    def clean_offer_sku(self) -> Product | None:
        """Return the product offered."""
        sku = self.cleaned_data["offer_sku"]
        if not sku:
            return None
        product = products_by_sku([sku]).get(sku)
        if product is None:
            raise ValidationError(_("No product has this SKU."))
        return product

    def offer_values(self) -> dict[str, Any]:
        """Return what the service takes of an offer; empty if nothing is offered."""
        data = self.cleaned_data
        product = data["offer_sku"]
        if not data["offer_text"] and product is None:
            return {}
        return {
            "text": data["offer_text"],
            "product_id": product.pk if product else None,
            "amount": data["offer_amount"],
            "state": data["offer_state"] or Offer.State.MADE,
        }


class OfferForm(OfferFields):
    """An offer to a customer."""

    customer = CustomerField()
    made_at = InstantField(label=_("When"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["customer"].required = True
        self.fields["customer"].help_text = _("Number, email or phone.")
        self.fields["made_at"].initial = local_now()
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(
            Row(Column("customer", css_class="col-md-6"), Column("made_at", css_class="col-md-6")),
            *self.offer_rows,
        )

    def clean_made_at(self) -> Any:
        """Refuse the future."""
        return past_instant(self.cleaned_data["made_at"])

    def clean(self) -> dict[str, Any]:
        """Something must be offered."""
        data = super().clean() or {}
        if not self.errors and not self.offer_values():
            self.add_error("offer_text", _("Say what was offered, or name a product."))
        return data


class CancelRequestForm(OfferFields):
    """A customer asks to leave: why, what was offered, and whether they stayed."""

    customer = CustomerField()
    requested_at = InstantField(label=_("When"))
    reason = ReasonField()
    text = TextField(label=_("In their words"), required=False, widget=forms.Textarea({"rows": 3}))
    outcome = forms.ChoiceField(
        label=_("Outcome"),
        choices=CancelRequest.Outcome.choices,
        initial=CancelRequest.Outcome.OPEN,
        required=False,
        help_text=_("You can decide later. It counts once 90 days have passed."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["customer"].required = True
        self.fields["customer"].help_text = _("Number, email or phone.")
        self.fields["requested_at"].initial = local_now()
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(
            Row(
                Column("customer", css_class="col-md-6"),
                Column("requested_at", css_class="col-md-6"),
            ),
            Row(Column("reason", css_class="col-md-6")),
            "text",
            Fieldset(_("Offer to keep them"), *self.offer_rows),
            Row(Column("outcome", css_class="col-md-6")),
        )

    def clean_requested_at(self) -> Any:
        """Refuse the future."""
        return past_instant(self.cleaned_data["requested_at"])

    def values(self) -> dict[str, Any]:
        """Return what the service takes."""
        data = self.cleaned_data
        return {
            "customer_id": data["customer"].pk,
            "requested_at": data["requested_at"],
            "reason_id": data["reason"].pk if data["reason"] else None,
            "text": data["text"],
            "offer": self.offer_values() or None,
            "outcome": data["outcome"] or CancelRequest.Outcome.OPEN,
        }


class RequestOfferForm(OfferFields):
    """An offer to somebody who asked to leave."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(*self.offer_rows)

    def clean(self) -> dict[str, Any]:
        """Something must be offered."""
        data = super().clean() or {}
        if not self.errors and not self.offer_values():
            self.add_error("offer_text", _("Say what was offered, or name a product."))
        return data


class OutcomeForm(forms.Form):
    """Whether they stayed."""

    outcome = forms.ChoiceField(choices=CancelRequest.Outcome.choices)


class AnswerForm(forms.Form):
    """What they said to an offer."""

    state = forms.ChoiceField(choices=Offer.State.choices)


class CancelRequestFilterForm(FilterForm):
    """Outcome (or due for a decision) and reason."""

    outcome = forms.ChoiceField(
        label=_("Outcome"),
        choices=[
            ("", _("Every outcome")),
            ("due", _("Due for a decision")),
            *CancelRequest.Outcome.choices,
        ],
        required=False,
        widget=forms.Select(SELECT),
    )
    reason = ReasonField(empty_label=_("Every reason"), widget=forms.Select(SELECT))


class OfferFilterForm(FilterForm):
    """Answer."""

    state = forms.ChoiceField(
        label=_("Their answer"),
        choices=[("", _("Every answer")), *Offer.State.choices],
        required=False,
        widget=forms.Select(SELECT),
    )


class ReasonForm(forms.Form):
    """A reason of the list, with a name per language."""

    code = LineField(
        label=_("Code"), max_length=40, help_text=_("Such as too_far; it never changes.")
    )
    position = forms.IntegerField(
        label=_("Place in the list"), min_value=0, max_value=30_000, initial=0
    )
    is_archived = forms.BooleanField(label=_("No longer offered"), required=False)

    def __init__(self, *args: Any, is_known: bool = False, **kwargs: Any) -> None:
        """is_known: the code is fixed."""
        super().__init__(*args, **kwargs)
        for code, name in settings.LANGUAGES:
            self.fields[_name_field(code)] = LineField(label=name, max_length=80, required=False)
        self.fields["code"].disabled = is_known
        if not is_known:
            del self.fields["is_archived"]
        self.helper = FormHelper()
        self.helper.form_tag = False
        names = [Column(_name_field(code), css_class="col-md-4") for code, _n in settings.LANGUAGES]
        self.helper.layout = Layout(
            Row(Column("code", css_class="col-md-6"), Column("position", css_class="col-md-6")),
            Fieldset(_("Name in each language"), Row(*names)),
            *(["is_archived"] if is_known else []),
        )

    def names(self) -> dict[str, str]:
        """Return language → name."""
        return {
            code: self.cleaned_data.get(_name_field(code)) or ""
            for code, _name in settings.LANGUAGES
        }


def _name_field(language: str) -> str:
    return f"name_{language.replace('-', '_')}"
