"""A rule in plain words: what it pays, for what, and how much at most."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import models
from django.utils import dates, formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.display import format_local, format_money, format_number, format_points
from common.money import from_units
from crm.models import Audience, Location, Product
from loyalty.models import EarningRule, RuleVersion, Tier
from loyalty.selectors.conditions import LEAP_YEAR, Caps, Conditions, Season
from loyalty.selectors.terms import Rule

Kind = EarningRule.Kind
BONUSES = {
    Kind.BONUS.value: gettext_lazy("You get %(points)s for a purchase."),
    Kind.FIRST.value: gettext_lazy("You get %(points)s for your first purchase."),
    Kind.REPEAT.value: gettext_lazy("You get %(points)s for every purchase after your first."),
    Kind.NTH.value: gettext_lazy("You get %(points)s with every %(nth)s purchases."),
    Kind.BIRTHDAY.value: gettext_lazy("You get %(points)s on your birthday."),
    Kind.SURVEY.value: gettext_lazy("You get %(points)s for answering a survey."),
    Kind.REVIEW.value: gettext_lazy("You get %(points)s for a review that is published."),
    Kind.SIGN_UP.value: gettext_lazy("You get %(points)s for joining."),
}
MEMBER_LIMITS = {
    "": gettext_lazy("At most %(points)s for each member."),
    "week": gettext_lazy("At most %(points)s a week."),
    "month": gettext_lazy("At most %(points)s a month."),
    "quarter": gettext_lazy("At most %(points)s a quarter."),
    "year": gettext_lazy("At most %(points)s a year."),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What the things that rules name by id are called: id → name, by kind of thing."""

    products: Mapping[int, str] = field(default_factory=dict)
    tiers: Mapping[int, str] = field(default_factory=dict)
    locations: Mapping[int, str] = field(default_factory=dict)
    audiences: Mapping[int, str] = field(default_factory=dict)


def names_for(rules: Iterable[Rule]) -> Names:
    """Return what the things in these rules are called; at most four queries."""
    asked = [rule.conditions for rule in rules]
    return Names(
        products=_named(
            Product, {pk for one in asked for pk in (*one.products, *one.excluded_products)}
        ),
        tiers=_named(Tier, {pk for one in asked for pk in one.tiers}),
        locations=_named(Location, {pk for one in asked for pk in one.locations}),
        audiences=_named(Audience, {one.audience for one in asked if one.audience is not None}),
    )


def describe_rule(
    rule: Rule | RuleVersion,
    currency: str,
    names: Names | None = None,
    *,
    is_public: bool = False,
) -> str:
    """Return what a rule pays, for what and how much at most, as sentences.

    names: of the things it names; read if not given.
    is_public: members read it, so a group of customers isn't called by its name.
    """
    rule = Rule.of(rule) if isinstance(rule, RuleVersion) else rule
    names = names_for([rule]) if names is None else names
    return " ".join(
        [
            *_payment(rule, currency),
            *describe_conditions(rule.conditions, currency, names, is_public=is_public),
            *describe_caps(rule.caps),
            *([_("If it pays, nothing is added after it.")] if rule.is_exclusive else []),
        ]
    )


def describe_conditions(
    conditions: Conditions, currency: str, names: Names, *, is_public: bool = False
) -> list[str]:
    """Return which purchases count, a sentence for each condition."""
    said = []
    for chosen, text in (
        (_things_chosen(conditions, names), gettext_lazy("Only for: %(list)s.")),
        (_things_excluded(conditions, names), gettext_lazy("Not for: %(list)s.")),
        (_each(names.tiers, conditions.tiers), gettext_lazy("Only in the tier: %(list)s.")),
        (_each(names.locations, conditions.locations), gettext_lazy("Only in: %(list)s.")),
        (list(conditions.channels), gettext_lazy("Only for purchases made by: %(list)s.")),
        (
            [str(dates.WEEKDAYS[day - 1]) for day in conditions.weekdays],
            gettext_lazy("Only on: %(list)s."),
        ),
        (
            [_season(season) for season in conditions.seasons],
            gettext_lazy("Only in these days of the year: %(list)s."),
        ),
    ):
        if chosen:
            said.append(text % {"list": ", ".join(chosen)})
    if conditions.audience is not None:
        said.append(_audience(conditions.audience, names, is_public=is_public))
    said += _when(conditions)
    if conditions.minimum_amount is not None:
        amount = format_money(conditions.minimum_amount, currency)
        said.append(_minimum(conditions) % {"amount": amount})
    return said


def describe_caps(caps: Caps) -> list[str]:
    """Return how much a rule gives at most, a sentence for each limit."""
    said = []
    for points, text in (
        (caps.per_order, _("At most %(points)s for a purchase.")),
        (caps.per_day, _("At most %(points)s a day.")),
        (caps.per_member, MEMBER_LIMITS[caps.window]),
    ):
        if points is not None:
            said.append(text % {"points": format_points(points)})
    return said


def _payment(rule: Rule, currency: str) -> list[str]:
    """Return what a rule pays, without its conditions."""
    points = format_points(rule.points)
    if rule.kind == Kind.AMOUNT:
        text = _("You get %(points)s for each %(amount)s you spend, rounded %(rounding)s.")
        if rule.per == RuleVersion.Per.LINE:
            text = _(
                "You get %(points)s for each %(amount)s you spend, each line rounded %(rounding)s."
            )
        amount = format_money(from_units(rule.per_amount or 0), currency)
        rounding = RuleVersion.Rounding(rule.rounding).label
        return [text % {"points": points, "amount": amount, "rounding": rounding}]
    if rule.kind == Kind.MULTIPLIER:
        return [_("You get %(factor)s times the points.") % {"factor": format_times(rule.factor)}]
    if rule.kind == Kind.REFERRAL:
        said = []
        if rule.points:
            text = _("You get %(points)s when a friend you brought buys for the first time.")
            said.append(text % {"points": points})
        if rule.friend_points:
            text = _("A friend you bring gets %(points)s with the first purchase.")
            said.append(text % {"points": format_points(rule.friend_points)})
        return said
    return [str(BONUSES[rule.kind]) % {"points": points, "nth": rule.nth}]


def format_times(factor: int | None) -> str:
    """Return how many times, without needless zeros. factor: in 1/10,000."""
    return format_number(from_units(factor or 0).normalize())


def _things_chosen(conditions: Conditions, names: Names) -> list[str]:
    kinds = [str(Product.Kind(kind).label) for kind in conditions.product_kinds]
    return [*_each(names.products, conditions.products), *conditions.categories, *kinds]


def _things_excluded(conditions: Conditions, names: Names) -> list[str]:
    products = _each(names.products, conditions.excluded_products)
    return [*products, *conditions.excluded_categories]


def _audience(audience: int, names: Names, *, is_public: bool) -> str:
    if is_public:
        return _("Only for members who were told of it.")
    return _("Only for the group “%(name)s”.") % {"name": names.audiences.get(audience, "?")}


def _minimum(conditions: Conditions) -> str:
    if conditions.chooses_lines:
        return _("Only if that comes to at least %(amount)s.")
    return _("Only for purchases of at least %(amount)s.")


def _when(conditions: Conditions) -> list[str]:
    said = []
    first, last = conditions.starts_on, conditions.ends_on
    if first and last:
        text = _("From %(first)s to %(last)s.")
        said.append(text % {"first": format_local(first), "last": format_local(last)})
    elif first:
        said.append(_("From %(first)s on.") % {"first": format_local(first)})
    elif last:
        said.append(_("Until %(last)s.") % {"last": format_local(last)})
    if conditions.from_time is not None and conditions.until_time is not None:
        said.append(
            _("Between %(first)s and %(last)s.")
            % {
                "first": formats.time_format(conditions.from_time, "TIME_FORMAT"),
                "last": formats.time_format(conditions.until_time, "TIME_FORMAT"),
            }
        )
    return said


def _season(season: Season) -> str:
    first, last = (formats.date_format(date(LEAP_YEAR, *day), "MONTH_DAY_FORMAT") for day in season)
    return first if first == last else f"{first} – {last}"


def _each(names: Mapping[int, str], ids: Collection[int]) -> list[str]:
    return [names.get(pk, "?") for pk in ids]


def _named(model: type[models.Model], ids: Collection[Any]) -> dict[int, str]:
    if not ids:
        return {}
    return {one.pk: str(one) for one in model._default_manager.filter(pk__in=ids)}
