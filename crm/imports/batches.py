"""Batches of import: one at a time, and the same one again goes on where it was killed."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from common.time import now
from crm.imports.scratch import Scratch, ScratchLost
from crm.models import ImportBatch


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What tells one import from another. mode: ``history`` or ``live``.

    digest: of the file and whatever else decides what becomes of it.
    """

    kind: str
    mode: str
    actor: str
    file_name: str
    digest: str
    happened_at: datetime


def _folder() -> Path:
    folder = Path(settings.KEEPWELL_DATA_DIR) / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _scratch_path(batch: ImportBatch) -> Path:
    return _folder() / f"{batch.ref}.sqlite3"


@contextmanager
def only_one_import(tell: Callable[[str], None]) -> Iterator[None]:
    """Hold this installation's import lock; waits for it."""
    with (_folder() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("Waiting for another import to end.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def resume_batch(
    plan: ImportPlan, columns: Sequence[str], kept: Sequence[str]
) -> tuple[ImportBatch, Scratch] | None:
    """Return the killed batch of the same plan and its scratch file, if it can go on.

    One that can't is closed as failed. Call it under the lock: then nothing else runs.
    """
    batches = ImportBatch.objects.filter(
        kind=plan.kind,
        mode=plan.mode,
        file_digest=plan.digest,
        status=ImportBatch.Status.RUNNING,
    )
    for batch in batches.order_by("-started_at"):
        try:
            return batch, Scratch.reopen(_scratch_path(batch), columns, kept)
        except ScratchLost as error:
            _scratch_path(batch).unlink(missing_ok=True)
            ImportBatch.objects.filter(pk=batch.pk).update(
                status=ImportBatch.Status.FAILED, error=str(error), finished_at=now()
            )
    return None


def begin_batch(
    plan: ImportPlan, columns: Sequence[str], kept: Sequence[str]
) -> tuple[ImportBatch, Scratch]:
    """Return a new batch with an empty scratch file."""
    batch = ImportBatch.objects.create(
        kind=plan.kind,
        mode=plan.mode,
        actor=plan.actor,
        file_name=plan.file_name,
        file_digest=plan.digest,
        started_at=plan.happened_at,
    )
    return batch, Scratch(_scratch_path(batch), columns, kept)


def discard_leftovers() -> int:
    """Delete the scratch files of killed imports, which then start again; return how many.

    While an import runs, nothing: its file belongs to it.
    """
    with (_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        leftovers = list(_folder().glob("*.sqlite3*"))
        for path in leftovers:
            path.unlink(missing_ok=True)
    return len(leftovers)
