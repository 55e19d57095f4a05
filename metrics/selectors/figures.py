"""Figures as a run found them."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django.db.models import Subquery

from common.money import from_units
from metrics.figures import Figure, document
from metrics.kpis import KPIS
from metrics.models import RecomputeRun, Snapshot

UNITS = ("month", "quarter", "year", "all")


def find_snapshot(run: RecomputeRun, key: str, period: str) -> Snapshot | None:
    """Return a run's figure for a period (empty: everything up to as_of); one query."""
    return (
        Snapshot.objects.filter(run=run, kpi=key, period=period, dimension="")
        .select_related("run")
        .first()
    )


def list_latest(
    *, keys: Collection[str] = tuple(KPIS), units: Collection[str] = UNITS
) -> list[Snapshot]:
    """Return the figures the pages show, oldest period first, each with its run; one query.

    They are of the last recompute of the present moment, else of the last one of any.
    """
    shown = (
        RecomputeRun.objects.filter(status=RecomputeRun.Status.DONE)
        .order_by("is_pinned", "-finished_at", "-id")
        .values("pk")[:1]
    )
    return list(
        Snapshot.objects.filter(run_id=Subquery(shown), kpi__in=keys, unit__in=units, dimension="")
        .select_related("run")
        .order_by("kpi", "unit", "starts_on")
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
