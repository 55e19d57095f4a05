"""Figures as a run found them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q

from common.money import from_units
from metrics.figures import Figure, document
from metrics.kpis import KPIS
from metrics.models import RecomputeRun, SliceSet, Snapshot
from metrics.selectors.runs import shown_run
from metrics.slices import DIMENSIONS

UNITS = ("month", "quarter", "year", "all")


def find_snapshot(
    run: RecomputeRun, key: str, period: str, *, dimension: str = ""
) -> Snapshot | None:
    """Return a run's figure for a period (empty: everything up to as_of); one query.

    dimension: the slice it is of, such as ``location=north``; empty for everybody.
    """
    found = Snapshot.objects.filter(run=run, kpi=key, period=period, dimension=dimension).first()
    if found is not None:
        found.run = run
    return found


def list_latest(
    *,
    keys: Collection[str] | None = None,
    units: Collection[str] = UNITS,
    periods: Collection[str] | None = None,
    dimensions: Collection[str] = ("",),
    since: date | None = None,
    run: RecomputeRun | None = None,
) -> list[Snapshot]:
    """Return the figures the pages show, oldest period first, each with its run; two queries.

    run: the one they show, where it is known already; then one query.

    They are of the last recompute of the present moment, else of the last one of any.

    keys: of which figures (default: all).  periods: only these.  since: only periods that began
    on this local day or later.  dimensions: of which slices; empty for everybody.
    """
    run = run or shown_run()
    if run is None:
        return []
    found = Snapshot.objects.filter(run=run, unit__in=units, dimension__in=dimensions)
    if keys is not None:
        found = found.filter(kpi__in=keys)
    if periods is not None:
        found = found.filter(period__in=periods)
    if since is not None:
        found = found.filter(Q(starts_on__gte=since) | Q(unit="all"))
    rows = list(found.order_by("kpi", "unit", "starts_on", "dimension"))
    for row in rows:
        row.run = run
    return rows


def list_sliced(key: str, period: str, *, dimension: str) -> list[tuple[SliceSet, Snapshot]]:
    """Return a figure of one period for every value of a dimension, the largest first.

    dimension: ``location``, ``tag``, …; of the run the pages show. Three queries. A slice in
    which there is nothing has no figure and is left out.
    """
    run = shown_run()
    if run is None:
        return []
    slices = list_slices(run, dimension=dimension)
    found = {
        one.dimension: one
        for one in Snapshot.objects.filter(
            run=run, kpi=key, period=period, dimension__startswith=f"{dimension}="
        )
    }
    pairs = [(one, found[one.dimension]) for one in slices if one.dimension in found]
    for _slice, snapshot in pairs:
        snapshot.run = run
    return pairs


def list_slices(run: RecomputeRun, *, dimension: str = "") -> list[SliceSet]:
    """Return the slices a run's figures are kept for, the largest of each dimension first.

    dimension: only its values. One query.
    """
    slices = SliceSet.objects.filter(run=run)
    if dimension:
        slices = slices.filter(dimension__startswith=f"{dimension}=")
    places = {name: place for place, name in enumerate(DIMENSIONS)}
    return sorted(
        slices, key=lambda one: (places[one.dimension.partition("=")[0]], -one.size, one.dimension)
    )


def figure_from(snapshot: Snapshot) -> Figure:
    """Return the figure a snapshot keeps, without its sets."""
    kpi = KPIS[snapshot.kpi]
    numerator: Decimal | int = snapshot.numerator
    denominator = snapshot.denominator
    return Figure(
        kpi=kpi,
        period=snapshot.period,
        unit=snapshot.unit,
        value=snapshot.value,
        numerator=numerator if kpi.numerator_is_money else int(numerator),
        denominator=from_units(denominator) if kpi.denominator_is_money else denominator,
        low=snapshot.low,
        high=snapshot.high,
        is_complete=snapshot.is_complete,
        flags=snapshot.flags,
        dimension=snapshot.dimension,
    )


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as ``kpi --json`` and the API print it."""
    run = snapshot.run
    found: dict[str, Any] = document(
        figure_from(snapshot),
        as_of=run.as_of,
        known_at=run.known_at,
        computed_at=run.finished_at or run.requested_at,
    )
    return found
