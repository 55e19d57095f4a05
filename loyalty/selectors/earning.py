"""What an order earns, and why: one pure function for accrual, simulation and the public terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from django.conf import settings

from common.money import to_units
from common.time import local_date, start_of_day
from loyalty.models import PointsTransaction, RuleVersion
from loyalty.selectors.conditions import WhyNot
from loyalty.selectors.expiry import inactive_from, usable_until
from loyalty.selectors.reckoning import (
    ANOTHER_PURCHASE,
    NOBODY,
    TIER,
    WHOLE,
    Bought,
    Given,
    Line,
    Member,
    Outcome,
    is_held_out,
    limited,
)
from loyalty.selectors.terms import Rule, Terms

__all__ = [
    "ANOTHER_PURCHASE",
    "NOBODY",
    "TIER",
    "WHOLE",
    "Earning",
    "Given",
    "Line",
    "Member",
    "Outcome",
    "Rule",
    "Terms",
    "bonus_of",
    "earning_of",
    "is_held_out",
    "usable_from",
]
Reason = PointsTransaction.Reason
# What is told of a purchase that earned nothing: the first of these that a rule said.
TOLD_FIRST = {
    WhyNot.HOLDOUT.value: Reason.HOLDOUT,
    WhyNot.CAPPED.value: Reason.CAPPED,
    WhyNot.TOO_SMALL.value: Reason.TOO_SMALL,
}


@dataclass(frozen=True, slots=True)
class Earning:
    """What an order earns. Zero points come with the reason why.

    ``[available_from, expires_at)`` is when the points can be used; ``expires_at`` None: for ever,
    or, with ``lapses_at``, until then if nothing happens before.
    """

    points: int
    reason: str
    version: RuleVersion | None
    available_from: datetime
    expires_at: datetime | None
    lapses_at: datetime | None = None
    lines: tuple[Given, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


def earning_of(
    terms: Terms,
    *,
    amount: Decimal,
    currency: str,
    ordered_at: datetime,
    delivered_at: datetime,
    lines: Sequence[Line] = (),
    location_id: int | None = None,
    channel: str = "",
    member: Member = NOBODY,
) -> Earning:
    """Return what an order earns under ``terms``; the rules in force when it was made count.

    lines: needed only where ``terms.asks_at`` says so; an order without any counts as a whole.
    Whether it takes part at all (made live, by a known customer, delivered, not before the start)
    is for the caller: ``selectors.due_orders``.
    """
    conditions = terms.conditions_at(ordered_at)
    available_from = usable_from(delivered_at, conditions.pending_days)
    expires_at = usable_until(available_from, conditions)
    lapses_at = inactive_from(available_from, conditions)
    rules = terms.in_force_at(ordered_at).for_purchases

    def nothing(reason: Reason, why: WhyNot | None = None) -> Earning:
        outcomes = tuple(Outcome(rule, 0, why.value) for rule in rules) if why else ()
        version = rules[0].version if rules else None
        return Earning(
            0, reason.value, version, available_from, expires_at, lapses_at, (), outcomes
        )

    if not rules:
        return nothing(Reason.NO_RULE)
    if currency != terms.currency:
        return nothing(Reason.OTHER_CURRENCY, WhyNot.OTHER_CURRENCY)
    if not member.is_open:
        return nothing(Reason.NOT_OPEN, WhyNot.NOT_OPEN)
    if amount <= 0:
        return nothing(Reason.TOO_SMALL, WhyNot.TOO_SMALL)
    bought = Bought(
        terms, to_units(amount), ordered_at, lines, location_id=location_id, channel=channel
    )
    given: list[Given] = []
    outcomes: list[Outcome] = []
    ended = False
    for rule in rules:
        if ended:
            outcomes.append(Outcome(rule, 0, WhyNot.EXCLUSIVE.value))
            continue
        rows, why = bought.given_by(rule, member)
        points = sum(row.points for row in rows)
        given += rows
        outcomes.append(Outcome(rule, points, why))
        ended = rule.is_exclusive and points > 0
    total = sum(row.points for row in given)
    reason = Reason.PURCHASE
    if not total:
        said = {outcome.why for outcome in outcomes}
        reason = next((told for why, told in TOLD_FIRST.items() if why in said), Reason.NOT_MET)
    version = next((row.rule for row in given if row.points), rules[0]).version
    return Earning(
        total,
        reason.value,
        version,
        available_from,
        expires_at,
        lapses_at,
        tuple(given),
        tuple(outcomes),
    )


def bonus_of(
    terms: Terms, kind: str, *, at: datetime, member: Member = NOBODY, for_friend: bool = False
) -> Earning:
    """Return what something other than a purchase earns at ``at``: a birthday, a survey.

    for_friend: what the friend gets, of a referral.  The points can be used at once.
    """
    conditions = terms.conditions_at(at)
    rules = [rule for rule in terms.rules_at(at) if rule.kind == kind]
    given: list[Given] = []
    outcomes: list[Outcome] = []
    ended = False
    for rule in rules:
        points = rule.friend_points if for_friend else rule.points
        rows, why = [Given(rule, WHOLE, None, points)], ""
        if ended:
            rows, why = [], WhyNot.EXCLUSIVE.value
        elif not member.is_open:
            rows, why = [], WhyNot.NOT_OPEN.value
        elif why := rule.conditions.why_not(at, tier_id=member.tier_id, audiences=member.audiences):
            rows = []
        elif points:
            rows, why = limited(rule, rows, member)
        else:
            rows = []
        paid = sum(row.points for row in rows)
        given += rows
        outcomes.append(Outcome(rule, paid, why))
        ended = ended or (rule.is_exclusive and paid > 0)
    total = sum(row.points for row in given)
    reason = Reason.NO_RULE if not rules else Reason.NOT_MET
    if not member.is_open:
        reason = Reason.NOT_OPEN
    elif not total:
        said = {outcome.why for outcome in outcomes}
        reason = next((told for why, told in TOLD_FIRST.items() if why in said), reason)
    return Earning(
        total,
        # Kinds and reasons of what is no purchase bear the same names.
        (Reason("referred" if for_friend else kind) if total else reason).value,
        next((row.rule.version for row in given), None),
        at,
        usable_until(at, conditions),
        inactive_from(at, conditions),
        tuple(given),
        tuple(outcomes),
    )


def usable_from(delivered_at: datetime, pending_days: int) -> datetime:
    """Return when points of a delivery become usable: when the day after the return window begins.

    The window's last day is ``pending_days`` local days after the day of delivery. Without a
    window they are usable at once.
    """
    if pending_days == 0:
        return delivered_at
    day = local_date(delivered_at) + timedelta(days=pending_days + 1)
    return _start_of(day, settings.KEEPWELL_TIMEZONE)


@lru_cache(maxsize=4_096)
def _start_of(day: date, timezone: str) -> datetime:
    """The start of a local day, kept: batches ask for the same few days again and again."""
    return start_of_day(day)
