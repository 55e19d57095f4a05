"""What members can have for points, and checking vouchers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from common.errors import NotFound
from common.forms import DecimalField, InstantField, LineField
from crm.selectors.orders import get_order
from loyalty.forms.fields import SELECT, FromNowField, ProductField, local_minute
from loyalty.models import Programme, Reward, Tier
from loyalty.selectors.vouchers import clean_code
from loyalty.services.rewards import BESIDES, MOST, NEEDED

Kind = Reward.Kind
MONEY: dict[str, Any] = {"decimal_places": 4, "max_digits": 15, "min_value": 0, "max_value": MOST}
COUNT: dict[str, Any] = {"min_value": 1, "max_value": MOST}
ALWAYS = ("name", "points", "per_member", "tier_id", "starts_at", "ends_at", "voucher_days")


class RewardForm(forms.Form):
    """Adds or changes a reward of one kind; names of fields are those that services refuse by."""

    name = LineField(label=pgettext_lazy("of a thing", "Name"), max_length=255)
    points = forms.IntegerField(label=gettext_lazy("Costs so many points"), **COUNT)
    value = DecimalField(label=gettext_lazy("Money off"), **MONEY)
    percent = forms.IntegerField(label=gettext_lazy("Per cent off"), min_value=1, max_value=100)
    product_id = ProductField(
        label=gettext_lazy("Product"), help_text=gettext_lazy("SKU, or the whole name.")
    )
    minimum_amount = DecimalField(label=gettext_lazy("For a purchase of at least"), **MONEY)
    maximum_points = forms.IntegerField(label=gettext_lazy("At most so many points"), **COUNT)
    maximum_percent = forms.IntegerField(
        label=gettext_lazy("At most so much of the purchase (%)"), min_value=1, max_value=100
    )
    stock = forms.IntegerField(
        label=gettext_lazy("How many are left"),
        min_value=0,
        max_value=MOST,
        help_text=gettext_lazy("Empty: without end."),
    )
    per_member = forms.IntegerField(
        label=gettext_lazy("At most for each member"),
        help_text=gettext_lazy("Empty: as many as the points are good for."),
        **COUNT,
    )
    tier_id = forms.ModelChoiceField(
        Tier.objects.none(),
        to_field_name="ref",
        label=gettext_lazy("From this tier on"),
        empty_label=gettext_lazy("Every member"),
        widget=forms.Select(SELECT),
    )
    starts_at = FromNowField(label=gettext_lazy("Offered from"))
    ends_at = InstantField(
        label=gettext_lazy("Until"), help_text=gettext_lazy("Empty: without end.")
    )
    voucher_days = forms.IntegerField(
        label=gettext_lazy("A voucher is good for (days)"), min_value=1, max_value=3_650, initial=30
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        kind: str,
        programme: Programme,
        reward: Reward | None = None,
    ) -> None:
        super().__init__(data, auto_id="reward-%s")
        self.kind = kind
        has = {*ALWAYS, *NEEDED[kind], *BESIDES[kind]}
        needs = {"name", "points", "voucher_days", *NEEDED[kind]}
        for name in list(self.fields):
            if name not in has:
                del self.fields[name]
            else:
                self.fields[name].required = name in needs
        if kind == Kind.PART_PAYMENT:
            del self.fields["voucher_days"]
            self.fields["points"].label = _("The fewest points")
            self.fields["value"].label = _("One point takes off")
        self.fields["tier_id"].queryset = programme.tiers.order_by("rank")  # type: ignore[attr-defined]
        if reward is not None:
            self.initial = _initial(reward)

    def content(self) -> dict[str, Any]:
        """Return what services take."""
        content = dict(self.cleaned_data)
        tier = content.pop("tier_id")
        return content | {"tier_id": tier.pk if tier else None}


class VoucherForm(forms.Form):
    """A voucher as it is shown at the till."""

    code = LineField(label=gettext_lazy("Voucher code"), max_length=40)
    amount = DecimalField(
        label=gettext_lazy("Amount of the purchase"),
        required=False,
        decimal_places=2,
        max_digits=15,
        min_value=0,
        help_text=gettext_lazy("Needed where the voucher asks for a minimum."),
    )
    order = LineField(
        label=gettext_lazy("Purchase"),
        max_length=255,
        required=False,
        help_text=gettext_lazy("Its number, if it is recorded already."),
    )

    def clean_code(self) -> str:
        """The sixteen letters."""
        return clean_code(self.cleaned_data["code"])

    def clean_order(self) -> Any:
        """The purchase with this number, or None."""
        number = self.cleaned_data["order"]
        if not number:
            return None
        try:
            return get_order(number)
        except NotFound as error:
            raise ValidationError(_("There is no such purchase."), code="order") from error


def _initial(reward: Reward) -> dict[str, Any]:
    given: dict[str, Any] = {name: getattr(reward, name) for name in (*ALWAYS, "percent", "stock")}
    for name in ("value", "minimum_amount"):
        amount = getattr(reward, name)
        given[name] = f"{amount.normalize():f}" if amount is not None else None
    return given | {
        "maximum_points": reward.maximum_points,
        "maximum_percent": reward.maximum_percent,
        "product_id": reward.product.sku if reward.product else "",
        "tier_id": reward.tier.ref if reward.tier else None,
        "starts_at": local_minute(reward.starts_at),
        "ends_at": local_minute(reward.ends_at),
    }
