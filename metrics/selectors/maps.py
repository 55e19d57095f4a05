"""Maps of customers as a run found them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q

from common.time import local_date, start_of_day
from metrics.models import MapCell, MemberSet, RecomputeRun
from metrics.selectors.people import bitmap_of, find_slice_set, union_of, within


@dataclass(frozen=True, slots=True)
class Place:
    """Who stands at a place. amount: what they add up to; None of some of the customers only."""

    x: int
    y: int
    customers: int
    amount: Decimal | None


def list_places(run: RecomputeRun, name: str, *, dimension: str = "") -> list[Place]:
    """Return the places of a map at which there is anybody; one query, two of a slice.

    dimension: only customers of a slice of the run, such as ``location=north``.
    """
    cells = MapCell.objects.filter(run=run, map=name).order_by("y", "x")
    if not dimension:
        found = cells.values_list("x", "y", "customers", "amount")
        return [Place(*values) for values in found]
    slice_set = find_slice_set(run.pk, dimension)
    if slice_set is None:
        return []
    wanted = bitmap_of(slice_set)
    places = [
        Place(cell.x, cell.y, bitmap_of(cell.members).intersection_cardinality(wanted), None)
        for cell in cells.select_related("members")
    ]
    return [place for place in places if place.customers]


def list_earlier_runs(run: RecomputeRun, name: str) -> list[RecomputeRun]:
    """Return the runs kept that have a map as of an earlier local day; one of a day, newest first.

    One query.
    """
    found = RecomputeRun.objects.filter(
        Exists(MapCell.objects.filter(run=OuterRef("pk"), map=name)),
        status=RecomputeRun.Status.DONE,
        as_of__lt=start_of_day(local_date(run.as_of)),
    )
    by_day: dict[date, RecomputeRun] = {}
    for one in found.order_by("-as_of", "-known_at", "-id"):
        by_day.setdefault(local_date(one.as_of), one)
    return list(by_day.values())


def has_slice(run: RecomputeRun, dimension: str) -> bool:
    """Whether a run knows who is in a slice; one query."""
    return find_slice_set(run.pk, dimension) is not None


def find_places_set(
    run: RecomputeRun,
    name: str,
    *,
    places: Collection[tuple[int | None, int | None]],
    dimension: str = "",
) -> MemberSet:
    """Return who stands at any of some places; one query, two of a slice.

    places: x and y of each, None for any. Nobody where there are none.
    """
    wanted = Q(pk__in=[])
    for x, y in places:
        at = Q(map=name)
        if x is not None:
            at &= Q(x=x)
        if y is not None:
            at &= Q(y=y)
        wanted |= at
    cells = MapCell.objects.filter(run=run).filter(wanted).select_related("members")
    members = union_of([cell.members for cell in cells])
    if not dimension:
        return members
    return within(members, find_slice_set(run.pk, dimension))
