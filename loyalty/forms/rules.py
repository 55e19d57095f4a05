"""A way to earn points: only what fits its kind, and for which purchases and people it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _

from common.forms import DecimalField
from crm.models import Product
from crm.selectors.audiences import list_audiences
from crm.selectors.lists import list_locations
from crm.selectors.sales import find_products
from loyalty.forms.fields import ListField
from loyalty.forms.rule_fields import (
    CAPS,
    GOODS,
    LABELS,
    MORE,
    PRODUCT_FIELDS,
    WHEN,
    WHERE,
    WHO,
    RuleFields,
)
from loyalty.forms.rule_values import plain_value, values_of
from loyalty.models import EarningRule, Programme, RuleVersion
from loyalty.selectors.choices import list_categories, products_with
from loyalty.selectors.rule_words import Names
from loyalty.selectors.terms import PURCHASE_KINDS
from loyalty.services.rule_content import BONUS, LATER, NEEDS, OF_PURCHASES, POSITIONS, ROUNDED

Kind = EarningRule.Kind


class RuleForm(RuleFields):
    """Adds or changes a rule of one kind."""

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
            self.initial = values_of(version)

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
                conditions[name] = plain_value(value)
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
