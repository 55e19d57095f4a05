"""Importing a file from disk."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext as _

from crm.imports.batches import (
    AnotherImportRuns,
    ImportPlan,
    check_rejects_path,
    close_failed,
    imports_folder,
    release_batch,
)
from crm.imports.engine import LOST_CONNECTION, Outcome, import_source
from crm.imports.mapping import Mapping, parse_mapping
from crm.imports.progress import Beat, Tell
from crm.imports.sources import UnreadableFile, check_file_size, open_source
from crm.models import ImportBatch

ATTEMPTS = 5  # where the database is lost again and again
WAIT_SECONDS = 45.0  # for it to come back; less than LEASE, after which others may take a batch


def import_file(
    *,
    kind: str,
    path: Path,
    mode: str,
    actor: str,
    happened_at: datetime,
    mapping: Mapping | None = None,
    is_dry_run: bool = False,
    rejects_path: Path | None = None,
    batch: ImportBatch | None = None,
    tell: Tell = lambda text: None,
    beat: Beat = lambda: None,
    seconds: float | None = None,
) -> Outcome:
    """Import a CSV or XLSX file and return what that took; see :func:`import_source`.

    Where the database is lost meanwhile, this waits for it a while and goes on.

    :raises UnreadableFile: the file as a whole is not what it should be; nothing is written.
    :raises OperationalError: the database did not come back; the same import goes on later.
    """
    mapping = mapping or Mapping()
    check_file_size(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(mapping.digest().encode())
    plan = ImportPlan(kind, mode, actor, path.name[:255], digest.hexdigest(), happened_at)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return import_source(
                source=open_source(path, mapping),
                plan=plan,
                mapping=mapping,
                is_dry_run=is_dry_run,
                rejects_path=rejects_path,
                batch=batch,
                tell=tell,
                beat=beat,
                seconds=seconds,
            )
        except LOST_CONNECTION as error:
            if connection.in_atomic_block or attempt == ATTEMPTS:
                raise
            tell(f"{kind}: the database is gone ({type(error).__name__}), waiting for it")
            if not _database_is_back():
                raise
    raise AssertionError("unreachable")


def _database_is_back() -> bool:
    """Connect anew as soon as the database takes connections; whether it did within a while."""
    ends_at = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < ends_at:
        connection.close()
        with suppress(*LOST_CONNECTION):
            connection.ensure_connection()
            return True
        time.sleep(0.5)
    return False


def check_batch(*, batch: ImportBatch, happened_at: datetime, beat: Beat = lambda: None) -> Outcome:
    """Check an uploaded file without writing anything but ``rows_checked`` of its batch.

    Every refused row goes to :func:`check_rejects_path`.

    :raises UnreadableFile: the file as a whole is not what it should be.
    """
    return import_file(
        kind=batch.kind,
        path=imports_folder() / batch.stored_as,
        mode=batch.mode,
        actor=batch.actor,
        happened_at=happened_at,
        mapping=parse_mapping(batch.mapping),
        is_dry_run=True,
        rejects_path=check_rejects_path(batch),
        batch=batch,
        beat=beat,
    )


def run_batch(
    *,
    batch: ImportBatch,
    happened_at: datetime,
    seconds: float | None = None,
    beat: Beat = lambda: None,
) -> Outcome:
    """Import an uploaded file whose batch was claimed, or go on with it.

    seconds: after which writing is let go, for the next run to go on with.
    The batch ends as done, paused, failed (``error`` says why), or running and free to claim.

    :raises AnotherImportRuns: try again later; the batch can be claimed at once.
    """
    try:
        return import_file(
            kind=batch.kind,
            path=imports_folder() / batch.stored_as,
            mode=batch.mode,
            actor=batch.actor,
            happened_at=happened_at,
            mapping=parse_mapping(batch.mapping),
            batch=batch,
            beat=beat,
            seconds=seconds,
        )
    except AnotherImportRuns:
        release_batch(batch)
        raise
    except LOST_CONNECTION:
        raise
    except (UnreadableFile, ValidationError, FileNotFoundError) as error:
        close_failed(batch, _words(error))
        return Outcome(batch.kind, batch.mode, batch.ref)
    except Exception as error:
        close_failed(batch, type(error).__name__)
        raise


def _words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return _("The uploaded file is gone; upload it again.")
    return " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
