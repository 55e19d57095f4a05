"""The form of a quick sale."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.forms import DecimalField, InstantField, LineField
from common.time import now
from crm.forms.fields import CustomerField, location_field
from crm.models import Order
from crm.selectors.catalogue import products_by_sku
from crm.services import NewLine

LINES = 5


class PurchaseForm(forms.Form):
    """Who bought, when and where; what they bought stands in lines beside it, or as an amount."""

    customer = CustomerField()
    ordered_at = InstantField(label=_("When"))
    location = location_field()
    channel = LineField(label=_("Channel"), max_length=40, required=False)
    external_id = LineField(label=_("Receipt number"), max_length=64, required=False)
    amount = DecimalField(
        label=_("Amount"),
        max_digits=15,
        decimal_places=4,
        min_value=0,
        required=False,
        help_text=_("Only if you give no lines."),
    )

    def __init__(self, *args: Any, is_known: bool = False, **kwargs: Any) -> None:
        """is_known: it corrects a purchase, whose number stays."""
        super().__init__(*args, **kwargs)
        if is_known:
            del self.fields["external_id"]
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(
            Row(
                Column("customer", css_class="col-md-6"), Column("ordered_at", css_class="col-md-6")
            ),
            Row(
                Column("location", css_class="col-md-4"),
                Column("channel", css_class="col-md-4"),
                *([] if is_known else [Column("external_id", css_class="col-md-4")]),
            ),
        )
        self.amount_helper = FormHelper()
        self.amount_helper.form_tag = False
        self.amount_helper.layout = Layout(Row(Column("amount", css_class="col-md-6")))

    def clean_ordered_at(self) -> Any:
        """Refuse the future."""
        moment = self.cleaned_data["ordered_at"]
        if moment > now():
            raise ValidationError(_("This time has not come yet."))
        return moment


class LineForm(forms.Form):
    """One line; an empty one is left out."""

    sku = LineField(label=_("SKU"), max_length=64, required=False)
    quantity = DecimalField(
        label=_("Quantity"), max_digits=15, decimal_places=4, min_value=0, required=False
    )
    unit_price = DecimalField(
        label=_("Price"), max_digits=15, decimal_places=4, min_value=0, required=False
    )
    discount = DecimalField(
        label=_("Discount"), max_digits=15, decimal_places=4, min_value=0, required=False
    )

    def clean(self) -> dict[str, Any]:
        """A line needs a product."""
        data = super().clean() or {}
        numbers = ("quantity", "unit_price", "discount")
        given = any(data.get(name) is not None for name in numbers)
        if given and not data.get("sku") and "sku" not in self.errors:
            self.add_error("sku", _("Give the SKU."))
        return data


if TYPE_CHECKING:
    FormSet = forms.BaseFormSet[LineForm]
else:
    FormSet = forms.BaseFormSet


class BaseLineFormSet(FormSet):
    """The lines of a purchase."""

    new_lines: Sequence[NewLine] = ()
    known_costs: dict[int, Decimal | None] | None = None  # product → what its line cost before

    def clean(self) -> None:
        """Find the products and their prices; one query."""
        if any(self.errors):
            return
        filled = [form for form in self.forms if form.cleaned_data.get("sku")]
        products = products_by_sku({form.cleaned_data["sku"] for form in filled})
        costs = self.known_costs or {}
        lines = []
        for form in filled:
            data = form.cleaned_data
            product = products.get(data["sku"])
            if product is None:
                form.add_error("sku", _("No product has this SKU."))
                continue
            price = product.price if data["unit_price"] is None else data["unit_price"]
            if price is None:
                form.add_error("unit_price", _("This product has no price of its own; give one."))
                continue
            lines.append(
                NewLine(
                    product_id=product.pk,
                    quantity=Decimal(1) if data["quantity"] is None else data["quantity"],
                    unit_price=price,
                    discount=data["discount"] or Decimal(0),
                    unit_cost=costs.get(product.pk, product.cost),
                )
            )
        self.new_lines = lines


MOST_LINES = 200

# Correcting shows the lines there are and a few empty ones.
CorrectionFormSet: type[BaseLineFormSet] = forms.formset_factory(
    LineForm, formset=BaseLineFormSet, extra=3, max_num=MOST_LINES, absolute_max=MOST_LINES
)  # type: ignore[assignment]

LineFormSet: type[BaseLineFormSet] = forms.formset_factory(
    LineForm, formset=BaseLineFormSet, extra=LINES, max_num=LINES, absolute_max=LINES
)  # type: ignore[assignment]


class StatusForm(forms.Form):
    """Delivers or cancels a purchase."""

    status = forms.ChoiceField(
        choices=[(status.value, status.label) for status in Order.Status if status != "placed"]
    )
