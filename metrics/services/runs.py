"""Recomputing: one run at a time, by request, when facts changed, and once a day."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.services import SYSTEM
from common.time import local_date
from metrics.facts import store
from metrics.models import RecomputeRun
from metrics.selectors.runs import change_marks, is_importing, latest_run

log = structlog.get_logger(__name__)
Status = RecomputeRun.Status
LEASE = timedelta(minutes=15)  # longer than any task may run
REST = 5  # a sweep rests this many times as long as the last run took, at most a minute
PAUSE_AFTER_FAILURE = timedelta(minutes=1)


class RecomputeRunning(Conflict):
    """Another recompute is at work."""

    code = "recompute_running"
    message = _("The figures are being recomputed just now. Try again in a minute.")


def request_recompute(*, happened_at: datetime, actor: str) -> RecomputeRun:
    """Ask the worker for a recompute and return the request; a waiting one is returned again."""
    try:
        with transaction.atomic():
            return RecomputeRun.objects.create(
                status=Status.REQUESTED,
                actor=actor,
                requested_at=happened_at,
                as_of=happened_at,
                known_at=happened_at,
            )
    except IntegrityError:
        run = RecomputeRun.objects.filter(status=Status.REQUESTED).first()
        return run or request_recompute(happened_at=happened_at, actor=actor)


def recompute(
    *,
    now: datetime,
    actor: str = SYSTEM,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    full: bool = False,
    engine: str = "auto",
    wait: float = 60,
) -> RecomputeRun:
    """Bring the fact store up to date, compute every figure and keep the result.

    now: aware UTC.  as_of: facts that occurred before it (default: now, or known_at if earlier).
    known_at: as known then (default: now).  full: read all facts anew.
    wait: seconds to wait for another run to end.

    :raises ValidationError: the engine is not there.
    :raises RecomputeRunning: another run is still at work after ``wait`` seconds.
    """
    from metrics.engines.choice import refuse_missing_engine

    refuse_missing_engine(engine)
    wanted: dict[str, Any] = {
        "is_pinned": bool(as_of or known_at),
        "known_at": known_at or now,
        "as_of": as_of or min(now, known_at or now),
        "engine": engine,
    }
    give_up = time.monotonic() + wait
    while True:
        with _claim(now, actor, wanted) as run:
            if run:
                _carry_out(run, now=now, full=full)
                return run
        if time.monotonic() >= give_up:
            raise RecomputeRunning
        time.sleep(0.2)


def recompute_due(now: datetime) -> int:
    """Recompute when somebody asked, facts changed or a new day began; return how many runs.

    A handful of index look-ups when there is nothing to do.
    """
    waiting = list(RecomputeRun.objects.filter(status__in=[Status.REQUESTED, Status.RUNNING]))
    request = next((run for run in waiting if run.status == Status.REQUESTED), None)
    last = RecomputeRun.objects.filter(is_pinned=False, finished_at__isnull=False)
    last_run = last.order_by("-finished_at", "-id").first()
    # One that is said to run may be dead: claiming finds out, and takes its place.
    if not waiting and last_run and _rests(last_run, now):
        return 0
    done = latest_run(pinned=False)
    # Windows have moved since yesterday, and once a day everything is read anew.
    is_new_day = done is None or local_date(done.as_of) != local_date(now)
    if not waiting and not is_new_day and done and done.marks == change_marks():
        return 0
    if request is None and is_importing(now):  # half a file's purchases would give wrong figures
        return 0
    wanted = {"is_pinned": False, "known_at": now, "as_of": now, "engine": "auto"}
    with _claim(now, request.actor if request else SYSTEM, wanted, request) as run:
        if run:
            _carry_out(run, now=now, full=is_new_day)
        return int(run is not None)


def _rests(run: RecomputeRun, now: datetime) -> bool:
    since = now - (run.finished_at or now)
    pause = timedelta(seconds=min(60.0, REST * run.seconds))
    if run.status == Status.FAILED:
        pause = PAUSE_AFTER_FAILURE
    return timedelta(0) <= since < pause


@contextmanager
def _claim(
    now: datetime, actor: str, wanted: dict[str, Any], request: RecomputeRun | None = None
) -> Iterator[RecomputeRun | None]:
    """Yield a running run that is ours, or None while another is at work.

    The folder's lock dies with its process, so a run of a killed one is seen at once; a run with
    another folder (another machine) counts as dead when its lease is over.
    """
    with store.recomputing() as alone:
        if not alone:
            yield None
            return
        _bury_dead_runs(now)
        mine = {"started_at": now, "store_id": store.identity(), **wanted}
        try:
            with transaction.atomic():
                if request is None:
                    run: RecomputeRun | None = RecomputeRun.objects.create(
                        status=Status.RUNNING, actor=actor, requested_at=now, **mine
                    )
                elif RecomputeRun.objects.filter(pk=request.pk, status=Status.REQUESTED).update(
                    status=Status.RUNNING, **mine
                ):
                    run = RecomputeRun.objects.get(pk=request.pk)
                else:
                    run = None
        except IntegrityError:
            run = None
        yield run


def _bury_dead_runs(now: datetime) -> None:
    running = RecomputeRun.objects.filter(status=Status.RUNNING)
    fate = {"status": Status.FAILED, "finished_at": now, "error": "stopped before its end"}
    running.filter(store_id=store.identity()).update(**fate)
    running.filter(started_at__lt=now - LEASE).update(**fate)


def _carry_out(run: RecomputeRun, *, now: datetime, full: bool) -> None:
    from metrics.services.pruning import prune_runs
    from metrics.services.snapshots import write_figures

    began = time.monotonic()
    marks = change_marks()
    try:
        write_figures(run, now=now, full=full)
    except Exception as error:
        _finish(run, Status.FAILED, now, began, error=type(error).__name__)
        log.exception("recompute_failed", run=run.ref)
        raise
    # A fact recorded after ``now`` is not in these figures: the next sweep must see a change.
    latest = max((mark for mark in marks.values() if isinstance(mark, str)), default="")
    _finish(run, Status.DONE, now, began, marks={} if latest > _mark(now) else marks)
    prune_runs()
    log.info("recomputed", run=run.ref, figures=run.figures, seconds=run.seconds)


def _finish(run: RecomputeRun, status: Status, now: datetime, began: float, **fields: Any) -> None:
    run.status = status
    run.seconds = round(time.monotonic() - began, 3)
    run.finished_at = now + timedelta(seconds=run.seconds)
    for name, value in fields.items():
        setattr(run, name, value)
    run.save()


def _mark(moment: datetime) -> str:
    return moment.isoformat()
