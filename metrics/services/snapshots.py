"""Keeping what a run found, in transactions short enough not to hold up anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Exists, OuterRef

from common.money import from_units, to_units
from common.time import local_date
from crm.services import push_stages
from metrics.facts.sync import sync_facts
from metrics.figures import Figure
from metrics.kpis import KPIS
from metrics.models import CohortCell, MemberSet, RecomputeRun, Snapshot, SnapshotSet
from metrics.windows import Window, windows_kept

CHUNK_ROWS = 400
CHUNK_BYTES = 2_000_000
KEPT_RUNS = 2  # of the present moment; a reader may still be in the one before
KEPT_PINNED_RUNS = 10
KEPT_FAILURES = 5

Item = TypeVar("Item")


def write_figures(run: RecomputeRun, *, now: datetime, full: bool) -> None:
    """Compute every figure for ``run`` and write snapshots and cohort cells.

    A run of the present moment also tells crm where each customer stands on the journey.
    """
    from metrics.compute import computing
    from metrics.engines.stages import stages

    synced = sync_facts(now=now, full=full)
    cut: dict[str, Any] = {"as_of": run.as_of, "known_at": run.known_at}
    sets = _Sets()
    figures: list[tuple[Figure, Window]] = []
    with computing(synced.store, engine=run.engine, **cut) as computation:
        first_day, last_day = computation.fact_days
        windows = windows_kept(first_day=first_day, last_day=last_day, **cut)
        for kpi in KPIS.values():
            mine = [window for window in windows if window.unit != "all" or kpi.per == "as_of"]
            figures += zip(computation.figures(kpi, mine), mine, strict=True)
        months = [window for window in windows if window.unit == "month"]
        months = _without_gaps(months)
        cells = [
            CohortCell(
                run=run,
                cohort=months[cell.cohort].name,
                offset=cell.month - cell.cohort,
                amount=from_units(cell.amount),
                members_id=sets.place(cell.members),
            )
            for cell in computation.cohort_cells(months)
        ]
        run.first_day, run.last_day = computation.first_day, computation.last_day
        where = {} if run.is_pinned else stages(computation.orders, run.as_of)
    wanted = [
        [(name, sets.place(ids)) for name, ids in figure.sets.items() if len(ids)]
        for figure, _window in figures
    ]
    keys = sets.write()
    for chunk in _chunks(zip(figures, wanted, strict=True), CHUNK_ROWS):
        _write_snapshots(run, chunk, keys)
    for cell in cells:
        cell.members_id = keys[cell.members_id]
    for some in _chunks(cells, CHUNK_ROWS):
        CohortCell.objects.bulk_create(some)
    if not run.is_pinned:
        push_stages(stages=where)
    run.figures = len(figures)


@transaction.atomic
def _write_snapshots(run: RecomputeRun, chunk: Iterable[Any], keys: list[int]) -> None:
    rows, links = [], []
    for (figure, window), sets in chunk:
        row = Snapshot(
            run=run,
            kpi=figure.kpi.key,
            period=figure.period,
            unit=figure.unit,
            starts_on=local_date(window.start) if figure.period else None,
            value=figure.value,
            numerator=figure.numerator,
            denominator=_kept(figure.denominator),
            low=figure.low,
            high=figure.high,
            is_complete=figure.is_complete,
            flags=figure.flags,
            definition_hash=figure.kpi.definition_hash,
        )
        rows.append(row)
        links += [(row, name, keys[place]) for name, place in sets]
    Snapshot.objects.bulk_create(rows)
    SnapshotSet.objects.bulk_create(
        [SnapshotSet(snapshot=row, name=name, members_id=key) for row, name, key in links]
    )


def _kept(number: int | Decimal) -> int:
    """A denominator as it is kept: amounts in 1/10,000."""
    return to_units(number) if isinstance(number, Decimal) else number


class _Sets:
    """The sets of a run, each once: a figure remembers its place here until it has a row."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._ids: list[Any] = []

    def place(self, ids: Any) -> int:
        import numpy as np

        array = np.ascontiguousarray(ids, dtype="<u8")
        digest = hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()
        if digest not in self._places:
            self._places[digest] = len(self._ids)
            self._ids.append(array)
        return self._places[digest]

    def write(self) -> list[int]:
        """Write the sets that are not kept yet; the primary key for each place."""
        from array import array

        from pyroaring import BitMap

        for digests in _chunks(list(self._places), CHUNK_ROWS):
            known = set(
                MemberSet.objects.filter(digest__in=digests).values_list("digest", flat=True)
            )
            rows: list[MemberSet] = []
            for digest in digests:
                if digest in known:
                    continue
                ids = self._ids[self._places[digest]]
                bitmap = BitMap(array("I", ids.astype("uint32").tobytes()))
                bitmap.run_optimize()
                rows.append(MemberSet(digest=digest, size=len(ids), members=bitmap.serialize()))
                if sum(len(row.members) for row in rows) > CHUNK_BYTES:
                    MemberSet.objects.bulk_create(rows)
                    rows = []
            MemberSet.objects.bulk_create(rows)
        keys = [0] * len(self._ids)
        for digests in _chunks(list(self._places), CHUNK_ROWS):
            for digest, key in MemberSet.objects.filter(digest__in=digests).values_list(
                "digest", "pk"
            ):
                keys[self._places[digest]] = key
        return keys


def prune_runs() -> None:
    """Delete figures that newer ones replaced, and sets no figure needs."""
    runs = RecomputeRun.objects.order_by("-finished_at", "-id")
    done = runs.filter(status=RecomputeRun.Status.DONE)
    old = [
        *done.filter(is_pinned=False)[KEPT_RUNS:],
        *done.filter(is_pinned=True)[KEPT_PINNED_RUNS:],
        *runs.filter(status=RecomputeRun.Status.FAILED)[KEPT_FAILURES:],
    ]
    for run in old:
        CohortCell.objects.filter(run=run)._raw_delete("default")
        SnapshotSet.objects.filter(snapshot__run=run)._raw_delete("default")
        Snapshot.objects.filter(run=run)._raw_delete("default")
        run.delete()
    if old:
        used = [
            ~Exists(model.objects.filter(members=OuterRef("pk")))
            for model in (SnapshotSet, CohortCell)
        ]
        unused = list(MemberSet.objects.filter(*used).values_list("pk", flat=True))
        for keys in _chunks(unused, CHUNK_ROWS):
            MemberSet.objects.filter(pk__in=keys)._raw_delete("default")


def _without_gaps(months: list[Window]) -> list[Window]:
    """The last months that follow each other: long after the last purchase there are gaps."""
    kept: list[Window] = []
    for month in months:
        if kept and kept[-1].end != month.start:
            break
        kept.append(month)
    return kept


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
