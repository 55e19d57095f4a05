"""Who is away, and who stands in for them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import QuerySet

from common.errors import NotFound
from crm.models import Absence


def stand_ins_at(moment: datetime) -> dict[int, int]:
    """Return user id → id of who stands in for them at an instant, for who is away; one query.

    A stand-in who is away too is stood in for in turn. Who is away without anybody present to
    stand in is left out.
    """
    away = dict(
        Absence.objects.filter(starts_at__lte=moment, ends_at__gt=moment)
        .order_by("starts_at", "id")
        .values_list("user_id", "substitute_id")
    )
    found = {}
    for user_id in away:
        seen = {user_id}
        present = away[user_id]
        while present in away and present not in seen:
            seen.add(present)
            present = away[present]
        if present is not None and present not in seen:
            found[user_id] = present
    return found


def away_at(moment: datetime, *, user_ids: Collection[int]) -> set[int]:
    """Return which of these colleagues are away at an instant; one query."""
    absences = Absence.objects.filter(
        user_id__in=user_ids, starts_at__lte=moment, ends_at__gt=moment
    )
    return set(absences.values_list("user_id", flat=True))


def list_absences(*, ending_after: datetime) -> QuerySet[Absence]:
    """Return absences that are not over, soonest first."""
    return (
        Absence.objects.filter(ends_at__gt=ending_after)
        .select_related("user", "substitute")
        .order_by("starts_at", "id")
    )


def get_absence(ref: str) -> Absence:
    """Return one absence.

    :raises NotFound: no such absence.
    """
    absence = Absence.objects.select_related("user").filter(ref=ref).first()
    if absence is None:
        raise NotFound
    return absence
