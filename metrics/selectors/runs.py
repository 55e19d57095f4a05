"""Which figures are the present ones, and whether they still hold."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max, Q, Subquery

from common.time import now, start_of_day
from crm.models import ImportBatch, Merge
from metrics.facts.marks import newest_sql
from metrics.kpis import KPIS
from metrics.kpis.base import Kpi
from metrics.models import RecomputeRun, Snapshot

Status = RecomputeRun.Status
_Import = ImportBatch.Status
WRITING = (_Import.QUEUED, _Import.RUNNING, _Import.UNDOING)
ENDED = (_Import.DONE, _Import.FAILED, _Import.STOPPED, _Import.UNDONE)  # with what they wrote
LONGEST_WAIT = timedelta(hours=1)  # for an import
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
# So many days without purchases don't make a period unfinished; fewer than a month has.
SLACK_DAYS = 24


def latest_run(*, pinned: bool | None = None) -> RecomputeRun | None:
    """Return the recompute that finished last; one query.

    pinned: only runs with (True) or without (False) an as_of of their own.
    """
    runs = RecomputeRun.objects.filter(status=Status.DONE)
    if pinned is not None:
        runs = runs.filter(is_pinned=pinned)
    return runs.order_by("-finished_at", "-id").first()


def shown_run() -> RecomputeRun | None:
    """Return the run whose figures the pages show: the last one of the present moment."""
    return (
        RecomputeRun.objects.filter(status=Status.DONE)
        .order_by("is_pinned", "-finished_at", "-id")
        .first()
    )


def seen_until(run: RecomputeRun, kpi: Kpi | None = None) -> datetime:
    """Return the moment at which the pages look for the last whole period.

    As a rule that of the run; where the purchases ended long before it, soon after the last one:
    a shop's past, imported, is shown up to its end, not the empty months since.
    kpi: one that is not of purchases goes on without them.
    """
    moment = min(run.as_of, run.known_at)
    if run.last_day is None or (kpi and not kpi.is_of_purchases):
        return moment
    return min(moment, start_of_day(run.last_day + timedelta(days=1 + SLACK_DAYS)))


def is_after_the_end(snapshot: Snapshot) -> bool:
    """Whether a period began after the purchases had ended for good: nobody could stay then."""
    run, kpi = snapshot.run, KPIS[snapshot.kpi]
    if not (kpi.looks_back and run.last_day and snapshot.starts_on):
        return False
    has_ended = seen_until(run, kpi) < min(run.as_of, run.known_at)
    return has_ended and snapshot.starts_on > run.last_day


def is_recomputing(run: RecomputeRun | None = None) -> bool:
    """Whether a recompute is wanted or at work, or due since an import; at most two queries.

    run: the one whose figures are shown.
    """
    if RecomputeRun.objects.filter(status__in=[Status.REQUESTED, Status.RUNNING]).exists():
        return True
    known_at = run.known_at if run else EARLIEST
    done = Q(status__in=ENDED, finished_at__gt=known_at) & ~Q(created=0, updated=0)
    return ImportBatch.objects.filter(done | _under_way(now())).exists()


def running_progress() -> dict[str, Any]:
    """Return how far the recompute at work is, ``{"phase", "done", "of"}``; one query."""
    progress = RecomputeRun.objects.filter(status=Status.RUNNING).values_list("progress", flat=True)
    return progress.first() or {}


def is_importing(moment: datetime) -> bool:
    """Whether an import is writing at this moment: its facts are not whole yet; one query."""
    return ImportBatch.objects.filter(_under_way(moment)).exists()


def _under_way(moment: datetime) -> Q:
    """Batches somebody works on, or goes on with at once; none holds figures up for long."""
    is_worked_on = Q(claimed_until__gt=moment) | ~Q(stored_as="")
    return is_worked_on & Q(status__in=WRITING, started_at__gt=moment - LONGEST_WAIT)


def change_marks() -> dict[str, Any]:
    """Return values that change whenever facts or definitions do; a few look-ups in indexes.

    Instants are ISO text in UTC. Three queries.
    """
    marks: dict[str, Any] = {}
    with connection.cursor() as cursor:
        cursor.execute(newest_sql())
        for name, key, at in cursor.fetchall():
            marks |= {f"{name} id": key, f"{name} at": _text(at)}
    undone = Merge.objects.filter(undone_at__isnull=False).order_by("-undone_at", "-id")
    merges = Merge.objects.annotate(last_undone_at=Subquery(undone.values("undone_at")[:1]))
    newest = merges.order_by("-merged_at", "-id").values_list("id", "merged_at", "last_undone_at")
    key, merged_at, undone_at = newest.first() or (None, None, None)
    marks |= {"merge_id": key, "merge_at": _text(merged_at), "merge_undone_at": _text(undone_at)}
    # One that is undone takes rows away, one of customers changes them: no newest row tells of it.
    ended = ImportBatch.objects.filter(status__in=ENDED).exclude(created=0, updated=0)
    marks["import_at"] = _text(ended.aggregate(last=Max("finished_at"))["last"])
    hashes = "".join(kpi.definition_hash for kpi in KPIS.values())
    marks["definitions"] = int(hashlib.sha256(hashes.encode()).hexdigest()[:12], 16)
    return marks


def _text(at: Any) -> str | None:
    """Return an instant as ISO text; SQLite has them as text without a zone."""
    if isinstance(at, str):
        at = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return at.isoformat() if at else None
