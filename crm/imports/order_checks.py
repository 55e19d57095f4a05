"""Checking rows of orders in chunks: a line or an amount, and what a line comes to."""

from __future__ import annotations

from django.utils.translation import gettext as _

from common.money import LARGEST, UNITS_PER_ONE, to_units
from crm.imports.columns import Bad
from crm.imports.kinds import Checked

MOST = to_units(LARGEST)
OF_LINES = ("sku", "quantity", "unit_price")


def line_amount(quantity: int, price: int, discount: int = 0) -> int:
    """Quantity × price − discount in 1/10,000 units, half to even, as ``services.line_amount``."""
    exact = quantity * price - discount * UNITS_PER_ONE
    return (exact + 4_999 + (exact // UNITS_PER_ONE & 1)) // UNITS_PER_ONE


def line_amounts(checked: Checked) -> list[int]:
    """Return what each row comes to, where all of them are good lines."""
    columns = checked.columns
    quantities, prices = columns["quantity"], columns["unit_price"]
    exact = map(int.__mul__, quantities, prices)
    if "discount" in columns:
        discounts = [(amount or 0) * UNITS_PER_ONE for amount in columns["discount"]]
        exact = map(int.__sub__, exact, discounts)
    amounts = [(value + 4_999 + (value // UNITS_PER_ONE & 1)) // UNITS_PER_ONE for value in exact]
    if max(amounts) > MOST or min(amounts) < -MOST:
        for place, amount in enumerate(amounts):
            if abs(amount) > MOST:
                checked.spoil("quantity", place, _("The line's amount is too large."))
    return amounts


def careful_amounts(checked: Checked) -> None:
    """The same for chunks in which something is bad or some rows are amounts."""
    columns = checked.columns
    nothing = [None] * len(checked.lines)
    given = columns.get("amount", nothing)
    discounts = columns.get("discount", nothing)
    amounts = list(given)
    for place, sku in enumerate(columns["product_id"]):
        if sku is None or isinstance(sku, Bad) or isinstance(amounts[place], Bad):
            continue
        quantity, price = columns["quantity"][place], columns["unit_price"][place]
        discount = discounts[place] or 0
        if all(isinstance(value, int) for value in (quantity, price, discount)):
            amounts[place] = line_amount(quantity, price, discount)
            if abs(amounts[place]) > MOST:
                checked.spoil("quantity", place, _("The line's amount is too large."))
    columns["amount"] = amounts


def check_each(checked: Checked) -> None:
    """Where rows may be lines or amounts: each must be exactly one of them."""
    columns = checked.columns
    nothing = [None] * len(checked.lines)
    amounts = columns.get("amount", nothing)
    for place, sku in enumerate(columns.get("sku", nothing)):
        if sku is None:
            if amounts[place] is None:
                name = "amount" if "amount" in columns else "sku"
                checked.spoil(name, place, _("Fill this in."))
            continue
        if amounts[place] is not None:
            checked.spoil("amount", place, _("Give a product or an amount, not both."))
        for name in OF_LINES[1:]:
            if name not in columns:
                columns[name] = list(nothing)
            if columns[name][place] is None:
                checked.spoil(name, place, _("Fill this in."))


def check_times(checked: Checked) -> None:
    """Refuse rows delivered before they were ordered."""
    ordered, delivered = checked.columns["ordered_at"], checked.columns["delivered_at"]
    for place, moment in enumerate(delivered):
        if isinstance(moment, str) and isinstance(ordered[place], str) and moment < ordered[place]:
            checked.spoil("delivered_at", place, _("Delivery can't be before the order."))
