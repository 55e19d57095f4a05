"""Taking a whole import back, while nothing depends on it.

Portion by portion, each one short transaction that also shortens the trail, so that a killed undo
goes on where it stopped. What was changed is restored first, backwards; then what was made goes,
what refers to others before those. Rows that somebody came to use, or changed, after the undo
began stay, and are counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, NotFound
from common.services import record_event
from common.time import now
from crm.imports.batches import only_one_import
from crm.imports.undo_portions import restore_changes, take_out_made
from crm.models import ImportBatch, ImportChange, ImportRange
from crm.selectors.import_undo import UNDOABLE, Obstacle, why_not

__all__ = ["CannotUndo", "Obstacle", "undo_import", "undo_portion", "why_not"]

Status = ImportBatch.Status
SMALLEST, USUAL, LARGEST = 20, 200, 4_000  # rows of the trail, or made rows, per transaction
TRANSACTION_SECONDS = 0.12
ATTEMPTS = 3


class CannotUndo(Conflict):
    """Something depends on the import, or changed since; ``fields["import"]`` says what."""

    code = "import_cannot_undo"
    message = _("This import can't be undone.")


def undo_import(
    *,
    batch: ImportBatch,
    actor: str,
    happened_at: datetime,
    portion: int = USUAL,
    tell: Callable[[str], None] = lambda text: None,
) -> ImportBatch:
    """Take an import back, whole, and return it as ``undone``; one that was begun goes on.

    portion: rows to begin with per transaction; it grows while they stay quick.
    Waits while an import runs. Short transactions of its own: call it outside of any. Called again
    when it is undone, it changes nothing.

    :raises CannotUndo: there are reasons against it, see :func:`why_not`; nothing is written.
    """
    with only_one_import(tell):
        batch.refresh_from_db()
        if batch.status == Status.UNDONE:
            return batch
        if batch.status != Status.UNDOING:
            begin_undo(batch=batch, actor=actor)
        _go_on(batch, portion, until=None)
    batch.refresh_from_db()
    return batch


def begin_undo(*, batch: ImportBatch, actor: str) -> None:
    """Declare that an import is to be undone; :func:`undo_portion` does it. By whom is kept.

    :raises CannotUndo: there are reasons against it; nothing is written.
    """
    if reasons := why_not(batch):
        raise CannotUndo(fields={"import": [reason.text for reason in reasons]})
    begun = ImportBatch.objects.filter(pk=batch.pk, status__in=UNDOABLE)
    if not begun.update(status=Status.UNDOING, checked={"undone_by": actor, "left": 0}):
        raise CannotUndo


def undo_portion(*, batch_ref: str, seconds: float = 20.0) -> bool:
    """Go on with an import that is being undone; return whether more is left to do.

    seconds: how long to work at most, in transactions of well under a quarter of a second.

    :raises NotFound: there is no such import.
    :raises AnotherImportRuns: an import holds the lock; try again later.
    """
    batch = ImportBatch.objects.filter(ref=batch_ref).first()
    if batch is None:
        raise NotFound
    if batch.status != Status.UNDOING:
        return False
    with only_one_import(lambda text: None, waits=False):
        return _go_on(batch, USUAL, until=time.monotonic() + seconds)


def _go_on(batch: ImportBatch, portion: int, *, until: float | None) -> bool:
    while until is None or time.monotonic() < until:
        began = time.monotonic()
        if not _undo_some(batch, portion):
            return False
        pace = TRANSACTION_SECONDS / max(time.monotonic() - began, 0.001)
        portion = int(min(max(portion * min(pace, 2), SMALLEST), LARGEST))
    return True


def _undo_some(batch: ImportBatch, portion: int) -> bool:
    """Undo one portion, or close the batch when nothing is left; return whether more is."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                held = ImportBatch.objects.select_for_update().get(pk=batch.pk)
                if held.status != Status.UNDOING:
                    return False
                left = restore_changes(held, portion)
                if left is None:
                    left = take_out_made(held, portion)
                if left is None:
                    _close(held)
                    return False
                if left:
                    held.checked["left"] = held.checked.get("left", 0) + left
                    held.save(update_fields=["checked"])
            return True
        except IntegrityError:  # somebody came to use a row just now: the next look sees it
            if attempt == ATTEMPTS:
                raise
    return True


def _close(batch: ImportBatch) -> None:
    at = now()
    codes: dict[str, Any] = {
        "kind": batch.kind,
        "created": batch.created,
        "updated": batch.updated,
        "left": batch.checked.get("left", 0),
    }
    actor = str(batch.checked.get("undone_by", "system"))
    ImportBatch.objects.filter(pk=batch.pk).update(
        status=Status.UNDONE, finished_at=at, claimed_until=None
    )
    ImportChange.objects.filter(batch=batch).delete()
    ImportRange.objects.filter(batch=batch).delete()
    record_event(
        kind="import.undone",
        subject_kind="import",
        subject_ref=batch.ref,
        occurred_at=at,
        actor=actor,
        codes=codes,
    )
