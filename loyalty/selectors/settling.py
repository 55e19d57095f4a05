"""What an order should have earned, once it was refunded, corrected or cancelled; pure.

It is reckoned by the rules that were recorded when it earned: what they paid then decides that they
pay, what is left of the order decides how much. Conditions about the day, the place or the person
are not asked again; which lines count and the least amount are. A rule that had paid nothing is
looked at as it was in force when the order was made, for lines and amounts that came later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from common.money import from_units, to_units
from loyalty.models import EarningRule
from loyalty.selectors.conditions import Caps
from loyalty.selectors.reckoning import (
    NOBODY,
    TIER,
    Bought,
    Given,
    Line,
    Member,
    round_points,
)
from loyalty.selectors.terms import Rule, Terms

Kind = EarningRule.Kind
LineKey = tuple[int, str]  # rule version, line
# Rules that look at the purchase alone; the others look at what else was bought, then.
OF_ITSELF = frozenset({Kind.AMOUNT.value, Kind.MULTIPLIER.value, Kind.BONUS.value})
# A rule's bonus stays a bonus: whether it was the first purchase was decided when it earned.
AS_BONUS = frozenset({Kind.FIRST.value, Kind.REPEAT.value, Kind.NTH.value})


class Growth(Enum):
    """How much more than it has an order may get: whatever is due, what it had once, nothing."""

    FREE = "free"
    BACK = "back"
    NONE = "none"


class Root(NamedTuple):
    """What a rule gave for a line, and what is left of it after all settlements."""

    pk: int
    transaction_id: int
    base: Decimal | None
    points: int
    net: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one rule version gave an order, line by line."""

    roots: Mapping[str, Root]

    @property
    def net(self) -> int:
        """Points of this version that the order has now."""
        return sum(root.net for root in self.roots.values())

    @property
    def first(self) -> int:
        """Points that were given for its lines when each of them first earned."""
        return sum(root.points for root in self.roots.values())

    @property
    def is_held_out(self) -> bool:
        """Whether the member is in the rule's control group."""
        return not any(root.points for root in self.roots.values())


@dataclass(frozen=True, slots=True)
class Refunded:
    """Money given back. line: key of the order's line; None for the order as a whole."""

    line: str | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a purchase. counts: whether it takes part in the programme at all."""

    counts: bool
    amount: Decimal
    currency: str
    ordered_at: datetime
    location_id: int | None = None
    channel: str = ""
    lines: Sequence[Line] = field(default=())


def left_lines(lines: Sequence[Line], refunds: Iterable[Refunded]) -> list[Line]:
    """Return the lines with what is left of them; those given back as a whole are left out.

    Money given back for no line in particular belongs to all, by what is left of each; the parts
    add up to it.
    """
    back: dict[str | None, int] = {}
    for refund in refunds:
        back[refund.line] = back.get(refund.line, 0) + to_units(refund.amount)
    left = [max(0, to_units(line.amount) - back.get(line.key, 0)) for line in lines]
    total = sum(left)
    rest = max(0, total - back.get(None, 0))
    before = seen = 0
    found = []
    for line, own in zip(lines, left, strict=True):
        seen += own
        until = seen * rest // total if total else 0
        share, before = until - before, until
        if share or to_units(line.amount) <= 0:
            found.append(line._replace(amount=from_units(share)))
    return found


def left_amount(amount: Decimal, refunds: Iterable[Refunded]) -> Decimal:
    """Return what is left of an order's amount, never less than nothing."""
    return max(Decimal(0), amount - sum((refund.amount for refund in refunds), Decimal(0)))


def target_of(
    terms: Terms,
    left: Left,
    recorded: Mapping[int, Recorded],
    *,
    growth: Growth = Growth.FREE,
    member: Member = NOBODY,
) -> list[Given]:
    """Return what an order should have, rule by rule and line by line.

    recorded: rule version → what it gave.  member: what was known of the buyer; asked only by rules
    that gave nothing so far, and by limits over several purchases.
    """
    if not left.counts or left.amount <= 0 or left.currency != terms.currency:
        return []
    bought = Bought(
        terms,
        to_units(left.amount),
        left.ordered_at,
        left.lines,
        location_id=left.location_id,
        channel=left.channel,
    )
    given: list[Given] = []
    for rule in _rules(terms, left.ordered_at, recorded, growth):
        known = recorded.get(rule.version_id)
        if known is None:
            rows, _why = bought.given_by(rule, member)
        elif known.is_held_out:
            rows = []
        else:
            limit = _limit(rule, known, member, growth)
            asked = _as_recorded(rule, known, left.lines, limit)
            rows, _why = bought.given_by(asked, NOBODY) if asked is not None else ([], "")
            rows = [*rows, *_of_tier(rule, known, rows, limit)]
        given += [row for row in rows if row.points]
        if rule.is_exclusive and any(row.points for row in rows):
            break
    return given


def _rules(
    terms: Terms, at: datetime, recorded: Mapping[int, Recorded], growth: Growth
) -> list[Rule]:
    """Return the versions recorded, and of other rules those in force; in their order."""
    found = [rule for rule in terms.rules if rule.version_id in recorded]
    if growth is Growth.FREE:
        known = {rule.rule_id for rule in found}
        found += [
            rule
            for rule in terms.in_force_at(at).for_purchases
            if rule.rule_id not in known and rule.kind in OF_ITSELF
        ]
    return sorted(found, key=lambda rule: (rule.position, rule.rule_id, rule.version_id))


def _limit(rule: Rule, known: Recorded, member: Member, growth: Growth) -> int | None:
    """Return the most that a recorded rule may give now."""
    if growth is Growth.NONE:
        return known.net
    caps = rule.caps
    limits = [] if caps.per_order is None else [caps.per_order]
    if growth is Growth.BACK:
        limits.append(max(known.first, known.net))
    elif caps.asks_for_past:
        rooms = []
        if caps.per_day is not None:
            rooms.append(caps.per_day - member.earned_today.get(rule.rule_id, 0))
        if caps.per_member is not None:
            rooms.append(caps.per_member - member.earned_in_window.get(rule.rule_id, 0))
        limits.append(known.net + max(0, min(rooms)))
    return min(limits, default=None)


def _as_recorded(
    rule: Rule, known: Recorded, lines: Sequence[Line], limit: int | None
) -> Rule | None:
    """Return the rule as it is to be reckoned again; None if nothing counts any more.

    A line that counted then counts still, whatever became of its product's category.
    """
    conditions = replace(
        rule.conditions,
        tiers=(),
        audience=None,
        locations=(),
        channels=(),
        weekdays=(),
        starts_on=None,
        ends_on=None,
        seasons=(),
        from_time=None,
        until_time=None,
    )
    if lines and conditions.chooses_lines:
        chosen = {
            line.product_id
            for line in lines
            if line.key in known.roots or conditions.take(line.product_id, line.category, line.kind)
        }
        if not chosen:
            return None
        conditions = replace(
            conditions,
            products=tuple(sorted(chosen)),
            categories=(),
            product_kinds=(),
            excluded_products=(),
            excluded_categories=(),
        )
    return replace(
        rule,
        kind=Kind.BONUS.value if rule.kind in AS_BONUS else rule.kind,
        conditions=conditions,
        caps=Caps(per_order=limit),
        holdout_percent=0,
    )


def _of_tier(
    rule: Rule, known: Recorded, rows: Sequence[Given], limit: int | None
) -> Iterable[Given]:
    """Return what the tier adds: as much of it as is left of what it was added to."""
    tier = known.roots.get(TIER)
    points = sum(row.points for row in rows)
    if tier is None or not points:
        return
    added_to = sum(
        root.points
        for line, root in known.roots.items()
        if line != TIER and root.transaction_id == tier.transaction_id
    )
    if added_to:
        more = round_points(tier.points * points, added_to, rule.rounding)
        if limit is not None:
            more = min(more, limit - points)
        base = sum((row.base for row in rows if row.base is not None), Decimal(0))
        if more > 0:
            yield Given(rule, TIER, base, more)
