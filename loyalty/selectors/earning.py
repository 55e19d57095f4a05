"""What an order earns, and why: one pure function for accrual, simulation and the public terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from common.time import local_date, start_of_day
from loyalty.models import PointsTransaction, Programme, RuleVersion, TermsVersion

ROUNDINGS = {
    RuleVersion.Rounding.DOWN.value: ROUND_FLOOR,
    RuleVersion.Rounding.HALF_UP.value: ROUND_HALF_UP,
    RuleVersion.Rounding.UP.value: ROUND_CEILING,
}
Reason = PointsTransaction.Reason


@dataclass(frozen=True, slots=True)
class Terms:
    """The programme's promise, as plain values: all that earning depends on.

    conditions, versions: of the programme and of the one rule, oldest first.
    """

    starts_at: datetime
    currency: str
    conditions: tuple[TermsVersion, ...]
    versions: tuple[RuleVersion, ...]

    @classmethod
    def of(
        cls,
        programme: Programme,
        conditions: Sequence[TermsVersion],
        versions: Sequence[RuleVersion],
    ) -> Terms:
        """Return the terms of a programme with their versions and its rule's, in any order."""
        return cls(
            starts_at=programme.starts_at,
            currency=programme.currency,
            conditions=tuple(sorted(conditions, key=lambda version: version.valid_from)),
            versions=tuple(sorted(versions, key=lambda version: version.valid_from)),
        )

    def conditions_at(self, moment: datetime) -> TermsVersion:
        """Return the programme's terms in force at ``moment``; before the first, those."""
        in_force = [version for version in self.conditions if version.valid_from <= moment]
        return in_force[-1] if in_force else self.conditions[0]

    def version_at(self, moment: datetime) -> RuleVersion | None:
        """Return the version in force at ``moment``, if any."""
        in_force = [version for version in self.versions if version.valid_from <= moment]
        return in_force[-1] if in_force else None


@dataclass(frozen=True, slots=True)
class Earning:
    """What an order earns. Zero points come with the reason why.

    ``[available_from, expires_at)`` is when the points can be used; ``expires_at`` None: for ever.
    """

    points: int
    reason: str
    version: RuleVersion | None
    available_from: datetime
    expires_at: datetime | None


def points_for(amount: Decimal, version: RuleVersion) -> int:
    """Return the whole points that an amount earns under a version; nothing for nothing."""
    if amount <= 0 or not version.per_amount:
        return 0
    exact = amount * version.points / version.per_amount
    return int(exact.to_integral_value(rounding=ROUNDINGS[version.rounding]))


def earning_of(
    terms: Terms, *, amount: Decimal, currency: str, ordered_at: datetime, delivered_at: datetime
) -> Earning:
    """Return what an order earns under ``terms``; the rule in force when it was made counts.

    Whether it takes part at all (made live, by a known customer, delivered, not before the start)
    is for the caller: ``selectors.due_orders``.
    """
    conditions = terms.conditions_at(ordered_at)
    available_from = usable_from(delivered_at, conditions.pending_days)
    expires_at = usable_until(available_from, conditions)
    version = terms.version_at(ordered_at)
    points, reason = 0, Reason.PURCHASE
    if version is None:
        reason = Reason.NO_RULE
    elif currency != terms.currency:
        reason = Reason.OTHER_CURRENCY
    else:
        points = points_for(amount, version)
        reason = Reason.PURCHASE if points else Reason.TOO_SMALL
    return Earning(points, reason.value, version, available_from, expires_at)


def usable_from(delivered_at: datetime, pending_days: int) -> datetime:
    """Return when points of a delivery become usable: when the day after the return window begins.

    The window's last day is ``pending_days`` local days after the day of delivery. Without a
    window they are usable at once.
    """
    if pending_days == 0:
        return delivered_at
    return start_of_day(local_date(delivered_at) + timedelta(days=pending_days + 1))


def usable_until(available_from: datetime, conditions: TermsVersion) -> datetime | None:
    """Return the end of the local day on which points usable from then lapse; None: for ever."""
    if conditions.expiry != TermsVersion.Expiry.DAYS or not conditions.expiry_count:
        return None
    last = local_date(available_from) + timedelta(days=conditions.expiry_count)
    return start_of_day(last + timedelta(days=1))
