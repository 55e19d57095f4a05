"""Imports of uploaded files, step by step: uploaded, matched, checked, started, steered.

Each step is a row's status; the work itself is done by the sweep (:mod:`.import_sweep`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput, NotFound
from common.services import record_event
from crm.imports.kinds import kinds
from crm.imports.mapping import Mapping
from crm.models import ImportBatch, ImportSource
from crm.selectors.import_matching import own_columns
from crm.services.import_uploads import Upload, let_go_of_file, stored_path

Status = ImportBatch.Status
# Nothing of it was written yet, or what was stands as it is; the file can be read anew.
CHANGEABLE = (Status.UPLOADED, Status.FAILED)
WAITING = (Status.UPLOADED, Status.CHECKING, Status.QUEUED, Status.PAUSED, Status.FAILED)
ENDED = (Status.DONE, Status.FAILED, Status.STOPPED)


class WrongStep(Conflict):
    """The import is at another step; somebody else may have moved it on."""

    code = "import_wrong_step"
    message = _("This import is at another step by now. Open it again.")


class NotChecked(Conflict):
    """A check comes first, by the mapping the import would have."""

    code = "import_not_checked"
    message = _("Check the file first; nothing is written by that.")


@transaction.atomic
def upload_import(
    *,
    upload: Upload,
    kind: str,
    mapping: Mapping,
    happened_at: datetime,
    actor: str,
    mode: str = ImportBatch.Mode.HISTORY,
    source: str = "",
) -> ImportBatch:
    """Take a received file as an import that is not started, and return it.

    :raises InvalidInput: no such kind or mode; nothing is written.
    """
    _refuse_unknown(kind, mode)
    return ImportBatch.objects.create(
        kind=kind,
        mode=mode,
        status=Status.UPLOADED,
        file_name=upload.name,
        file_digest=upload.digest,
        file_bytes=upload.size,
        stored_as=upload.stored_as,
        mapping=mapping_document(mapping),
        source=source,
        actor=actor,
        started_at=happened_at,
    )


@transaction.atomic
def match_import(*, batch_id: int, kind: str, mapping: Mapping, source: str = "") -> ImportBatch:
    """Say how the file is to be read; what a check found before no longer counts.

    source: under which name the mapping is remembered once the import starts; empty: not at all.

    :raises WrongStep: it is under way or ended.
    :raises UploadGone: the file is not there any more.
    :raises InvalidInput: no such kind.
    """
    _refuse_unknown(kind, ImportBatch.Mode.HISTORY)
    batch = _lock(batch_id, CHANGEABLE)
    stored_path(batch)
    batch.kind, batch.mapping, batch.source = kind, mapping_document(mapping), source
    batch.status, batch.checked, batch.error, batch.rows_checked = Status.UPLOADED, {}, "", 0
    batch.save()
    return batch


@transaction.atomic
def check_import(*, batch_id: int, happened_at: datetime, expected: int = 0) -> ImportBatch:
    """Ask for a check of the whole file, which writes nothing; the sweep does it.

    expected: about how many rows it has, to show how far the check is; 0 if nobody knows.

    :raises WrongStep: it is under way or ended.
    :raises UploadGone: the file is not there any more.
    """
    batch = _lock(batch_id, (*CHANGEABLE, Status.CHECKING))
    if batch.status == Status.CHECKING:
        return batch
    stored_path(batch)
    batch.status, batch.rows_checked, batch.claimed_until = Status.CHECKING, 0, None
    batch.is_pause_asked = False
    batch.checked = {
        "language": get_language() or "",
        "asked_at": happened_at.isoformat(),
        "expected": expected,
    }
    batch.save(
        update_fields=["status", "rows_checked", "claimed_until", "is_pause_asked", "checked"]
    )
    return batch


@transaction.atomic
def start_import(
    *, batch_id: int, mode: str, happened_at: datetime, actor: str, unchecked: bool = False
) -> ImportBatch:
    """Let the sweep import the file, and remember its mapping under the name of its source.

    mode: ``history`` or ``live``. unchecked: without a check before, as programs may.

    :raises NotChecked: the file was not checked as it is to be read now.
    :raises WrongStep: it is under way or ended.
    :raises UploadGone: the file is not there any more.
    """
    _refuse_unknown("", mode)
    batch = _lock(batch_id, CHANGEABLE)
    stored_path(batch)
    if not unchecked and batch.checked.get("state") != "done":
        raise NotChecked
    batch.mode, batch.status, batch.actor = mode, Status.QUEUED, actor
    batch.applied_through = batch.error = ""
    batch.claimed_until, batch.is_pause_asked = None, False
    batch.checked = batch.checked | {"language": get_language() or ""}
    batch.save()
    if batch.source:
        remember_source(batch=batch, happened_at=happened_at, actor=actor)
    _record("import.started", batch, happened_at, actor)
    return batch


@transaction.atomic
def pause_import(*, batch_id: int) -> ImportBatch:
    """Let a waiting or running import stand still after its present portion; repeatable.

    :raises WrongStep: it is neither.
    """
    batch = _lock(batch_id, (Status.QUEUED, Status.RUNNING, Status.PAUSED), with_file=True)
    if batch.status == Status.PAUSED:
        return batch
    if batch.claimed_until is None:  # nobody works on it at this moment
        batch.status = Status.PAUSED
    else:
        batch.is_pause_asked = True
    batch.save(update_fields=["status", "is_pause_asked"])
    return batch


@transaction.atomic
def resume_import(*, batch_id: int) -> ImportBatch:
    """Let a paused import go on where it stopped; repeatable.

    :raises WrongStep: it is not under way.
    """
    batch = _lock(batch_id, (Status.PAUSED, Status.QUEUED, Status.RUNNING), with_file=True)
    batch.is_pause_asked = False
    if batch.status == Status.PAUSED:
        batch.status, batch.claimed_until = Status.QUEUED, None
    batch.save(update_fields=["status", "claimed_until", "is_pause_asked"])
    return batch


@transaction.atomic
def leave_check(*, batch_id: int) -> ImportBatch:
    """Give up a check that waits or is under way; the import is not started, as before.

    :raises WrongStep: no check is under way.
    """
    batch = _lock(batch_id, (Status.CHECKING,))
    batch.status, batch.checked, batch.claimed_until = Status.UPLOADED, {}, None
    batch.save(update_fields=["status", "checked", "claimed_until"])
    return batch


@transaction.atomic
def cancel_import(*, batch_id: int, happened_at: datetime, actor: str) -> ImportBatch:
    """Stop an import for good and delete its file; what was written stays, and can be undone.

    Repeatable. One under way ends after its present portion.

    :raises WrongStep: it came to its end before.
    """
    batch = _lock(batch_id, (*WAITING, Status.RUNNING, Status.STOPPED), with_file=False)
    if batch.status == Status.STOPPED:
        return batch
    if batch.status == Status.RUNNING and not batch.stored_as:
        raise WrongStep  # the command's own
    batch.status, batch.finished_at = Status.STOPPED, happened_at
    batch.claimed_until, batch.is_pause_asked = None, False
    batch.save(update_fields=["status", "finished_at", "claimed_until", "is_pause_asked"])
    let_go_of_file(batch)
    _record("import.stopped", batch, happened_at, actor)
    return batch


def remember_source(*, batch: ImportBatch, happened_at: datetime, actor: str) -> ImportSource:
    """Keep the batch's mapping for the next file from the same place; in the caller's transaction.

    Values that were replaced, and constants, come along.
    """
    remembered, _is_new = ImportSource.objects.update_or_create(
        kind=batch.kind,
        name=batch.source,
        defaults={
            "header": own_columns(batch.mapping.get("columns", {})),
            "mapping": batch.mapping,
            "actor": actor,
            "used_at": happened_at,
        },
    )
    return remembered


def mapping_document(mapping: Mapping) -> dict[str, Any]:
    """Return a mapping as the JSON object of a mapping file; what is as usual is left out."""
    usual = json.loads(Mapping().digest())
    document = json.loads(mapping.digest())
    return {name: value for name, value in document.items() if value != usual.get(name)}


def _refuse_unknown(kind: str, mode: str) -> None:
    if kind and kind not in kinds():
        raise InvalidInput(fields={"kind": [str(_("There is no such kind of import."))]})
    if mode not in ImportBatch.Mode.values:
        raise InvalidInput(fields={"mode": [str(_("Choose history or live."))]})


def _lock(batch_id: int, steps: Sequence[str], *, with_file: bool = False) -> ImportBatch:
    batch = ImportBatch.objects.select_for_update().filter(pk=batch_id).first()
    if batch is None:
        raise NotFound
    if batch.status not in steps or (with_file and not batch.stored_as):
        raise WrongStep
    return batch


def _record(kind: str, batch: ImportBatch, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="import",
        subject_ref=batch.ref,
        occurred_at=happened_at,
        actor=actor,
        codes={"kind": batch.kind, "mode": batch.mode},
    )
