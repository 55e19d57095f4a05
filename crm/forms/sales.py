"""The screen of a quick sale: one form whose buttons say what to do with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.forms import DecimalField, LineField
from common.money import CENT
from common.refs import new_ref
from common.validators import clean_email, clean_phone, parse_decimal
from crm.forms.fields import location_field
from crm.models import Product
from crm.selectors.catalogue import products_by_sku
from crm.services.order_lines import NewLine, line_amount
from crm.services.sales import Newcomer

MOST_LINES = 100
HIGHEST = Decimal(1_000_000)


class SaleForm(forms.Form):
    """Everything but the goods."""

    token = LineField(max_length=16, required=False, widget=forms.HiddenInput)
    customer = LineField(max_length=16, required=False, widget=forms.HiddenInput)
    newcomer = forms.BooleanField(required=False, widget=forms.HiddenInput)
    who = LineField(label=gettext_lazy("Customer"), max_length=254, required=False)
    name = LineField(label=gettext_lazy("Name"), max_length=255, required=False)
    q = LineField(label=gettext_lazy("Product"), max_length=200, required=False)
    discount = LineField(label=gettext_lazy("Discount"), max_length=20, required=False)
    amount = DecimalField(
        label=gettext_lazy("Amount"), max_digits=15, decimal_places=4, min_value=0, required=False
    )
    location = location_field()

    def clean_token(self) -> str:
        """The screen's own name; a new one for a new screen."""
        return self.cleaned_data["token"] or new_ref()

    def newcomer_of(self) -> Newcomer | None:
        """Return who is new, from what was typed: a phone, an address or a name."""
        if not self.cleaned_data.get("newcomer"):
            return None
        typed, name = self.cleaned_data["who"], self.cleaned_data["name"]
        for kind, clean in (("phone", clean_phone), ("email", clean_email)):
            try:
                return Newcomer(name=name, **{kind: clean(typed)})
            except ValidationError:
                continue
        return Newcomer(name=name or typed)


@dataclass(slots=True)
class BasketLine:
    """Goods in the basket, as typed. error: what is wrong with it."""

    sku: str
    product: Product | None = None
    quantity: str = "1"
    price: str = ""
    error: str = ""
    line: NewLine | None = None

    @property
    def amount(self) -> Decimal | None:
        """What it comes to; None while something is wrong."""
        if self.line is None:
            return None
        return line_amount(self.line.quantity, self.line.unit_price)


@dataclass(slots=True)
class Basket:
    """The goods of a sale."""

    lines: list[BasketLine] = field(default_factory=list)

    @classmethod
    def of(cls, data: QueryDict) -> Basket:
        """Read the basket from the form; one query."""
        rows = zip(
            data.getlist("sku")[:MOST_LINES],
            data.getlist("quantity")[:MOST_LINES],
            data.getlist("price")[:MOST_LINES],
            strict=False,
        )
        basket = cls(
            [BasketLine(sku[:64], None, quantity[:30], price[:30]) for sku, quantity, price in rows]
        )
        skus = {line.sku for line in basket.lines if line.sku.isprintable()}
        products = products_by_sku(skus) if skus else {}
        for line in basket.lines:
            line.product = products.get(line.sku)
        basket.check()
        return basket

    def add(self, product: Product) -> None:
        """Put one more of a product in."""
        for line in self.lines:
            if line.sku == product.sku:
                self.step(product.sku, 1)
                return
        is_ours = product.currency == settings.KEEPWELL_CURRENCY
        price = format(product.price, "f") if product.price is not None and is_ours else ""
        self.lines.append(BasketLine(product.sku, product, "1", price))
        self.check()

    def step(self, sku: str, by: int) -> None:
        """Take one more or one less of something; none left takes the line out."""
        for line in self.lines:
            if line.sku == sku:
                quantity = (line.line.quantity if line.line else Decimal(1)) + by
                line.quantity = format(quantity.normalize(), "f")
        self.lines = [
            line
            for line in self.lines
            if line.sku != sku or not (line.quantity.startswith("-") or line.quantity == "0")
        ]
        self.check()

    def remove(self, sku: str) -> None:
        """Take something out."""
        self.lines = [line for line in self.lines if line.sku != sku]

    def check(self) -> None:
        """Find what is wrong with each line."""
        for line in self.lines:
            line.error, line.line = "", None
            if line.product is None:
                line.error = _("No product has this SKU.")
                continue
            try:
                quantity = _number(line.quantity)
                price = _number(line.price) if line.price.strip() else None
            except ValidationError as error:
                line.error = " ".join(error.messages)
                continue
            if price is None:
                line.error = _("Give a price.")
                continue
            line.line = NewLine(
                product_id=line.product.pk,
                quantity=quantity,
                unit_price=price,
                unit_cost=line.product.cost,
            )

    @property
    def is_usable(self) -> bool:
        """Whether nothing is wrong with any line."""
        return all(line.line for line in self.lines)

    @property
    def total(self) -> Decimal:
        """What the usable lines come to."""
        return sum((line.amount or Decimal(0) for line in self.lines), Decimal(0))

    def new_lines(self) -> list[NewLine]:
        """Return what the service takes."""
        return [line.line for line in self.lines if line.line]


def read_discount(text: str, total: Decimal) -> Decimal:
    """Return a discount typed as an amount or as per cent of the total.

    :raises ValidationError: neither.
    """
    text = text.strip()
    if not text:
        return Decimal(0)
    if text.endswith("%"):
        share = parse_decimal(
            text.removesuffix("%").strip().replace(",", "."),
            highest=Decimal(100),
            lowest=Decimal(0),
        )
        return (total * share / 100).quantize(CENT)
    return _number(text)


def _number(text: str) -> Decimal:
    return parse_decimal(
        text.strip().replace(" ", "").replace("\u00a0", "").replace(",", "."),
        lowest=Decimal(0),
        highest=HIGHEST,
    )
