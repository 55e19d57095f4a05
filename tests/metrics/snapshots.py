"""A run and its figures written down as they are, for tests of what pages say about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from pyroaring import BitMap

from common.time import Period
from crm.models import Customer
from metrics.figures import UNITS_OF_ONE
from metrics.intervals import wilson
from metrics.kpis import KPIS
from metrics.kpis.base import DENOMINATOR, NUMERATOR
from metrics.models import MemberSet, RecomputeRun, SliceSet, Snapshot, SnapshotSet

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Sets = Mapping[str, Sequence[Customer]]


def make_run(*, first_day: date = date(2024, 1, 1), last_day: date = date(2026, 2, 27)) -> Any:
    return RecomputeRun.objects.create(
        status=RecomputeRun.Status.DONE,
        actor="system:test",
        as_of=NOW,
        known_at=NOW,
        requested_at=NOW,
        started_at=NOW,
        finished_at=NOW,
        first_day=first_day,
        last_day=last_day,
    )


def make_set(people: Sequence[Customer]) -> MemberSet:
    content = BitMap([one.pk for one in people]).serialize()
    digest = hashlib.sha256(content).hexdigest()[:32]
    return MemberSet.objects.get_or_create(
        digest=digest, defaults={"size": len(people), "members": content}
    )[0]


def make_figure(
    run: RecomputeRun,
    key: str,
    period: str,
    *,
    sets: Sets | None = None,
    numerator: int | Decimal | None = None,
    denominator: int | Decimal | None = None,
    value: Decimal | None = None,
    bounds: tuple[Decimal, Decimal] | None = None,
    dimension: str = "",
    flags: Sequence[str] = (),
    is_complete: bool = True,
) -> Snapshot:
    """Numerator and denominator are the sizes of the sets called so, unless they are given."""
    kpi, sets = KPIS[key], sets or {}
    top = Decimal(len(sets.get(NUMERATOR, ())) if numerator is None else numerator)
    bottom = Decimal(len(sets.get(DENOMINATOR, ())) if denominator is None else denominator)
    if value is None and bottom and is_complete:
        value = (top * kpi.factor / bottom).quantize(Decimal("0.000001"))
    if bounds is None and kpi.interval == "wilson" and bottom and is_complete:
        low, high = wilson(int(top), int(bottom)) or (Decimal(0), Decimal(0))
        bounds = Decimal(low) * 100, Decimal(high) * 100
    kept = int(bottom * UNITS_OF_ONE) if kpi.denominator_is_money else int(bottom)
    snapshot = Snapshot.objects.create(
        run=run,
        kpi=key,
        period=period,
        unit=unit_of(period),
        dimension=dimension,
        starts_on=first_day_of(period),
        value=value,
        numerator=top,
        denominator=kept,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        is_complete=is_complete,
        flags=list(flags),
        definition_hash=kpi.definition_hash,
    )
    if not dimension:
        for name, people in sets.items():
            if people:
                SnapshotSet.objects.create(snapshot=snapshot, name=name, members=make_set(people))
    return snapshot


def first_day_of(period: str) -> date | None:
    if period.endswith("d"):
        return NOW.date() - timedelta(days=int(period[:-1]))
    return Period.parse(period).first_day if period else None


def make_slice(
    run: RecomputeRun, dimension: str, people: Sequence[Customer], label: str
) -> SliceSet:
    return SliceSet.objects.create(
        run=run, dimension=dimension, label=label, size=len(people), members=make_set(people)
    )


def unit_of(period: str) -> str:
    if not period:
        return "all"
    return "trailing" if period.endswith("d") else Period.parse(period).unit
