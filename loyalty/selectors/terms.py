"""The programme's promise as plain values: which terms and rules were in force when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from common.money import to_units
from loyalty.models import EarningRule, Programme, RuleVersion, TermsVersion, Tier
from loyalty.selectors.conditions import Caps, Conditions

Kind = EarningRule.Kind
PURCHASE_KINDS = frozenset(
    kind.value
    for kind in (Kind.AMOUNT, Kind.MULTIPLIER, Kind.BONUS, Kind.FIRST, Kind.REPEAT, Kind.NTH)
)
NEVER = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
SLACK = timedelta(minutes=1)  # a change may have been under way when the terms were read


@dataclass(frozen=True, slots=True)
class Rule:
    """A version of a rule, as plain values; see :class:`RuleVersion` for what they mean.

    per_amount, factor: in 1/10,000; None where the kind has none.
    """

    rule_id: int
    version_id: int
    kind: str
    name: str
    points: int
    per_amount: int | None
    factor: int | None
    nth: int | None
    friend_points: int
    rounding: str
    per: str
    position: int
    is_exclusive: bool
    is_active: bool
    conditions: Conditions
    caps: Caps
    holdout_percent: int
    salt: str
    valid_from: datetime
    version: RuleVersion

    @classmethod
    def of(cls, version: RuleVersion) -> Rule:
        """Return what a version says. Its rule must have been read with it."""
        return cls(
            rule_id=version.rule_id,
            version_id=version.pk,
            kind=str(version.rule.kind),
            name=version.rule.name,
            points=version.points,
            per_amount=None if version.per_amount is None else to_units(version.per_amount),
            factor=None if version.factor is None else to_units(version.factor),
            nth=version.nth,
            friend_points=version.friend_points,
            rounding=str(version.rounding),
            per=str(version.per),
            position=version.position,
            is_exclusive=version.is_exclusive,
            is_active=version.is_active,
            conditions=Conditions.parse(version.conditions),
            caps=Caps.parse(version.caps),
            holdout_percent=version.holdout_percent,
            salt=version.salt,
            valid_from=version.valid_from,
            version=version,
        )

    @property
    def reads_lines(self) -> bool:
        """Whether it needs to know the lines of a purchase."""
        by_line = self.per == RuleVersion.Per.LINE and self.kind in {Kind.AMOUNT, Kind.MULTIPLIER}
        return by_line or self.conditions.chooses_lines


class Asks(NamedTuple):
    """What has to be read of purchases and members for the rules to be reckoned.

    lines: of the purchases.  before: whether anything was bought before.  number: which purchase it
    is.  tiers: of the members.  audiences: ids.  capped: rules that depend on what was earned
    before.  once: ids of rules that pay once.  person: whose record it is.
    """

    lines: bool
    before: bool
    number: bool
    tiers: bool
    audiences: frozenset[int]
    capped: tuple[Rule, ...]
    once: frozenset[int]
    person: bool

    @property
    def of_buyers(self) -> bool:
        """Whether anything about the buyers has to be read."""
        return self._replace(lines=False) != NOTHING

    @classmethod
    def of(cls, rules: Sequence[Rule], *, tiers_multiply: bool) -> Asks:
        """Return what these rules ask for."""
        kinds = {rule.kind for rule in rules}
        audiences = frozenset(
            rule.conditions.audience for rule in rules if rule.conditions.audience is not None
        )
        capped = tuple(rule for rule in rules if rule.caps.asks_for_past)
        return cls(
            lines=any(rule.reads_lines for rule in rules),
            before=bool(kinds & {Kind.FIRST, Kind.REPEAT}),
            number=Kind.NTH in kinds,
            tiers=any(rule.conditions.tiers for rule in rules)
            or (tiers_multiply and Kind.AMOUNT in kinds),
            audiences=audiences,
            capped=capped,
            once=frozenset(rule.rule_id for rule in rules if rule.kind == Kind.FIRST),
            person=any(rule.holdout_percent for rule in rules),
        )

    def joined(self, other: Asks) -> Asks:
        """Return what both ask for."""
        return Asks(
            lines=self.lines or other.lines,
            before=self.before or other.before,
            number=self.number or other.number,
            tiers=self.tiers or other.tiers,
            audiences=self.audiences | other.audiences,
            capped=(*self.capped, *(one for one in other.capped if one not in self.capped)),
            once=self.once | other.once,
            person=self.person or other.person,
        )


NOTHING = Asks(False, False, False, False, frozenset(), (), frozenset(), False)


class InForce(NamedTuple):
    """The rules between two changes, in the order in which they are reckoned."""

    rules: tuple[Rule, ...]
    for_purchases: tuple[Rule, ...]
    asks: Asks


@dataclass(frozen=True, slots=True)
class Terms:
    """All that earning depends on.

    conditions: the programme's terms, oldest first.  rules: every version of every rule, oldest
    first.  tiers: id → how many times the points of an amount rule, in 1/10,000.
    read_at: when they were read; a change never reaches back, so they hold for what was bought
        before.
    """

    starts_at: datetime
    currency: str
    conditions: tuple[TermsVersion, ...]
    rules: tuple[Rule, ...]
    tiers: Mapping[int, int] = field(default_factory=dict)
    read_at: datetime = NEVER
    _changes: tuple[datetime, ...] = field(init=False, compare=False)
    _in_force: tuple[InForce, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what is in force between two changes."""
        changes = sorted({rule.valid_from for rule in self.rules})
        multiply = any(times != to_units(Decimal(1)) for times in self.tiers.values())
        in_force = [self._rules_from(moment, multiply) for moment in [NEVER, *changes]]
        object.__setattr__(self, "_changes", tuple(changes))
        object.__setattr__(self, "_in_force", tuple(in_force))

    @classmethod
    def of(
        cls,
        programme: Programme,
        conditions: Iterable[TermsVersion],
        versions: Iterable[RuleVersion],
        tiers: Iterable[Tier] = (),
        read_at: datetime = NEVER,
    ) -> Terms:
        """Return the terms of a programme, its versions given in any order, rules read along."""
        return cls(
            starts_at=programme.starts_at,
            currency=programme.currency,
            conditions=tuple(sorted(conditions, key=lambda version: version.valid_from)),
            rules=tuple(
                sorted(map(Rule.of, versions), key=lambda rule: (rule.valid_from, rule.rule_id))
            ),
            tiers={tier.pk: to_units(Decimal(tier.multiplier)) for tier in tiers},
            read_at=read_at,
        )

    def hold_for(self, moments: Iterable[datetime]) -> bool:
        """Whether no change made since they were read can concern purchases made then."""
        return max(moments) < self.read_at - SLACK

    def conditions_at(self, moment: datetime) -> TermsVersion:
        """Return the programme's terms in force at ``moment``; before the first, those."""
        found = self.conditions[0]
        for version in self.conditions:
            if version.valid_from > moment:
                break
            found = version
        return found

    def in_force_at(self, moment: datetime) -> InForce:
        """Return the rules in force at ``moment``."""
        return self._in_force[bisect_right(self._changes, moment)]

    def rules_at(self, moment: datetime) -> tuple[Rule, ...]:
        """Return the rules of every kind in force at ``moment``, in their order."""
        return self.in_force_at(moment).rules

    def asks_at(self, moments: Iterable[datetime]) -> Asks:
        """Return what purchases made then ask for."""
        found = NOTHING
        for place in {bisect_right(self._changes, moment) for moment in moments}:
            found = found.joined(self._in_force[place].asks)
        return found

    def bonus_asks_at(self, kind: str, at: datetime) -> Asks:
        """Return what the rules of another kind, in force at ``at``, ask for."""
        rules = [rule for rule in self.rules_at(at) if rule.kind == kind]
        return Asks.of(rules, tiers_multiply=False)

    def _rules_from(self, moment: datetime, tiers_multiply: bool) -> InForce:
        latest = {rule.rule_id: rule for rule in self.rules if rule.valid_from <= moment}
        rules = sorted(
            (rule for rule in latest.values() if rule.is_active),
            key=lambda rule: (rule.position, rule.rule_id),
        )
        paying = tuple(rule for rule in rules if rule.kind in PURCHASE_KINDS)
        return InForce(tuple(rules), paying, Asks.of(paying, tiers_multiply=tiers_multiply))
