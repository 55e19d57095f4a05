"""What a rule may say: what each kind needs, in which range, and for whom it counts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from crm.models import Audience, Location, Product
from loyalty.models import EarningRule, RuleVersion, Tier
from loyalty.selectors.conditions import Caps, Conditions
from loyalty.selectors.terms import PURCHASE_KINDS

Kind = EarningRule.Kind
MOST_POINTS = 10_000  # for each amount
MOST_BONUS = 1_000_000
LEAST_AMOUNT = Decimal("0.01")
MOST_AMOUNT = 1_000_000
LEAST_FACTOR, MOST_FACTOR = Decimal("1.01"), 100
MOST_NTH = 1_000
LAST_POSITION = 30_000
MOST_HELD_OUT = 90
# Multipliers come after what they multiply, bonuses after both.
POSITIONS = {Kind.AMOUNT: 100, Kind.MULTIPLIER: 200}
LATER = 300
BONUS = {"points": (1, MOST_BONUS)}
# What a rule of each kind needs, with the range of each; it has nothing else.
NEEDS: Mapping[str, Mapping[str, tuple[Decimal | int, Decimal | int]]] = {
    Kind.AMOUNT: {"points": (1, MOST_POINTS), "per_amount": (LEAST_AMOUNT, MOST_AMOUNT)},
    Kind.MULTIPLIER: {"factor": (LEAST_FACTOR, MOST_FACTOR)},
    Kind.NTH: {**BONUS, "nth": (2, MOST_NTH)},
    Kind.REFERRAL: {"points": (0, MOST_BONUS), "friend_points": (0, MOST_BONUS)},
}
AMOUNTS = {"points": 0, "per_amount": None, "factor": None, "nth": None, "friend_points": 0}
ROUNDED = {Kind.AMOUNT, Kind.MULTIPLIER}
# Conditions that are about purchases, which other rules can't have.
OF_PURCHASES = (
    "products",
    "categories",
    "product_kinds",
    "excluded_products",
    "excluded_categories",
    "locations",
    "channels",
    "minimum_amount",
)
# What a version says, and what it says unless it is told otherwise.
EMPTY_RULE: Mapping[str, Any] = {
    **AMOUNTS,
    "rounding": "down",
    "per": "order",
    "position": POSITIONS[Kind.AMOUNT],
    "is_exclusive": False,
    "is_active": True,
    "conditions": {},
    "caps": {},
    "holdout_percent": 0,
}


def checked_content(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return the content as stored, or refuse everything that is wrong with it at once."""
    problems: dict[str, list[str]] = {}
    needs = NEEDS.get(kind, BONUS)
    for name, empty in AMOUNTS.items():
        if name in needs:
            problems |= out_of_range(name, content[name], *needs[name])
        elif content[name] not in (None, empty):
            problems[name] = [str(_("A rule of this kind doesn't have this."))]
    if kind == Kind.REFERRAL and not (content["points"] or content["friend_points"]):
        problems["points"] = [str(_("Give points to at least one of the two."))]
    problems |= out_of_range("position", content["position"], 0, LAST_POSITION)
    problems |= out_of_range("holdout_percent", content["holdout_percent"], 0, MOST_HELD_OUT)
    if content["rounding"] not in RuleVersion.Rounding.values:
        problems["rounding"] = [str(_("Choose how points are rounded."))]
    if content["per"] not in RuleVersion.Per.values:
        problems["per"] = [str(_("Choose what is rounded."))]
    conditions, caps = Conditions(), Caps()
    try:
        conditions = Conditions.parse(content["conditions"])
        problems |= _misplaced(kind, conditions)
    except InvalidInput as error:
        problems |= error.fields or {"conditions": [str(error)]}
    try:
        caps = Caps.parse(content["caps"])
    except InvalidInput as error:
        problems |= error.fields or {"caps": [str(error)]}
    if problems:
        raise InvalidInput(fields=problems)
    amounts = {name: content[name] if name in needs else empty for name, empty in AMOUNTS.items()}
    plain = {} if kind in ROUNDED else {"rounding": "down", "per": "order"}
    stored = {"conditions": conditions.as_json(), "caps": caps.as_json()}
    return content | amounts | plain | stored


def _misplaced(kind: str, conditions: Conditions) -> dict[str, list[str]]:
    """Return what is wrong with conditions: about purchases where none is, or of things unknown."""
    if kind not in PURCHASE_KINDS:
        text = str(_("Only rules for purchases can have this condition."))
        found = {name: [text] for name in OF_PURCHASES if getattr(conditions, name)}
        return found | _unknown_people(conditions)
    wanted: tuple[tuple[str, type[Any], tuple[int, ...]], ...] = (
        ("products", Product, conditions.products),
        ("excluded_products", Product, conditions.excluded_products),
        ("locations", Location, conditions.locations),
    )
    return _unknown(wanted) | _unknown_people(conditions)


def _unknown_people(conditions: Conditions) -> dict[str, list[str]]:
    audience = () if conditions.audience is None else (conditions.audience,)
    return _unknown((("tiers", Tier, conditions.tiers), ("audience", Audience, audience)))


def _unknown(
    wanted: tuple[tuple[str, type[Any], tuple[int, ...]], ...],
) -> dict[str, list[str]]:
    text = str(_("Choose from the list."))
    return {
        name: [text]
        for name, model, ids in wanted
        if ids and model.objects.filter(pk__in=ids).count() != len(ids)
    }


def out_of_range(
    name: str, value: Any, lowest: Decimal | int, highest: Decimal | int
) -> dict[str, list[str]]:
    """Return the problem with a number by its name, or nothing."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    # Money and factors are kept to four decimals, everything else is counted.
    if is_whole or (isinstance(lowest, Decimal) and isinstance(value, Decimal)):
        number = Decimal(value)
        if number.is_finite() and lowest <= number <= highest and number == round(number, 4):
            return {}
    text = _("Enter a number from %(lowest)s to %(highest)s.")
    return {name: [text % {"lowest": lowest, "highest": highest}]}
