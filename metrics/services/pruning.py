"""Deleting what newer recomputes replaced, a portion at a time."""

from __future__ import annotations

from typing import Any

from django.db import connection, models
from django.db.models import Exists, OuterRef

from metrics.models import (
    CohortCell,
    MapCell,
    MemberSet,
    RecomputeRun,
    SliceSet,
    Snapshot,
    SnapshotSet,
)
from metrics.services.writing import CHUNK_SETS, chunks

KEPT_RUNS = 2  # of the present moment; a reader may still be in the one before
KEPT_PINNED_RUNS = 10
KEPT_FAILURES = 5
# Rows deleted at a time: SQLite lets nobody else write meanwhile.
PORTION = {"sqlite": 2_000, "postgresql": 100_000}


def prune_runs() -> None:
    """Delete figures that newer ones replaced or whose run failed, and sets no figure needs."""
    runs = RecomputeRun.objects.order_by("-finished_at", "-id")
    done = runs.filter(status=RecomputeRun.Status.DONE)
    failed = runs.filter(status=RecomputeRun.Status.FAILED)
    old = [
        *done.filter(is_pinned=False)[KEPT_RUNS:],
        *done.filter(is_pinned=True)[KEPT_PINNED_RUNS:],
    ]
    forgotten = failed[KEPT_FAILURES:]
    for run in [*old, *failed]:
        _empty(run)
    for run in [*old, *forgotten]:
        run.delete()
    if old or failed:
        _drop_unused_sets()


def _empty(run: RecomputeRun) -> None:
    _delete(SnapshotSet, snapshot__run=run)
    for model in (CohortCell, MapCell, SliceSet, Snapshot):
        _delete(model, run=run)


def _delete(model: type[models.Model], **which: Any) -> None:
    manager = model._default_manager
    wanted = manager.filter(**which).order_by("pk").values_list("pk", flat=True)
    while keys := list(wanted[: PORTION[connection.vendor]]):
        manager.filter(**which, pk__lte=keys[-1])._raw_delete("default")


def _drop_unused_sets() -> None:
    used = [
        ~Exists(model._default_manager.filter(members=OuterRef("pk")))
        for model in (SnapshotSet, CohortCell, MapCell, SliceSet)
    ]
    unused = list(MemberSet.objects.filter(*used).values_list("pk", flat=True))
    for keys in chunks(unused, CHUNK_SETS):
        MemberSet.objects.filter(pk__in=keys)._raw_delete("default")
