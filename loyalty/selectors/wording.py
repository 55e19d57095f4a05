"""The terms in plain words, computed from what accrual itself goes by, so they can't disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.display import format_local, format_money, format_number, format_points
from common.time import local_date
from loyalty.models import Programme, TermsVersion, Tier
from loyalty.selectors.conditions import LEAP_YEAR
from loyalty.selectors.earning import ANOTHER_PURCHASE, Rule, Terms, earning_of
from loyalty.selectors.rule_words import describe_rule, names_for
from loyalty.selectors.terms import PURCHASE_KINDS

__all__ = [
    "Example",
    "describe_promises",
    "describe_rule",
    "describe_terms",
    "worked_examples",
    "worth_of",
]
EXAMPLE_AMOUNTS = [Decimal(amount) for amount in ("9.99", "25.50", "100", "1250")]
Expiry, Measure = TermsVersion.Expiry, TermsVersion.TierMeasure


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: what such a purchase earns, and what that is worth."""

    amount: Decimal
    points: int
    worth: Decimal


def worth_of(conditions: TermsVersion, points: int) -> Decimal:
    """Return what points are worth under those terms, in the programme's currency."""
    worth: Decimal = points * conditions.point_value
    return worth


def describe_terms(programme: Programme, terms: Terms, at: datetime) -> list[str]:
    """Return the programme's conditions as sentences, as they stand at ``at``.

    At most five queries: the tiers, and the names of what rules are about.
    """
    starts = format_local(local_date(programme.starts_at))
    sentences = [_("Purchases from %(date)s on count.") % {"date": starts}]
    conditions = terms.conditions_at(at)
    rules = terms.rules_at(max(at, programme.starts_at))
    coming = [rule for rule in terms.rules if rule.valid_from > at and rule not in rules]
    names = names_for([*rules, *coming])
    sentences += [describe_rule(rule, programme.currency, names, is_public=True) for rule in rules]
    for rule in coming:
        is_known = any(rule.rule_id == present.rule_id for present in rules)
        if rule.is_active or is_known:
            said = describe_rule(rule, programme.currency, names, is_public=True)
            sentences.append(_announce(rule, said))
    tiers = list(programme.tiers.order_by("rank"))
    sentences += describe_promises(conditions, tiers, programme.currency)
    sentences.append(
        _(
            "If a purchase is cancelled, its points are taken back; "
            "if you used them by then, your next points make up for it."
        )
    )
    return sentences


def describe_promises(conditions: TermsVersion, tiers: Sequence[Tier], currency: str) -> list[str]:
    """Return what a version of the terms says of tiers, of worth and of when points are usable."""
    sentences = [_describe_tier(tier, conditions, currency) for tier in tiers]
    if tiers:
        sentences += _describe_downgrade(conditions)
    sentences += [_describe_pending(conditions), *_describe_validity(conditions)]
    if conditions.point_value:
        sentences.append(
            _("%(points)s are worth %(amount)s.")
            % {
                "points": format_points(100),
                "amount": format_money(worth_of(conditions, 100), currency),
            }
        )
    return sentences


def worked_examples(programme: Programme, terms: Terms, at: datetime) -> list[Example]:
    """Return what a few amounts earn at ``at``, of a member without a tier who bought before."""
    when = max(at, programme.starts_at)
    if not terms.in_force_at(when).for_purchases:
        return []
    conditions = terms.conditions_at(at)
    examples = []
    for amount in EXAMPLE_AMOUNTS:
        points = earning_of(
            terms,
            amount=amount,
            currency=programme.currency,
            ordered_at=when,
            delivered_at=when,
            member=ANOTHER_PURCHASE,
        ).points
        examples.append(Example(amount, points, worth_of(conditions, points)))
    return examples


def _announce(rule: Rule, said: str) -> str:
    day = format_local(rule.valid_from)
    if not rule.is_active:
        return _("From %(date)s on no longer: %(rule)s") % {"date": day, "rule": said}
    text = (
        _("For purchases from %(date)s on: %(rule)s")
        if rule.kind in PURCHASE_KINDS
        else _("From %(date)s on: %(rule)s")
    )
    return text % {"date": day, "rule": said}


def _describe_tier(tier: Tier, conditions: TermsVersion, currency: str) -> str:
    said = [
        _("Tier “%(tier)s”: %(threshold)s %(window)s.")
        % {
            "tier": tier.name,
            "threshold": _threshold(tier, conditions, currency),
            "window": _window(conditions),
        }
    ]
    if tier.multiplier > 1:
        times = format_number(Decimal(tier.multiplier).normalize())
        said.append(_("%(factor)s times the points for the amount.") % {"factor": times})
    if tier.benefits:
        said.append(tier.benefits)
    return " ".join(said)


def _threshold(tier: Tier, conditions: TermsVersion, currency: str) -> str:
    if conditions.tier_measure == Measure.SPEND:
        return _("from %(amount)s spent") % {"amount": format_money(tier.threshold, currency)}
    count = int(tier.threshold)
    if conditions.tier_measure == Measure.ORDERS:
        text = ngettext("from %(count)s purchase", "from %(count)s purchases", count)
        return text % {"count": format_number(count)}
    return _("from %(points)s earned") % {"points": format_points(count)}


def _window(conditions: TermsVersion) -> str:
    if conditions.tier_window == TermsVersion.TierWindow.CALENDAR:
        return _("in the calendar year")
    text = ngettext(
        "within the last %(count)s month",
        "within the last %(count)s months",
        conditions.tier_months,
    )
    return text % {"count": conditions.tier_months}


def _describe_downgrade(conditions: TermsVersion) -> list[str]:
    if conditions.tier_downgrade == TermsVersion.Downgrade.NEVER:
        return [_("A tier you reached stays yours.")]
    said = []
    if days := conditions.tier_grace_days:
        text = ngettext(
            "If you no longer reach your tier, it stays for %(count)s day.",
            "If you no longer reach your tier, it stays for %(count)s days.",
            days,
        )
        said.append(text % {"count": days})
    if conditions.tier_downgrade == TermsVersion.Downgrade.ONE_DOWN:
        return [*said, _("Who no longer reaches a tier goes one tier down.")]
    return [*said, _("Who no longer reaches a tier gets the tier that was reached.")]


def _describe_pending(conditions: TermsVersion) -> str:
    if conditions.pending_days == 0:
        return _("Points can be used as soon as the purchase is delivered.")
    return ngettext(
        "Points can be used when the %(days)s day for returning the purchase is over.",
        "Points can be used when the %(days)s days for returning the purchase are over.",
        conditions.pending_days,
    ) % {"days": conditions.pending_days}


def _describe_validity(conditions: TermsVersion) -> list[str]:
    count = conditions.expiry_count or 0
    if conditions.expiry == Expiry.YEARLY:
        day = date(LEAP_YEAR, conditions.expiry_month or 12, conditions.expiry_day or 31)
        told = formats.date_format(day, "MONTH_DAY_FORMAT")
        return [_("Points expire every year when %(day)s is over.") % {"day": told}]
    if conditions.expiry == Expiry.DAYS:
        text = ngettext(
            "Points expire %(days)s day after they became usable.",
            "Points expire %(days)s days after they became usable.",
            count,
        )
    elif conditions.expiry == Expiry.MONTHS:
        text = ngettext(
            "Points expire %(months)s month after they became usable.",
            "Points expire %(months)s months after they became usable.",
            count,
        )
    elif conditions.expiry == Expiry.INACTIVITY:
        text = ngettext(
            "Points expire when you bought nothing and used no points for %(months)s month.",
            "Points expire when you bought nothing and used no points for %(months)s months.",
            count,
        )
    else:
        return [_("Points don't expire.")]
    said = [text % {"days": count, "months": count}]
    if conditions.expiry_end == TermsVersion.ExpiryEnd.MONTH:
        said.append(_("They last until the end of that month."))
    elif conditions.expiry_end == TermsVersion.ExpiryEnd.YEAR:
        said.append(_("They last until the end of that year."))
    return said
