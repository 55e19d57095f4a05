"""In which month a movement of points counts: when it was booked, and what time did when it did it.

A sweep that comes late must not move points from one month to the next, so what expired counts
when its time was over, whenever that was booked; a lot that was over before it came counts when
it came. What ends at midnight at the end of a month belongs to that month.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from loyalty.models import PointsTransaction

EXPIRE = PointsTransaction.Kind.EXPIRE


def booked_by(at: datetime) -> Q:
    """Lot entries that count up to ``at``, the end of a month."""
    return Q(transaction__recorded_at__lt=at) | Q(
        transaction__kind=EXPIRE,
        transaction__effective_at__lte=at,
        lot__transaction__recorded_at__lt=at,
    )


def expired_between(start: datetime, end: datetime) -> Q:
    """Lot entries of what expired in the months from ``start`` to ``end``."""
    return (
        Q(transaction__kind=EXPIRE, transaction__recorded_at__gte=start)
        & booked_by(end)
        & (Q(transaction__effective_at__gt=start) | Q(lot__transaction__recorded_at__gte=start))
    )


def recorded_between(start: datetime, end: datetime) -> Q:
    """Entries of everything else in the months from ``start`` to ``end``."""
    return ~Q(transaction__kind=EXPIRE) & Q(
        transaction__recorded_at__gte=start, transaction__recorded_at__lt=end
    )
