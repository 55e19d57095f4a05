"""Rules, terms and purchases in a line each, for examples of what an order earns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from loyalty.models import EarningRule, Programme, RuleVersion, TermsVersion, Tier
from loyalty.selectors.earning import Earning, Line, Terms, earning_of
from tests.cast import NOON

DOWN, HALF_UP, UP = RuleVersion.Rounding.values
AMOUNT = {"points": 1, "per_amount": Decimal(1)}


def version(
    points: int = 1, per: str = "1", rounding: str = DOWN, valid_from: datetime = NOON
) -> RuleVersion:
    return rule(points=points, per_amount=Decimal(per), rounding=rounding, valid_from=valid_from)


def rule(kind: str = "amount", *, pk: int = 1, **fields: Any) -> RuleVersion:
    """A version of a rule of its own."""
    positions = {"amount": 100, "multiplier": 200}
    defaults: dict[str, Any] = {"valid_from": NOON, "position": positions.get(kind, 300)}
    of = EarningRule(pk=pk, kind=kind, name=f"Rule {pk}")
    return RuleVersion(pk=pk * 10, rule=of, **(defaults | fields))


def terms(*versions: RuleVersion, pending_days: int = 14, tiers: Sequence[Tier] = ()) -> Terms:
    promised = [TermsVersion(valid_from=NOON, pending_days=pending_days)]
    return Terms.of(Programme(starts_at=NOON, currency="USD"), promised, versions, tiers)


def earned(promised: Terms, amount: str | int = "100", **fields: Any) -> Earning:
    """What a purchase at noon earns; with lines, their sum."""
    if lines := fields.get("lines"):
        amount = str(sum(one.amount for one in lines))
    at = {"currency": "USD", "ordered_at": NOON, "delivered_at": NOON}
    return earning_of(promised, amount=Decimal(amount), **(at | fields))


def line(product: int, amount: str | int, category: str = "", kind: str = "other") -> Line:
    return Line(f"{product}:1", product, category, kind, Decimal(amount))


def rows(earning: Earning) -> list[tuple[int, str, str | None, int]]:
    """(rule, line, base, points) of what was given."""
    return [
        (one.rule.rule_id, one.line, None if one.base is None else f"{one.base:.2f}", one.points)
        for one in earning.lines
    ]


def whys(earning: Earning) -> list[str]:
    return [one.why for one in earning.outcomes]


def points_for(amount: Decimal, paid: RuleVersion) -> int:
    return earned(terms(paid), str(amount)).points
