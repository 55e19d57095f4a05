"""Forms of money given back, money spent, and what foreign money is worth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Layout, Row
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.forms import DecimalField, InstantField, LineField
from common.time import Period, local_date, now, organisation_timezone
from common.validators import parse_currency
from crm.forms.fields import DateField, location_field
from crm.forms.filters import SELECT, FilterForm
from crm.models import Cost, OrderLine
from crm.selectors.costs import cost_years
from crm.selectors.rates import rate_currencies
from crm.selectors.refunds import GivenBack
from crm.services.refunds import LineBack

MONEY: dict[str, Any] = {"max_digits": 15, "decimal_places": 4, "min_value": 0}


def local_now() -> str:
    """Return the present minute as a form shows it."""
    return now().astimezone(organisation_timezone()).strftime("%Y-%m-%dT%H:%M")


def past_instant(moment: Any) -> Any:
    """Return an instant that has come already; refuse the future."""
    if moment is not None and moment > now():
        raise ValidationError(_("This time has not come yet."))
    return moment


class RefundForm(forms.Form):
    """What to give back: everything that is left, some lines, or an amount."""

    how = forms.ChoiceField(
        label=_("Give back"),
        choices=[
            ("rest", _("Everything that is left")),
            ("lines", _("Some of the goods")),
            ("amount", _("An amount")),
        ],
        initial="rest",
        widget=forms.RadioSelect({"class": "form-check-input"}),
    )
    amount = DecimalField(label=_("Amount"), required=False, **MONEY)
    refunded_at = InstantField(label=_("When"))
    reason = LineField(label=_("Reason"), max_length=255, required=False)

    def __init__(
        self, *args: Any, lines: Sequence[OrderLine], given: dict[int, GivenBack], **kwargs: Any
    ) -> None:
        """given: line id → what was given back for it before."""
        super().__init__(*args, **kwargs)
        self.fields["refunded_at"].initial = local_now()
        self.lines = [(line, _left(line, given)) for line in lines if _left(line, given) > 0]
        how: Any = self.fields["how"]
        if not self.lines:
            how.choices = [choice for choice in how.choices if choice[0] != "lines"]
        for line, left in self.lines:
            self.fields[f"quantity_{line.pk}"] = DecimalField(
                label=str(line.product),
                required=False,
                max_digits=15,
                decimal_places=4,
                min_value=0,
                max_value=left,
            )

    def quantity_fields(self) -> list[dict[str, Any]]:
        """Return each line that can come back, what is left of it, and its field."""
        return [
            {"line": line, "left": left, "field": self[f"quantity_{line.pk}"]}
            for line, left in self.lines
        ]

    def clean_refunded_at(self) -> Any:
        """Refuse the future."""
        return past_instant(self.cleaned_data["refunded_at"])

    def clean(self) -> dict[str, Any]:
        """What was chosen must be filled in."""
        data = super().clean() or {}
        if data.get("how") == "amount" and data.get("amount") is None and not self.errors:
            self.add_error("amount", _("Give the amount."))
        if data.get("how") == "lines" and not self.errors and not self._backs():
            self.add_error(None, _("Say how many of which goods come back."))
        return data

    def values(self) -> dict[str, Any]:
        """Return what the service takes."""
        data = self.cleaned_data
        return {
            "refunded_at": data["refunded_at"],
            "reason": data["reason"],
            "amount": data["amount"] if data["how"] == "amount" else None,
            "lines": self._backs() if data["how"] == "lines" else [],
        }

    def _backs(self) -> list[LineBack]:
        return [
            LineBack(line_id=line.pk, quantity=quantity)
            for line, _left in self.lines
            if (quantity := self.cleaned_data.get(f"quantity_{line.pk}"))
        ]


def _left(line: OrderLine, given: dict[int, GivenBack]) -> Decimal:
    return line.quantity - (given[line.pk].quantity if line.pk in given else 0)


class RefundCorrectionForm(forms.Form):
    """What a refund really was."""

    amount = DecimalField(
        label=_("Amount"), help_text=_("0 takes the refund back."), required=True, **MONEY
    )
    refunded_at = InstantField(label=_("When"))
    reason = LineField(label=_("Reason"), max_length=255, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.form_tag = False

    def clean_refunded_at(self) -> Any:
        """Refuse the future."""
        return past_instant(self.cleaned_data["refunded_at"])


class RefundFilterForm(FilterForm):
    """Shop."""

    shop = location_field(empty_label=_("Every shop"), widget=forms.Select(SELECT))


class RateForm(forms.Form):
    """What one unit of foreign money was worth on a day."""

    currency = LineField(label=_("Currency"), max_length=3)
    date = DateField(label=_("Date"))
    rate = DecimalField(label=_("Rate"), max_digits=18, decimal_places=8, min_value=0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["date"].initial = local_date(now())
        self.fields["rate"].help_text = _("How many %(currency)s one unit was worth.") % {
            "currency": settings.KEEPWELL_CURRENCY
        }
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(
            Row(
                Column("currency", css_class="col-md-4"),
                Column("date", css_class="col-md-4"),
                Column("rate", css_class="col-md-4"),
            )
        )

    def clean_currency(self) -> str:
        """The code in capitals."""
        return parse_currency(self.cleaned_data["currency"])

    def clean_date(self) -> Any:
        """Refuse the future."""
        day = self.cleaned_data["date"]
        if day > local_date(now()):
            raise ValidationError(_("This day has not come yet."))
        return day


def _currency_choices() -> list[tuple[str, Any]]:
    return [("", _("Every currency")), *((code, code) for code in rate_currencies())]


def _year_choices() -> list[tuple[str, str]]:
    return [(str(year), str(year)) for year in cost_years()]


class RateFilterForm(FilterForm):
    """Currency."""

    currency = forms.ChoiceField(
        label=_("Currency"),
        choices=_currency_choices,
        required=False,
        widget=forms.Select(SELECT),
    )


class MonthField(forms.CharField):
    """A month such as 2026-05, returned as its first day."""

    widget = forms.TextInput(attrs={"type": "month", "placeholder": "2026-05"})

    def to_python(self, value: Any) -> date | None:  # type: ignore[override]
        """The first day, or None."""
        if value in self.empty_values:
            return None
        period = Period.parse(str(value).strip())
        if period.unit != "month":
            raise ValidationError(_("Enter a month such as 2026-05."))
        return period.first_day


class CostForm(forms.Form):
    """What a month cost in one category."""

    month = MonthField(label=_("Month"))
    category = forms.ChoiceField(
        label=_("Category"),
        choices=Cost.Category.choices,
        help_text=_("Marketing wins customers; service keeps them."),
    )
    location = location_field(empty_label=_("No single shop"))
    amount = DecimalField(
        label=_("Amount"), help_text=_("0 takes back what was recorded."), **MONEY
    )
    currency = LineField(label=_("Currency"), max_length=3)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].initial = settings.KEEPWELL_CURRENCY
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.layout = Layout(
            Row(
                Column("month", css_class="col-md-4"),
                Column("category", css_class="col-md-4"),
                Column("location", css_class="col-md-4"),
            ),
            Row(Column("amount", css_class="col-md-6"), Column("currency", css_class="col-md-6")),
        )

    def clean_month(self) -> Any:
        """Refuse a month that has not begun."""
        month = self.cleaned_data["month"]
        if month > local_date(now()):
            raise ValidationError(_("This month has not begun yet."))
        return month

    def clean_currency(self) -> str:
        """The code in capitals."""
        return parse_currency(self.cleaned_data["currency"])

    def values(self) -> dict[str, Any]:
        """Return what the service takes."""
        data = dict(self.cleaned_data)
        location = data.pop("location")
        return data | {"location_id": location.pk if location else None}


class CostFilterForm(FilterForm):
    """Year and shop."""

    year = forms.ChoiceField(
        label=_("Year"), choices=_year_choices, required=False, widget=forms.Select(SELECT)
    )
    shop = location_field(empty_label=_("Every shop"), widget=forms.Select(SELECT))
