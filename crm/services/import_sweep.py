"""The work of imports behind the pages: checks, imports and undoings that wait, slice by slice.

A sweep claims one batch after the other, commits the claim, works and records what came of it. A
worker that is killed leaves a claim that ends within a minute; the next sweep goes on.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from common.time import now as read_clock
from crm.imports.batches import AnotherImportRuns, claim_batch
from crm.imports.engine import Outcome
from crm.imports.files import check_batch, run_batch
from crm.imports.progress import LEASE, ImportLetGo, ImportPaused
from crm.imports.sources import UnreadableFile
from crm.models import ImportBatch
from crm.services.import_undo import undo_portion

log = structlog.get_logger(__name__)
SLICE_SECONDS = 20.0  # of writing per sweep; then the other sweepers have their turn
SHORTEST_SECONDS = 2.0
MOST_WAITING = 100
Status = ImportBatch.Status
DUE = (Status.CHECKING, Status.QUEUED, Status.RUNNING, Status.UNDOING)


def sweep_imports(now: datetime) -> int:
    """Work on imports that wait, for about 20 seconds, and return on how many.

    Checks come first: somebody waits for them. A check is never cut in pieces.
    """
    ends_at = time.monotonic() + SLICE_SECONDS
    tried: set[int] = set()
    while (left := ends_at - time.monotonic()) > 0:
        batch_id = next_due(tried)
        if batch_id is None:
            break
        tried.add(batch_id)
        batch = claim_batch(batch_id, read_clock()) or _claim_undo(batch_id)
        if batch is not None and not _work(batch, max(left, SHORTEST_SECONDS)):
            break
    return len(tried)


def next_due(tried: set[int]) -> int | None:
    """Return the id of the batch to work on next, or None. tried: were worked on in this sweep."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=read_clock())
    due = ImportBatch.objects.filter(free, status__in=DUE).exclude(pk__in=tried)
    rows = due.exclude(Q(stored_as="") & ~Q(status=Status.UNDOING)).order_by("id")
    found = sorted(rows.values_list("status", "id")[:MOST_WAITING], key=_precedence)
    return found[0][1] if found else None


def _precedence(row: tuple[str, int]) -> tuple[int, int]:
    return DUE.index(Status(row[0])) if row[0] == Status.CHECKING else 1, row[1]


def _claim_undo(batch_id: int) -> ImportBatch | None:
    """Take a batch that is to be undone, unless somebody else has it."""
    moment = read_clock()
    free = ImportBatch.objects.filter(
        Q(claimed_until=None) | Q(claimed_until__lt=moment), pk=batch_id, status=Status.UNDOING
    )
    if not free.update(claimed_until=moment + LEASE):
        return None
    return ImportBatch.objects.get(pk=batch_id)


def _work(batch: ImportBatch, seconds: float) -> bool:
    """Do a slice of what a claimed batch waits for; say whether there may be time for another."""
    with translation.override(batch.checked.get("language") or settings.LANGUAGE_CODE):
        if batch.status == Status.CHECKING:
            _check(batch)
            return True
        if batch.status == Status.UNDOING:
            return _undo(batch, seconds)
        return _run(batch, seconds)


def _check(batch: ImportBatch) -> None:
    asked = dict(batch.checked)

    def beat() -> None:
        if not ImportBatch.objects.filter(pk=batch.pk, status=Status.CHECKING).exists():
            raise ImportLetGo

    try:
        found = _findings(check_batch(batch=batch, happened_at=read_clock(), beat=beat))
    except (ImportLetGo, ImportPaused):
        return
    except (UnreadableFile, ValidationError) as error:
        found = {"state": "failed", "reason": _words(error)}
    except FileNotFoundError:
        found = {"state": "failed", "reason": _("The uploaded file is gone; upload it again.")}
    except Exception as error:  # a defect of ours must not be tried again for ever
        log.exception("import_check_failed", batch=batch.ref)
        found = {"state": "failed", "reason": "", "error": type(error).__name__}
    still = {"pk": batch.pk, "status": Status.CHECKING, "checked__asked_at": asked.get("asked_at")}
    ImportBatch.objects.filter(**still).update(
        status=Status.UPLOADED, checked=asked | found, claimed_until=None
    )


def _findings(outcome: Outcome) -> dict[str, Any]:
    return {
        "state": "done",
        "rows": outcome.rows,
        "rejected": outcome.rejected,
        "created": outcome.counts.created,
        "updated": outcome.counts.updated,
        "unchanged": outcome.counts.unchanged,
        "also_made": outcome.also_made,
        "problems": outcome.problems,
        "ignored": outcome.ignored_columns[:100],
        "foreseen": outcome.foreseen,
    }


def _run(batch: ImportBatch, seconds: float) -> bool:
    def beat() -> None:
        mine = ImportBatch.objects.filter(pk=batch.pk, status=Status.RUNNING)
        if not mine.exclude(stored_as="").exists():
            raise ImportLetGo

    try:
        outcome = run_batch(batch=batch, happened_at=batch.started_at, seconds=seconds, beat=beat)
    except AnotherImportRuns:
        return False
    except Exception:
        log.exception("import_failed", batch=batch.ref)
        return True
    # Stopped in the moment between claim and beginning
    ImportBatch.objects.filter(pk=batch.pk, status=Status.RUNNING, stored_as="").update(
        status=Status.STOPPED, finished_at=read_clock(), claimed_until=None
    )
    return outcome.is_finished


def _undo(batch: ImportBatch, seconds: float) -> bool:
    try:
        is_left = undo_portion(batch_ref=batch.ref, seconds=seconds)
    except AnotherImportRuns:
        is_left = True
    except Exception:
        log.exception("import_undo_failed", batch=batch.ref)
        return True  # the claim ends by itself, and it is tried again
    ImportBatch.objects.filter(pk=batch.pk).update(claimed_until=None)
    return not is_left


def _words(error: Exception) -> str:
    return " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
