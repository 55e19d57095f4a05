"""A way to earn points: only what fits its kind, and for which purchases and people it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import dates
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from common.forms import DecimalField, LineField
from crm.forms.fields import DateField
from crm.models import Audience, Location, Product
from crm.selectors.audiences import list_audiences
from crm.selectors.lists import list_locations
from crm.selectors.sales import find_products
from loyalty.forms.fields import BOXES, CHECKS, SELECT, FromNowField, ListField
from loyalty.models import EarningRule, Programme, RuleVersion, Tier
from loyalty.selectors.choices import list_categories, products_with
from loyalty.selectors.conditions import MOST_POINTS as MOST_CAPPED
from loyalty.selectors.conditions import Caps, CapWindow, Conditions
from loyalty.selectors.rule_words import Names
from loyalty.selectors.terms import PURCHASE_KINDS
from loyalty.services.rules import (
    BONUS,
    LAST_POSITION,
    LATER,
    NEEDS,
    OF_PURCHASES,
    POSITIONS,
    ROUNDED,
)

Kind = EarningRule.Kind
CAPS = ("per_order", "per_day", "per_member", "window")
# Sections of the form below what the rule pays; all of them may stay empty.
GOODS = ("products", "categories", "product_kinds", "excluded_products", "excluded_categories")
WHERE = ("locations", "channels", "minimum_amount")
WHO = ("tiers", "audience")
WHEN = ("weekdays", "starts_on", "ends_on", "from_time", "until_time", "seasons")
MORE = ("rounding", "per", "is_exclusive", "position", "holdout_percent")
PRODUCT_FIELDS = ("products", "excluded_products")
LABELS = {
    "points": gettext_lazy("Points"),
    "per_amount": gettext_lazy("for each amount of"),
    "factor": gettext_lazy("Times the points"),
    "nth": gettext_lazy("Every n-th purchase; n is"),
    "friend_points": gettext_lazy("Points for the friend"),
}


class RuleForm(forms.Form):
    """Adds or changes a rule of one kind; names of fields are those that services refuse by."""

    name = LineField(label=pgettext_lazy("of a thing", "Name"), max_length=255)
    products = forms.ModelMultipleChoiceField(
        Product.objects.all(), to_field_name="ref", required=False, label=gettext_lazy("Products")
    )
    categories = forms.MultipleChoiceField(
        required=False, label=gettext_lazy("Categories"), widget=BOXES
    )
    product_kinds = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Kinds of product"),
        choices=Product.Kind.choices,
        widget=BOXES,
    )
    excluded_products = forms.ModelMultipleChoiceField(
        Product.objects.all(),
        to_field_name="ref",
        required=False,
        label=gettext_lazy("Not these products"),
    )
    excluded_categories = forms.MultipleChoiceField(
        required=False, label=gettext_lazy("Not these categories"), widget=BOXES
    )
    locations = forms.ModelMultipleChoiceField(
        Location.objects.none(),
        required=False,
        to_field_name="code",
        label=gettext_lazy("Shops"),
        widget=BOXES,
    )
    channels = ListField(
        label=gettext_lazy("Purchases made by"),
        help_text=gettext_lazy("For instance online, shop. Empty: any way."),
    )
    minimum_amount = DecimalField(
        label=gettext_lazy("What counts comes to at least"),
        required=False,
        min_value=0,
        max_digits=15,
        decimal_places=4,
    )
    tiers = forms.ModelMultipleChoiceField(
        Tier.objects.none(),
        required=False,
        to_field_name="ref",
        label=gettext_lazy("Tiers"),
        widget=BOXES,
    )
    audience = forms.ModelChoiceField(
        Audience.objects.none(),
        required=False,
        to_field_name="ref",
        label=gettext_lazy("Group of customers"),
        empty_label=gettext_lazy("Every member"),
        widget=forms.Select(SELECT),
    )
    weekdays = forms.TypedMultipleChoiceField(
        required=False,
        coerce=int,
        label=gettext_lazy("Days of the week"),
        choices=[(day + 1, name) for day, name in dates.WEEKDAYS.items()],
        widget=BOXES,
    )
    starts_on = DateField(label=gettext_lazy("First day"), required=False)
    ends_on = DateField(label=gettext_lazy("Last day"), required=False)
    from_time = forms.CharField(
        label=gettext_lazy("From (time)"),
        required=False,
        widget=forms.TextInput({"type": "time"}),
    )
    until_time = forms.CharField(
        label=gettext_lazy("Until (time)"),
        required=False,
        widget=forms.TextInput({"type": "time"}),
    )
    per_order = forms.IntegerField(
        label=gettext_lazy("At most for a purchase"),
        required=False,
        min_value=1,
        max_value=MOST_CAPPED,
    )
    per_day = forms.IntegerField(
        label=gettext_lazy("At most a day"), required=False, min_value=1, max_value=MOST_CAPPED
    )
    per_member = forms.IntegerField(
        label=gettext_lazy("At most for each member"),
        required=False,
        min_value=1,
        max_value=MOST_CAPPED,
    )
    window = forms.ChoiceField(
        label=gettext_lazy("within"),
        required=False,
        choices=[("", gettext_lazy("all time")), *CapWindow.choices],
        widget=forms.Select(SELECT),
    )
    rounding = forms.ChoiceField(
        label=gettext_lazy("Rounded"),
        choices=RuleVersion.Rounding.choices,
        initial=RuleVersion.Rounding.DOWN,
        widget=forms.Select(SELECT),
    )
    per = forms.ChoiceField(
        label=gettext_lazy("Rounded for"),
        choices=RuleVersion.Per.choices,
        initial=RuleVersion.Per.ORDER,
        widget=forms.Select(SELECT),
    )
    is_exclusive = forms.BooleanField(
        label=gettext_lazy("If it pays, nothing is added after it"),
        required=False,
        widget=forms.CheckboxInput(CHECKS),
    )
    position = forms.IntegerField(
        label=gettext_lazy("Place in the order"),
        min_value=0,
        max_value=LAST_POSITION,
        help_text=gettext_lazy("Rules with a smaller number are reckoned first."),
    )
    holdout_percent = forms.IntegerField(
        label=gettext_lazy("Comparison group (%)"),
        min_value=0,
        max_value=90,
        initial=0,
        help_text=gettext_lazy(
            "So many members in a hundred don't get it, so that you see what it does."
        ),
    )
    valid_from = FromNowField(
        label=gettext_lazy("For purchases from"),
        help_text=gettext_lazy("Empty: from now on. What was earned before stays as it is."),
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        kind: str,
        programme: Programme,
        version: RuleVersion | None = None,
    ) -> None:
        """version: the latest of the rule that is changed; without one a rule is added."""
        self.kind, self.programme, self.version = kind, programme, version
        self.is_for_purchases = kind in PURCHASE_KINDS
        super().__init__(data, auto_id="rule-%s")
        self.posted = QueryDict() if data is None else data
        self._choices()
        self._amounts()
        if not self.is_for_purchases:
            for name in (*OF_PURCHASES, "per_order"):
                del self.fields[name]
            self.fields["valid_from"].label = _("From")
        if kind not in ROUNDED:
            del self.fields["rounding"], self.fields["per"]
        self.fields["position"].initial = POSITIONS.get(Kind(kind), LATER)
        if version is not None:
            self.initial = self._from_version(version)

    def sections(self) -> list[dict[str, Any]]:
        """Return the parts below what the rule pays; unset: what is said if nothing is."""
        parts = [
            ("goods", _("Which products"), _("all"), GOODS),
            ("where", _("Which purchases"), _("all"), WHERE),
            ("who", _("Which members"), _("all"), WHO),
            ("when", _("When"), _("always"), WHEN),
            ("caps", _("At most"), _("no limit"), CAPS),
            ("more", _("Rounding, order, comparison"), "", MORE),
        ]
        return [
            {
                "key": key,
                "label": label,
                "unset": unset,
                "fields": fields,
                "is_open": key != "more" and self._is_set(names),
                "is_set": self._is_set(names),
            }
            for key, label, unset, names in parts
            if (fields := [self[name] for name in names if name in self.fields])
        ]

    def head_fields(self) -> list[forms.BoundField]:
        """Return what a rule of this kind pays."""
        return [self[name] for name in NEEDS.get(self.kind, BONUS)]

    def chosen(self, name: str) -> list[Product]:
        """Return the products that are ticked."""
        if self.is_bound:
            return products_with(refs=self.posted.getlist(name))
        return products_with(refs=[str(ref) for ref in self.initial.get(name, ())])

    def product_boxes(self) -> dict[str, dict[str, Any]]:
        """Return by field: the ticked products, and those found by what was typed to find them."""
        boxes = {}
        for name in PRODUCT_FIELDS:
            if name in self.fields:
                chosen = self.chosen(name)
                text = str(self.posted.get(f"q_{name}", ""))[:200]
                found = [one for one in find_products(text) if one not in chosen]
                boxes[name] = {"chosen": chosen, "found": found, "asked": text}
        return boxes

    def content(self) -> dict[str, Any]:
        """Return what services take, without name and start; ids instead of things."""
        data = self.cleaned_data
        content = {
            name: data[name]
            for name in (*NEEDS.get(self.kind, BONUS), *MORE)
            if name in self.fields
        }
        conditions: dict[str, Any] = {}
        for name in (*GOODS, *WHERE, *WHO, *WHEN):
            if name in self.fields and (value := data.get(name)):
                conditions[name] = _plain(value)
        caps = {name: data[name] for name in CAPS if data.get(name)}
        return content | {"conditions": conditions, "caps": caps}

    def names(self) -> Names:
        """Return what is chosen is called, without asking the database again."""
        data = self.cleaned_data
        products = [*data.get("products", ()), *data.get("excluded_products", ())]
        audience = data.get("audience")
        return Names(
            products={one.pk: str(one) for one in products},
            tiers={one.pk: str(one) for one in data.get("tiers", ())},
            locations={one.pk: str(one) for one in data.get("locations", ())},
            audiences={audience.pk: str(audience)} if audience else {},
        )

    def clean_seasons(self) -> list[tuple[str, str]]:
        """Days of every year as pairs."""
        return list(self.cleaned_data["seasons"])

    def _choices(self) -> None:
        self.fields["seasons"] = ListField(
            one=_season,
            label=_("Every year"),
            help_text=_("Such as 12-20/01-06, month and day, both days included."),
        )
        categories = [(name, name) for name in list_categories()]
        chosen: Sequence[str] = ()
        if self.version is not None:  # a category may have lost its last product
            given = self.version.conditions
            chosen = [*given.get("categories", ()), *given.get("excluded_categories", ())]
        known = dict(categories)
        categories += [(name, name) for name in dict.fromkeys(chosen) if name not in known]
        for name in ("categories", "excluded_categories"):
            self.fields[name].choices = categories  # type: ignore[attr-defined]
        for name, rows in (
            ("tiers", self.programme.tiers.order_by("rank")),
            ("locations", list_locations()),
            ("audience", list_audiences()),
        ):
            self.fields[name].queryset = rows  # type: ignore[attr-defined]

    def _amounts(self) -> None:
        for name, (lowest, highest) in NEEDS.get(self.kind, BONUS).items():
            options: dict[str, Any] = {
                "label": LABELS[name],
                "min_value": lowest,
                "max_value": highest,
            }
            if name in ("per_amount", "factor"):
                self.fields[name] = DecimalField(decimal_places=4, max_digits=15, **options)
            else:
                self.fields[name] = forms.IntegerField(**options)
        if self.kind == Kind.AMOUNT:
            self.fields["points"].initial = self.fields["per_amount"].initial = 1

    def _from_version(self, version: RuleVersion) -> dict[str, Any]:
        conditions = Conditions.parse(version.conditions)
        caps = Caps.parse(version.caps)
        chosen = products_with(ids=[*conditions.products, *conditions.excluded_products])
        refs = {one.pk: one.ref for one in chosen}
        initial: dict[str, Any] = {"name": version.rule.name}
        for name in (*LABELS, *MORE):
            value = getattr(version, name)
            is_exact = name in ("per_amount", "factor") and value is not None
            initial[name] = f"{value.normalize():f}" if is_exact else value
        for name in (*GOODS, *WHERE, *WHO, *WHEN):
            initial[name] = getattr(conditions, name)
        for name in PRODUCT_FIELDS:
            initial[name] = [refs[pk] for pk in initial[name] if pk in refs]
        initial["tiers"] = list(
            Tier.objects.filter(pk__in=conditions.tiers).values_list("ref", flat=True)
            if conditions.tiers
            else ()
        )
        initial["locations"] = list(
            Location.objects.filter(pk__in=conditions.locations).values_list("code", flat=True)
            if conditions.locations
            else ()
        )
        if conditions.audience is not None:
            found = Audience.objects.filter(pk=conditions.audience).first()
            initial["audience"] = found.ref if found else None
        if conditions.minimum_amount is not None:
            initial["minimum_amount"] = f"{conditions.minimum_amount.normalize():f}"
        for name in ("from_time", "until_time"):
            initial[name] = f"{initial[name]:%H:%M}" if initial[name] is not None else ""
        initial["seasons"] = [
            "/".join(f"{month:02}-{day:02}" for month, day in season)
            for season in conditions.seasons
        ]
        return initial | {name: getattr(caps, name) for name in CAPS}

    def _is_set(self, names: Sequence[str]) -> bool:
        if self.is_bound:
            looked_for = [f"q_{name}" for name in names]
            return any(
                self.data.get(name) or self.errors.get(name) for name in [*names, *looked_for]
            )
        return any(self.initial.get(name) for name in names)


def _season(text: str) -> tuple[str, str]:
    """Return first and last day of ``12-20/01-06`` or ``02-14``."""
    days = [part.strip() for part in text.replace("–", "/").split("/")]
    if len(days) > 2:
        raise ValidationError(_("Give the first and the last day."), code="season")
    return days[0], days[-1]


def _plain(value: Any) -> Any:
    """Return a cleaned value as conditions are written: ids, texts and numbers."""
    if isinstance(value, Audience):
        return value.pk
    if hasattr(value, "model"):
        return [one.pk for one in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, list):
        return [list(one) if isinstance(one, tuple) else one for one in value]
    return value
