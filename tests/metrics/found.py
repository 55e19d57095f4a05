"""Runs with figures, cohorts and maps written down at once: their pages need no recompute."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from pyroaring import BitMap

from crm.models import Customer
from metrics.kpis import KPIS
from metrics.models import (
    CohortCell,
    MapCell,
    MemberSet,
    RecomputeRun,
    SliceSet,
    Snapshot,
    SnapshotSet,
)

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)


def found_run(*, first_day: str = "2024-01-01", last_day: str = "2026-02-28") -> RecomputeRun:
    return RecomputeRun.objects.create(
        status="done",
        actor="test",
        as_of=AS_OF,
        known_at=AS_OF,
        requested_at=AS_OF,
        started_at=AS_OF,
        finished_at=AS_OF,
        first_day=first_day,
        last_day=last_day,
    )


def found_set(people: Iterable[Customer]) -> MemberSet:
    bitmap = BitMap([one.pk for one in people])
    members = bitmap.serialize()
    digest = hashlib.blake2b(members, digest_size=16).hexdigest()
    return MemberSet.objects.get_or_create(
        digest=digest, defaults={"size": len(bitmap), "members": members}
    )[0]


def found_slice(run: RecomputeRun, dimension: str, people: list[Customer]) -> SliceSet:
    return SliceSet.objects.create(
        run=run,
        dimension=dimension,
        label=dimension.partition("=")[2],
        size=len(people),
        members=found_set(people),
    )


def found_cell(
    run: RecomputeRun,
    cohort: str,
    offset: int,
    people: list[Customer],
    *,
    amount: str = "0",
    profit: str | None = None,
) -> CohortCell:
    return CohortCell.objects.create(
        run=run,
        cohort=cohort,
        offset=offset,
        amount=Decimal(amount),
        profit=None if profit is None else Decimal(profit),
        members=found_set(people),
    )


def found_place(
    run: RecomputeRun, name: str, x: int, y: int, people: list[Customer], amount: str = "0"
) -> MapCell:
    return MapCell.objects.create(
        run=run,
        map=name,
        x=x,
        y=y,
        customers=len(people),
        amount=Decimal(amount),
        members=found_set(people),
    )


def found_figure(
    run: RecomputeRun,
    key: str,
    *,
    value: str | None,
    numerator: str = "0",
    denominator: int = 0,
    period: str = "",
    unit: str = "all",
    dimension: str = "",
    starts_on: str | None = None,
    low: str | None = None,
    high: str | None = None,
    sets: dict[str, list[Customer]] | None = None,
) -> Snapshot:
    found = Snapshot.objects.create(
        run=run,
        kpi=key,
        period=period,
        unit=unit,
        dimension=dimension,
        starts_on=starts_on,
        value=None if value is None else Decimal(value),
        numerator=Decimal(numerator),
        denominator=denominator,
        low=None if low is None else Decimal(low),
        high=None if high is None else Decimal(high),
        is_complete=True,
        definition_hash=KPIS[key].definition_hash,
    )
    for name, people in (sets or {}).items():
        SnapshotSet.objects.create(snapshot=found, name=name, members=found_set(people))
    return found
