"""Taking points out of lots: which can be used, in what order, and how many a hold keeps back.

Call everything here with the account locked and after what time did was written
(``services/catch_up.py``): the lots are read from the tables as they are then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from loyalty.models import Bucket, PointsLot
from loyalty.services.ledger import ACTIVE, Draft, LockedAccount

Allocations = list[tuple[PointsLot, int]]


class TooFewPoints(Conflict):
    """Fewer points can be used than were asked for. context: ``missing``, ``available``."""

    code = "too_few_points"
    message = _("There are not enough points.")

    def __init__(self, *, missing: int, available: int, **context: Any) -> None:
        super().__init__(missing=missing, available=available, **context)
        self.missing = missing
        self.available = available


def usable_lots(account_id: int, clock: datetime) -> list[PointsLot]:
    """Return the lots with points that can be used at ``clock``, soonest-expiring first."""
    return list(
        PointsLot.objects.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=clock),
            account=account_id,
            bucket=Bucket.ACTIVE,
            available_from__lte=clock,
            remaining__gt=F("held"),
        ).order_by(F("expires_at").asc(nulls_last=True), "pk")
    )


def free_of(lot: PointsLot) -> int:
    """Return a lot's points that no hold sets aside."""
    return lot.remaining - lot.held


def available_in(lots: Sequence[PointsLot]) -> int:
    """Return how many points of these lots can be used."""
    return sum(free_of(lot) for lot in lots)


def check_available(lots: Sequence[PointsLot], points: int) -> None:
    """Refuse to take more than there is.

    :raises TooFewPoints: with what is missing and what there is.
    """
    available = available_in(lots)
    if points > available:
        raise TooFewPoints(missing=points - available, available=available)


def take(draft: Draft, lots: Sequence[PointsLot], points: int) -> int:
    """Take points out of lots, in their order, as far as they reach; return how many are missing.

    Held points stay. The other side of the entries is the caller's.
    """
    for lot in lots:
        taken = min(points, free_of(lot))
        if taken > 0:
            draft.move(lot, lot.bucket, -taken)
            points -= taken
    return points


def set_aside(account: LockedAccount, lots: Sequence[PointsLot], points: int) -> Allocations:
    """Hold points of usable lots back, soonest-expiring first; return how many of which.

    Changes ``held`` in memory: write it with ``store_held``, and the allocations as rows.

    :raises TooFewPoints: nothing was changed.
    """
    check_available(lots, points)
    allocations = []
    for lot in lots:
        kept = min(points, free_of(lot))
        if kept > 0:
            lot.held += kept
            account.held += kept
            points -= kept
            allocations.append((lot, kept))
    return allocations


def capture(draft: Draft, allocations: Allocations, points: int) -> Allocations:
    """Take points that a hold set aside, even of lots that expired since; return what is left.

    points: at most what was set aside. What is left still counts as held: ``draft_let_go`` ends it.
    """
    left = []
    for lot, kept in allocations:
        taken = min(points, kept)
        if taken:
            lot.held -= taken
            draft.account.held -= taken
            draft.move(lot, ACTIVE, -taken)
            points -= taken
        if kept > taken:
            left.append((lot, kept - taken))
    return left
