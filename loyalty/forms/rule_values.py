"""What a rule says, as its form shows it and as services take it."""

from __future__ import annotations

from typing import Any

from crm.models import Audience, Location
from loyalty.forms.rule_fields import CAPS, GOODS, LABELS, MORE, PRODUCT_FIELDS, WHEN, WHERE, WHO
from loyalty.models import RuleVersion, Tier
from loyalty.selectors.choices import products_with
from loyalty.selectors.conditions import Caps, Conditions


def values_of(version: RuleVersion) -> dict[str, Any]:
    """Return a version as the form shows it: refs and codes instead of ids."""
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
        "/".join(f"{month:02}-{day:02}" for month, day in season) for season in conditions.seasons
    ]
    return initial | {name: getattr(caps, name) for name in CAPS}


def plain_value(value: Any) -> Any:
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
