"""The one task there is: run a sweeper. Everything it needs to know stands in the database."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings

from common.services import record_heartbeat
from common.sweeping import run_sweeper, sweepers
from common.time import now

log = structlog.get_logger(__name__)
WORKER = "worker"
HEARTBEAT_SECONDS = 5.0
_last_heartbeat = float("-inf")


@shared_task(name="config.tasks.sweep")  # type: ignore[untyped-decorator]
def sweep(name: str, **_kwargs: Any) -> None:
    """Run one sweeper, unless this machine is running it already.

    A name this release doesn't know is skipped, and unknown arguments are ignored: the beat and
    the workers may be of different releases during a deploy.
    """
    show_alive()
    if name not in sweepers:
        log.warning("sweeper_unknown", sweeper=name)
        return
    with alone(name) as free:
        if free and (count := run_sweeper(name, now())):
            log.info("swept", sweeper=name, rows=count)


def show_alive() -> None:
    """Record the worker's heartbeat, at most once per five seconds and process."""
    global _last_heartbeat
    if time.monotonic() - _last_heartbeat >= HEARTBEAT_SECONDS:
        _last_heartbeat = time.monotonic()
        record_heartbeat(name=WORKER, beat_at=now())


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Yield whether nobody else on this machine runs ``name``, and keep others out meanwhile.

    Sweepers are safe to run twice; this keeps a long one from taking every worker process at its
    next ticks. The operating system drops the lock of a killed process.
    """
    folder = settings.KEEPWELL_DATA_DIR / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
