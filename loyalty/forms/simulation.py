"""A purchase to try the rules on: invented, or one that was made."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import NotFound
from common.forms import DecimalField, InstantField, LineField
from crm.forms.fields import CustomerField, location_field
from crm.selectors.orders import get_order
from loyalty.forms.fields import SELECT, ProductField
from loyalty.selectors.simulation import InventedLine

ROWS = 4


class SimulationForm(forms.Form):
    """Goods or an amount, a customer, a shop and a time; or a purchase that was made."""

    order = LineField(
        label=gettext_lazy("A purchase that was made"),
        max_length=255,
        required=False,
        help_text=gettext_lazy("Its number. Empty: the purchase invented above."),
    )
    amount = DecimalField(
        label=gettext_lazy("Amount"),
        required=False,
        min_value=0,
        max_digits=15,
        decimal_places=2,
        help_text=gettext_lazy("Only without goods."),
    )
    at = InstantField(
        label=gettext_lazy("When"), required=False, help_text=gettext_lazy("Empty: now.")
    )
    location = location_field(widget=forms.Select(SELECT))
    channel = LineField(label=gettext_lazy("Made by"), max_length=40, required=False)

    def __init__(self, data: QueryDict | None) -> None:
        super().__init__(data, auto_id="sim-%s")
        customer = CustomerField()
        customer.help_text = _("Number, email or phone; empty for somebody new.")
        self.fields["customer"] = customer
        for row in range(1, ROWS + 1):
            self.fields[f"product_{row}"] = ProductField(label=_("SKU"), required=False)
            self.fields[f"amount_{row}"] = DecimalField(
                label=_("Amount"), required=False, min_value=0, max_digits=15, decimal_places=2
            )

    def rows(self) -> list[dict[str, Any]]:
        """Return the fields of each line of the basket."""
        return [
            {"product": self[f"product_{row}"], "amount": self[f"amount_{row}"]}
            for row in range(1, ROWS + 1)
        ]

    def clean_order(self) -> Any:
        """The purchase with this number, or None."""
        number = self.cleaned_data["order"]
        if not number:
            return None
        try:
            return get_order(number)
        except NotFound as error:
            raise ValidationError(_("There is no such purchase."), code="order") from error

    def clean(self) -> dict[str, Any]:
        """Each line needs both a product and an amount."""
        data = super().clean() or {}
        for row in range(1, ROWS + 1):
            product, amount = data.get(f"product_{row}"), data.get(f"amount_{row}")
            if product and amount is None and f"amount_{row}" not in self.errors:
                self.add_error(f"amount_{row}", _("Give the amount."))
            if amount is not None and not product and f"product_{row}" not in self.errors:
                self.add_error(f"product_{row}", _("Give the product."))
        return data

    def lines(self) -> list[InventedLine]:
        """Return the basket."""
        data = self.cleaned_data
        return [
            InventedLine(data[f"product_{row}"], data[f"amount_{row}"])
            for row in range(1, ROWS + 1)
            if data.get(f"product_{row}")
        ]
