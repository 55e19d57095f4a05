"""Taking back points that were earned: from their own lots, then others, then as debt."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from loyalty.models import Bucket, PointsLot
from loyalty.services.consumption import take
from loyalty.services.ledger import REVERSED, Draft


def take_back(
    draft: Draft, own: Iterable[PointsLot], others: Callable[[], list[PointsLot]], points: int
) -> None:
    """Enter the taking back of points; held ones stay.

    own: the lots they came in; those still pending are taken first.
    others: called only if these don't suffice: the account's usable lots, soonest-expiring first,
    the same objects for the same lots. What is missing then becomes debt.
    """
    first = sorted(own, key=lambda lot: (lot.bucket != Bucket.PENDING, lot.pk))
    missing = take(draft, first, points)
    if missing:
        missing = take(draft, others(), missing)
    draft.owe(missing)
    draft.enter(REVERSED, points)
