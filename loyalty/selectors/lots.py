"""The lots of which an account still has points."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q

from loyalty.models import Hold, HoldAllocation, PointsLot

MOST_LOTS = 200


def open_lots(account_id: int, at: datetime) -> list[PointsLot]:
    """Return lots with points left at the clock ``at``, pending ones too, soonest-expiring first.

    The first 200; a lot whose time is over counts only as far as a hold keeps some of it.
    """
    keeping = HoldAllocation.objects.filter(
        lot=OuterRef("pk"), hold__status=Hold.Status.OPEN, hold__expires_at__gt=at
    )
    lots = PointsLot.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=at) | Exists(keeping),
        account=account_id,
        remaining__gt=0,
    ).select_related("transaction")
    return list(lots.order_by(F("expires_at").asc(nulls_last=True), "pk")[:MOST_LOTS])
