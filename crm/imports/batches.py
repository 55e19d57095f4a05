"""Batches of import: one at a time, and the same one again goes on where it was killed."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.time import now
from crm.imports.progress import LEASE
from crm.imports.scratch import Scratch, ScratchLost
from crm.models import ImportBatch

Status = ImportBatch.Status
LEFTOVERS = ("*.sqlite3*", "*.rejects.csv")


class AnotherImportRuns(Conflict):
    """Another import of this installation is under way; try again later."""

    code = "import_busy"
    is_transient = True
    message = _("Another import is running; this one waits for its end.")


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


def imports_folder() -> Path:
    """Return where uploaded files, scratch files and lists of refused rows of checks lie."""
    folder = Path(settings.KEEPWELL_DATA_DIR) / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _scratch_path(batch: ImportBatch) -> Path:
    return imports_folder() / f"{batch.ref}.sqlite3"


def check_rejects_path(batch: ImportBatch) -> Path:
    """Return where the rows that a check of an uploaded file refused are listed, as CSV."""
    return imports_folder() / f"{batch.ref}.rejects.csv"


@contextmanager
def only_one_import(tell: Callable[[str], None], *, waits: bool = True) -> Iterator[None]:
    """Hold this installation's import lock.

    :raises AnotherImportRuns: another holds it, and this one does not wait.
    """
    with (imports_folder() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if not waits:
                raise AnotherImportRuns from error
            tell("Waiting for another import to end.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def claim_batch(batch_id: int, moment: datetime) -> ImportBatch | None:
    """Take an uploaded batch that waits, or whose worker was not heard of; None if it is taken.

    A queued one is running then, one to be checked stays so. Whoever gets it has it until
    ``LEASE`` after its last progress.
    """
    free = ImportBatch.objects.filter(
        Q(claimed_until=None) | Q(claimed_until__lt=moment), pk=batch_id
    ).exclude(stored_as="")
    claimed_until = moment + LEASE
    begun = free.filter(status__in=[Status.QUEUED, Status.RUNNING])
    if not (
        begun.update(status=Status.RUNNING, claimed_until=claimed_until)
        or free.filter(status=Status.CHECKING).update(claimed_until=claimed_until)
    ):
        return None
    return ImportBatch.objects.get(pk=batch_id)


def open_batch(
    plan: ImportPlan, given: ImportBatch | None, columns: Sequence[str], kept: Sequence[str]
) -> tuple[ImportBatch, Scratch]:
    """Return the batch to work on and its scratch file, checked already if it can go on.

    given: the row of an uploaded file; else that of a killed run of the same plan, if there is
    one, else a new one. Call it under the lock: then nothing else runs.
    """
    if given:
        batches = [given]
    else:
        batches = list(
            ImportBatch.objects.filter(
                kind=plan.kind,
                mode=plan.mode,
                file_digest=plan.digest,
                status=Status.RUNNING,
                stored_as="",
            ).order_by("-started_at")
        )
    for batch in batches:
        with transaction.atomic():
            hold_batch(batch)
        if not given and batch.status != Status.RUNNING:
            continue
        try:
            scratch = Scratch.reopen(_scratch_path(batch), columns, kept)
        except ScratchLost as error:
            if given or not batch.applied_through:
                return _begin_anew(batch, plan), Scratch(_scratch_path(batch), columns, kept)
            _scratch_path(batch).unlink(missing_ok=True)
            close_failed(batch, str(error))
        else:
            _set(batch, status=Status.RUNNING, error="", finished_at=None)
            return batch, scratch
    batch = ImportBatch.objects.create(
        kind=plan.kind,
        mode=plan.mode,
        actor=plan.actor,
        file_name=plan.file_name,
        file_digest=plan.digest,
        started_at=plan.happened_at,
    )
    return batch, Scratch(_scratch_path(batch), columns, kept)


def hold_batch(batch: ImportBatch) -> None:
    """Lock a batch until the end of the transaction, and read it as it is then.

    Each portion does so first. So whoever goes on with a killed import sees what the database
    made of its last portion: on PostgreSQL that may be committed a moment after the process ended.
    """
    batch.refresh_from_db(from_queryset=ImportBatch.objects.select_for_update(no_key=True))


def _begin_anew(batch: ImportBatch, plan: ImportPlan) -> ImportBatch:
    _set(
        batch,
        status=Status.RUNNING,
        started_at=plan.happened_at,
        finished_at=None,
        error="",
        applied_through="",
        **dict.fromkeys(("rows_checked", "rows_total", "created", "updated", "unchanged"), 0),
    )
    return batch


def close_failed(batch: ImportBatch, error: str) -> None:
    """Declare a batch failed."""
    _set(batch, status=Status.FAILED, finished_at=now(), error=error, claimed_until=None)


def pause_batch(batch: ImportBatch) -> None:
    """Declare that a batch waits until somebody lets it go on."""
    _set(batch, status=Status.PAUSED, is_pause_asked=False, claimed_until=None)


def release_batch(batch: ImportBatch) -> None:
    """Let another worker go on with a batch at once."""
    _set(batch, claimed_until=None)


def _set(batch: ImportBatch, **values: Any) -> None:
    ImportBatch.objects.filter(pk=batch.pk).update(**values)
    for name, value in values.items():
        setattr(batch, name, value)


def discard_leftovers() -> int:
    """Delete the scratch files of killed imports, which then start again; return how many.

    While an import runs, nothing: its file belongs to it.
    """
    with (imports_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        leftovers = [path for name in LEFTOVERS for path in imports_folder().glob(name)]
        for path in leftovers:
            path.unlink(missing_ok=True)
    return len(leftovers)
