"""Trials of other data: asked for, carried out in a process of their own, thrown away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core import serializers
from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import InvalidInput, NotFound
from common.registry import Traces
from crm.imports.kinds import kinds
from crm.models import (
    CustomField,
    ErasedIdentity,
    ExchangeRate,
    ImportBatch,
    Location,
    Product,
)
from crm.services.import_uploads import UploadGone, stored_path
from metrics.models import Trial, TrialFile
from metrics.trials import workspace

log = structlog.get_logger(__name__)
Status = Trial.Status
MOST_FILES = 20
MOST_ATTEMPTS = 3
# What a trial knows beforehand: what files refer to, and nobody's data.
KNOWN_MODELS: tuple[type[models.Model], ...] = (
    CustomField,
    Location,
    Product,
    ExchangeRate,
    ErasedIdentity,
)


class NothingToTry(InvalidInput):
    """No uploaded file was chosen, or too many, or one that is gone."""

    code = "nothing_to_try"
    message = gettext_lazy("Choose at least one uploaded file whose columns are matched.")


@transaction.atomic
def request_trial(
    *, batch_refs: Sequence[str], happened_at: datetime, actor: str, language: str
) -> Trial:
    """Ask for a trial of uploaded files, with the mappings they have now.

    language: of the reasons why rows are refused.

    :raises NothingToTry: no file, more than ``MOST_FILES``, or one that is not kept any more.
    """
    order = {kind: place for place, kind in enumerate(kinds())}
    found = ImportBatch.objects.filter(ref__in=list(batch_refs)[: MOST_FILES + 1])
    batches = sorted(found, key=lambda batch: (order.get(batch.kind, len(order)), batch.pk))
    if not batches or len(batches) > MOST_FILES or len(batches) < len(set(batch_refs)):
        raise NothingToTry
    for batch in batches:
        if batch.kind not in order:
            raise NothingToTry
        stored_path(batch)
    trial = Trial.objects.create(actor=actor, language=language, requested_at=happened_at)
    TrialFile.objects.bulk_create(
        TrialFile(
            trial=trial,
            batch=batch,
            place=place,
            kind=batch.kind,
            file_name=batch.file_name,
            mapping=batch.mapping,
        )
        for place, batch in enumerate(batches)
    )
    return trial


def discard_trial(*, ref: str) -> None:
    """Throw a trial away, with everything it had; one that runs is stopped.

    :raises NotFound: there is none.
    """
    trial = Trial.objects.filter(ref=ref).first()
    if trial is None:
        raise NotFound
    _discard([trial])


def erase_trials(traces: Traces) -> int:
    """Throw all trials away, because somebody is erased who may stand in one; return how many."""
    return _discard(list(Trial.objects.all()))


def sweep_trials(now: datetime) -> int:
    """Start the next trial, look after the one that runs, throw old ones away.

    Returns on how many it acted. Cheap look-ups and a folder's names when there is nothing.
    """
    with workspace.sweeping() as alone:
        return _sweep(now) if alone else 0


def _sweep(now: datetime) -> int:
    acted = _discard(_outlived(now))
    _remove_leftovers()
    running = Trial.objects.filter(status=Status.RUNNING).first()
    if running is not None:
        return acted + _look_after(running, now)
    waiting = Trial.objects.filter(status=Status.WAITING).order_by("requested_at", "id").first()
    return acted + (_begin(waiting, now) if waiting else 0)


def _outlived(now: datetime) -> list[Trial]:
    """Trials whose days are over, or of whose files one was deleted unused."""
    is_old = models.Q(requested_at__lt=now - timedelta(days=settings.TRIAL_KEPT_DAYS))
    unused = (ImportBatch.Status.UPLOADED, ImportBatch.Status.STOPPED)
    gone = TrialFile.objects.filter(
        models.Q(batch__isnull=True) | models.Q(batch__stored_as="", batch__status__in=unused)
    )
    return list(Trial.objects.filter(is_old | models.Q(pk__in=gone.values("trial"))))


def _remove_leftovers() -> None:
    """End and delete what belongs to no trial under way: results stand in their rows."""
    if not (refs := workspace.list_workspaces()):
        return
    alive = set(
        Trial.objects.filter(ref__in=refs, status=Status.RUNNING).values_list("ref", flat=True)
    )
    for ref in refs:
        if ref not in alive:
            workspace.remove(ref)


def _begin(trial: Trial, now: datetime) -> int:
    with transaction.atomic():
        others = Trial.objects.filter(status=Status.RUNNING)
        mine = Trial.objects.filter(pk=trial.pk, status=Status.WAITING)
        if others.exists() or not mine.update(status=Status.RUNNING, started_at=now):
            return 0
    trial.started_at = now
    _start(trial)
    return 1


def _look_after(trial: Trial, now: datetime) -> int:
    """See whether a trial ended, died or takes too much; return whether it came to an end."""
    began = trial.started_at or now
    folder = workspace.workspace_of(trial.ref)
    if workspace.is_alive(trial.ref):
        if now - began > timedelta(seconds=settings.TRIAL_SECONDS):
            return _fail(trial, now, _("It took too long. Try it with fewer rows."))
        if workspace.size_of(trial.ref) > settings.TRIAL_BYTES:
            return _fail(trial, now, _("It needs too much disk space. Try it with fewer rows."))
        progress = workspace.read_json(folder / workspace.PROGRESS)
        if progress and progress != trial.progress:
            Trial.objects.filter(pk=trial.pk).update(progress=progress)
        return 0
    result = workspace.read_json(folder / workspace.RESULT)
    if result.get("error"):
        return _fail(trial, now, result["error"])
    if result:
        return _keep(trial, now, result)
    if trial.attempts >= MOST_ATTEMPTS:
        return _fail(trial, now, _("It was stopped before its end, several times."))
    _start(trial)
    return 0


def _start(trial: Trial) -> None:
    """Make the workspace and start its process."""
    files = list(trial.files.select_related("batch").order_by("place"))
    try:
        paths = [str(stored_path(file.batch)) for file in files if file.batch]
    except UploadGone:
        _discard([trial])
        return
    Trial.objects.filter(pk=trial.pk).update(attempts=models.F("attempts") + 1, progress={})
    plan: dict[str, Any] = {
        "language": trial.language,
        "seconds": settings.TRIAL_SECONDS + 60,
        "files": [
            {"kind": file.kind, "path": path, "mapping": file.mapping}
            for file, path in zip(files, paths, strict=True)
        ],
    }
    workspace.prepare(trial.ref, plan=plan, known=_known())
    workspace.start(trial.ref)


def _known() -> Iterator[str]:
    """The rows a trial knows beforehand, as a fixture. Opening hours are left out."""
    yield "["
    separator = ""
    for model in KNOWN_MODELS:
        fields = [field.name for field in model._meta.local_fields if field.name != "calendar"]
        for row in model._default_manager.order_by("pk").iterator(chunk_size=1_000):
            yield separator + serializers.serialize("json", [row], fields=fields)[1:-1]
            separator = ",\n"
    yield "]"


def _keep(trial: Trial, now: datetime, result: dict[str, Any]) -> int:
    """Keep what a trial found; its workspace goes."""
    with transaction.atomic():
        kept = Trial.objects.filter(pk=trial.pk, status=Status.RUNNING).update(
            status=Status.DONE, finished_at=now, progress={}, result=result["findings"]
        )
        if not kept:
            return 0
        for file, outcome in zip(trial.files.order_by("place"), result["files"], strict=True):
            file.rejects = outcome.pop("rejects")
            file.outcome = outcome
            file.save(update_fields=["rejects", "outcome"])
    workspace.remove(trial.ref)
    log.info("trial_done", trial=trial.ref)
    return 1


def _fail(trial: Trial, now: datetime, reason: str) -> int:
    Trial.objects.filter(pk=trial.pk).update(
        status=Status.FAILED, finished_at=now, progress={}, error=reason[:500]
    )
    workspace.remove(trial.ref)
    log.warning("trial_failed", trial=trial.ref)
    return 1


def _discard(trials: list[Trial]) -> int:
    """Delete trials; their folders when that is certain, and again by the sweep."""
    if not trials:
        return 0
    refs = [trial.ref for trial in trials]
    with transaction.atomic():
        Trial.objects.filter(ref__in=refs).delete()
        for ref in refs:
            transaction.on_commit(lambda ref=ref: workspace.remove(ref))  # type: ignore[misc]
    return len(refs)
