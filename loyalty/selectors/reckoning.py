"""How one rule is reckoned for one purchase: what counts, rounding, multiplying, limits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from common.money import UNITS_PER_ONE, from_units, to_units
from loyalty.models import EarningRule, RuleVersion
from loyalty.selectors.conditions import WhyNot
from loyalty.selectors.terms import Rule, Terms

Kind, Per, Rounding = EarningRule.Kind, RuleVersion.Per, RuleVersion.Rounding
WHOLE, TIER = "", "tier"  # lines of what is earned that are no lines of the purchase
SHARES = 10_000  # how finely people are drawn for a control group


class Line(NamedTuple):
    """A line of a purchase. key: ``product id:occurrence``; amount: what was paid for it."""

    key: str
    product_id: int
    category: str
    kind: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Member:
    """What is known of the buyer when the purchase was made.

    person_id: 0 for nobody in particular, who is in no control group.
    purchases_before: everything bought before, histories included (0 or 1 is enough).
    number: which purchase it is of those that take part in the programme.
    had: ids of rules that pay once and did.
    earned_today, earned_in_window: rule id → points it gave on that local day, and in its window.
    """

    person_id: int = 0
    is_open: bool = True
    purchases_before: int = 0
    number: int = 1
    tier_id: int | None = None
    audiences: frozenset[int] = frozenset()
    had: frozenset[int] = frozenset()
    earned_today: Mapping[int, int] = field(default_factory=dict)
    earned_in_window: Mapping[int, int] = field(default_factory=dict)


NOBODY = Member()
ANOTHER_PURCHASE = Member(purchases_before=1)  # of a member without a tier; not the first one


class Given(NamedTuple):
    """Points of one rule for one line, what becomes an earned line.

    base: the money they were reckoned from; None for a fixed bonus. A line ``tier`` is what the
    member's tier adds. 0 points: the member is in the rule's control group.
    """

    rule: Rule
    line: str
    base: Decimal | None
    points: int

    @property
    def is_once(self) -> bool:
        """Whether a person gets this only once."""
        return self.rule.kind == Kind.FIRST and self.points > 0


class Outcome(NamedTuple):
    """What one rule gave. why: a ``WhyNot`` if that was nothing, or less than it would be."""

    rule: Rule
    points: int
    why: str

    @property
    def sentence(self) -> str:
        """Why, in the active language; empty if everything was given."""
        return str(WhyNot(self.why).label) if self.why else ""


class Bought:
    """A purchase while its rules are reckoned one after the other; amounts in 1/10,000."""

    def __init__(
        self,
        terms: Terms,
        amount: int,
        at: datetime,
        lines: Sequence[Line],
        *,
        location_id: int | None,
        channel: str,
    ) -> None:
        self.terms, self.amount, self.at, self.lines = terms, amount, at, lines
        self.location_id, self.channel = location_id, channel
        # What multipliers go by: points for the whole purchase, and for its lines.
        self.whole = 0
        self.by_line: dict[str, int] = {}

    def given_by(self, rule: Rule, member: Member) -> tuple[list[Given], str]:
        """Return what a rule gives, and why not more."""
        why = rule.conditions.why_not(
            self.at,
            tier_id=member.tier_id,
            audiences=member.audiences,
            location_id=self.location_id,
            channel=self.channel,
        ) or _why_not_this_one(rule, member)
        if why:
            return [], why
        parts = self._parts(rule)
        if not parts:
            return [], WhyNot.NOT_IN_IT.value
        minimum = rule.conditions.minimum_amount
        if minimum is not None and sum(base for _line, base in parts) < to_units(minimum):
            return [], WhyNot.MINIMUM.value
        if rule.kind == Kind.AMOUNT:
            rows, none = self._for_amount(rule, parts, member.tier_id), WhyNot.TOO_SMALL
        elif rule.kind == Kind.MULTIPLIER:
            rows, none = self._multiplied(rule, parts), WhyNot.NOTHING_BEFORE
        else:
            rows, none = [Given(rule, WHOLE, None, rule.points)], WhyNot.TOO_SMALL
        if not rows:
            return [], none.value
        rows, why = limited(rule, rows, member)
        if rule.kind in {Kind.AMOUNT, Kind.MULTIPLIER}:
            self._remember(rows)
        return rows, why

    def _parts(self, rule: Rule) -> list[tuple[str, int]]:
        """Return (line, amount) of what counts; one part for a purchase that counts as a whole."""
        if not self.lines:
            return [] if rule.conditions.asks_for_lines else [(WHOLE, self.amount)]
        if not rule.reads_lines:
            return [(WHOLE, self.amount)]
        return [
            (line.key, max(0, to_units(line.amount)))
            for line in self.lines
            if rule.conditions.take(line.product_id, line.category, line.kind)
        ]

    def _for_amount(
        self, rule: Rule, parts: list[tuple[str, int]], tier_id: int | None
    ) -> list[Given]:
        per = rule.per_amount or 0
        exact = [(line, base, base * rule.points) for line, base in parts] if per else []
        rows = _shared(rule, exact, per)
        times = self.terms.tiers.get(tier_id, UNITS_PER_ONE) if tier_id else UNITS_PER_ONE
        if rows and times > UNITS_PER_ONE:
            points = sum(row.points for row in rows)
            more = round_points(points * (times - UNITS_PER_ONE), UNITS_PER_ONE, rule.rounding)
            if more:
                base = from_units(sum(base for _line, base in parts))
                rows.append(Given(rule, TIER, base, more))
        return rows

    def _multiplied(self, rule: Rule, parts: list[tuple[str, int]]) -> list[Given]:
        """Return the extra points: (factor - 1) times what rules before gave for these parts."""
        more = Fraction(max(0, (rule.factor or 0) - UNITS_PER_ONE), UNITS_PER_ONE)
        exact: list[tuple[str, int, Fraction]] = []
        if parts[0][0] == WHOLE:
            of_lines = {line.key: to_units(line.amount) for line in self.lines}
            exact.append((WHOLE, self.amount, self.whole * more))
            exact += [(key, of_lines[key], points * more) for key, points in self.by_line.items()]
        else:
            # Points for the whole purchase belong to its lines by what was paid for each.
            paid = max(self.amount, sum(max(0, to_units(line.amount)) for line in self.lines))
            for key, base in parts:
                share = Fraction(self.whole * base, paid) + self.by_line.get(key, 0)
                exact.append((key, base, share * more))
        return _shared(rule, exact, 1)

    def _remember(self, rows: list[Given]) -> None:
        for row in rows:
            if row.line == WHOLE:
                self.whole += row.points
            elif row.line != TIER:
                self.by_line[row.line] = self.by_line.get(row.line, 0) + row.points


def _why_not_this_one(rule: Rule, member: Member) -> str:
    """Return why the purchase isn't the one that a rule waits for."""
    if rule.kind == Kind.FIRST:
        if member.purchases_before:
            return WhyNot.NOT_FIRST.value
        return WhyNot.HAD_BEFORE.value if rule.rule_id in member.had else ""
    if rule.kind == Kind.REPEAT and not member.purchases_before:
        return WhyNot.NOT_REPEAT.value
    if rule.kind == Kind.NTH and (not rule.nth or member.number % rule.nth):
        return WhyNot.NOT_NTH.value
    return ""


def _shared(
    rule: Rule, exact: Sequence[tuple[str, int, int | Fraction]], denominator: int
) -> list[Given]:
    """Return whole points for parts, given as (line, amount, points times the denominator).

    Rounded part by part, or once: then each part gets what it adds to the rounded sum of those
    before it, so that the parts add up to the whole.
    """
    rows = []
    total: int | Fraction = 0
    told = 0
    for line, base, numerator in exact:
        total = numerator if rule.per == Per.LINE else total + numerator
        told = 0 if rule.per == Per.LINE else told
        points = (
            round_points(total.numerator, total.denominator * denominator, rule.rounding) - told
        )
        told += points
        if points:
            rows.append(Given(rule, line, from_units(base), points))
    return rows


def limited(rule: Rule, rows: list[Given], member: Member) -> tuple[list[Given], str]:
    """Return what is left of rows under a rule's control group and caps, and why not all."""
    if is_held_out(rule, member.person_id):
        return [Given(rule, WHOLE, None, 0)], WhyNot.HOLDOUT.value
    caps = rule.caps
    left = [] if caps.per_order is None else [caps.per_order]
    if caps.per_day is not None:
        left.append(caps.per_day - member.earned_today.get(rule.rule_id, 0))
    if caps.per_member is not None:
        left.append(caps.per_member - member.earned_in_window.get(rule.rule_id, 0))
    if not left or sum(row.points for row in rows) <= min(left):
        return rows, ""
    allowed = max(0, min(left))
    kept = []
    for row in rows:
        points = min(row.points, allowed)
        allowed -= points
        if points:
            kept.append(row._replace(points=points))
    return kept, WhyNot.CAPPED.value


def is_held_out(rule: Rule | RuleVersion, person_id: int) -> bool:
    """Whether a person is in a rule's control group; the same answer for ever."""
    if not rule.holdout_percent or not person_id:
        return False
    drawn = hashlib.sha256(f"{rule.salt}:{person_id}".encode()).digest()
    return int.from_bytes(drawn[:8]) % SHARES < rule.holdout_percent * SHARES // 100


def round_points(numerator: int, denominator: int, rounding: str) -> int:
    """Return whole points for a fraction of points that is not negative."""
    if rounding == Rounding.UP:
        return -(-numerator // denominator)
    if rounding == Rounding.HALF_UP:
        return (2 * numerator + denominator) // (2 * denominator)
    return numerator // denominator
