"""Forms of what is sold and where."""

from __future__ import annotations

from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.forms import DecimalField, LineField
from common.validators import parse_currency, parse_timezone
from crm.models import BusinessCalendar, Product
from crm.selectors.catalogue import products_by_sku


class ProductForm(forms.Form):
    """A product."""

    sku = LineField(label=_("SKU"), max_length=64)
    name = LineField(label=pgettext_lazy("of a thing", "Name"), max_length=255, required=False)
    category = LineField(label=_("Category"), max_length=120, required=False)
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=Product.Kind.choices,
        initial=Product.Kind.OTHER,
        help_text=_("A front-end product brings people in; a core product is why they come back."),
    )
    price = DecimalField(
        label=_("Price"), max_digits=15, decimal_places=4, min_value=0, required=False
    )
    cost = DecimalField(
        label=_("Cost"), max_digits=15, decimal_places=4, min_value=0, required=False
    )
    currency = LineField(label=_("Currency"), max_length=3)
    special_offer = LineField(
        label=_("Special offer"),
        max_length=64,
        required=False,
        help_text=_("SKU of the product offered to whoever buys this one."),
    )
    consumption_days = forms.IntegerField(
        label=_("Lasts (days)"), min_value=1, max_value=36_500, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].initial = settings.KEEPWELL_CURRENCY
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(
            Row(Column("sku", css_class="col-md-4"), Column("name", css_class="col-md-8")),
            Row(Column("category", css_class="col-md-6"), Column("kind", css_class="col-md-6")),
            Row(
                Column("price", css_class="col-md-4"),
                Column("cost", css_class="col-md-4"),
                Column("currency", css_class="col-md-4"),
            ),
            Row(
                Column("special_offer", css_class="col-md-6"),
                Column("consumption_days", css_class="col-md-6"),
            ),
        )

    def clean_currency(self) -> str:
        """The code in capitals."""
        return parse_currency(self.cleaned_data["currency"])

    def clean_special_offer(self) -> Product | None:
        """Return the product offered."""
        sku = self.cleaned_data["special_offer"]
        if not sku:
            return None
        product = products_by_sku([sku]).get(sku)
        if product is None:
            raise ValidationError(_("No product has this SKU."))
        return product

    def values(self) -> dict[str, Any]:
        """Return what the service takes."""
        data = dict(self.cleaned_data)
        offer = data.pop("special_offer")
        return data | {"special_offer_id": offer.pk if offer else None}


class LocationForm(forms.Form):
    """A shop; its code is fixed once it is known."""

    code = LineField(label=_("Code"), max_length=64)
    name = LineField(label=pgettext_lazy("of a thing", "Name"), max_length=255)
    timezone = LineField(
        label=_("Timezone"),
        max_length=64,
        required=False,
        help_text=_("Such as Asia/Yekaterinburg; empty for the organisation's own."),
    )
    calendar = forms.ModelChoiceField(
        BusinessCalendar.objects.order_by("name"),
        label=_("Opening hours"),
        to_field_name="ref",
        empty_label=_("The default ones"),
        required=False,
    )

    def __init__(self, *args: Any, is_known: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].disabled = is_known
        self.helper = FormHelper()
        self.helper.form_tag = False

    def clean_timezone(self) -> str:
        """An IANA name, or nothing."""
        name = self.cleaned_data["timezone"]
        return parse_timezone(name) if name else ""

    def values(self) -> dict[str, Any]:
        """Return what the services take; the code of a known shop is left out."""
        data = dict(self.cleaned_data)
        calendar = data.pop("calendar")
        if self.fields["code"].disabled:
            del data["code"]
        return data | {"calendar_id": calendar.pk if calendar else None}
