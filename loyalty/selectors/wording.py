"""The terms in plain words, computed from what accrual itself goes by, so they can't disagree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.display import format_local, format_money, format_points
from common.time import local_date
from loyalty.models import Programme, RuleVersion, TermsVersion
from loyalty.selectors.earning import Terms, earning_of

EXAMPLE_AMOUNTS = [Decimal(amount) for amount in ("9.99", "25.50", "100", "1250")]


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


def describe_rule(version: RuleVersion, currency: str) -> str:
    """Return what a rule version pays, as a sentence."""
    return _("You get %(points)s for each %(amount)s you spend, rounded %(rounding)s.") % {
        "points": format_points(version.points),
        "amount": format_money(version.per_amount, currency),
        "rounding": version.get_rounding_display(),
    }


def describe_terms(programme: Programme, terms: Terms, at: datetime) -> list[str]:
    """Return the programme's conditions as sentences, as they stand at ``at``."""
    starts = format_local(local_date(programme.starts_at))
    sentences = [_("Purchases from %(date)s on count.") % {"date": starts}]
    conditions = terms.conditions_at(at)
    rules = terms.rules_at(max(at, programme.starts_at))
    sentences += [describe_rule(rule.version, programme.currency) for rule in rules]
    sentences += [
        _("For purchases from %(date)s on: %(rule)s")
        % {
            "date": format_local(coming.valid_from),
            "rule": describe_rule(coming.version, programme.currency),
        }
        for coming in terms.rules
        if coming.valid_from > at and coming not in rules
    ]
    sentences += [_describe_pending(conditions), _describe_validity(conditions)]
    if conditions.point_value:
        sentences.append(
            _("%(points)s are worth %(amount)s.")
            % {
                "points": format_points(100),
                "amount": format_money(worth_of(conditions, 100), programme.currency),
            }
        )
    sentences.append(
        _(
            "If a purchase is cancelled, its points are taken back; "
            "if you used them by then, your next points make up for it."
        )
    )
    return sentences


def worked_examples(programme: Programme, terms: Terms, at: datetime) -> list[Example]:
    """Return what a few amounts earn at ``at``."""
    when = max(at, programme.starts_at)
    if not terms.in_force_at(when).for_purchases:
        return []
    return [
        Example(amount, earned.points, worth_of(terms.conditions_at(at), earned.points))
        for amount in EXAMPLE_AMOUNTS
        for earned in [
            earning_of(
                terms,
                amount=amount,
                currency=programme.currency,
                ordered_at=when,
                delivered_at=when,
            )
        ]
    ]


def _describe_pending(conditions: TermsVersion) -> str:
    if conditions.pending_days == 0:
        return _("Points can be used as soon as the purchase is delivered.")
    return ngettext(
        "Points can be used when the %(days)s day for returning the purchase is over.",
        "Points can be used when the %(days)s days for returning the purchase are over.",
        conditions.pending_days,
    ) % {"days": conditions.pending_days}


def _describe_validity(conditions: TermsVersion) -> str:
    if conditions.expiry != TermsVersion.Expiry.DAYS or not conditions.expiry_count:
        return _("Points don't expire.")
    return ngettext(
        "Points expire %(days)s day after they became usable.",
        "Points expire %(days)s days after they became usable.",
        conditions.expiry_count,
    ) % {"days": conditions.expiry_count}
