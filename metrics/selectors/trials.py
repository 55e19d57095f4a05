"""Trials: the list, one of them, and the uploads that can be tried."""

from __future__ import annotations

from django.db.models import QuerySet

from common.errors import NotFound
from crm.models import ImportBatch
from metrics.models import Trial

SHOWN = 50


def list_trials() -> list[Trial]:
    """Return the newest trials with their files, without refused rows; two queries."""
    newest = Trial.objects.order_by("-requested_at", "-id").prefetch_related("files")
    return list(newest[:SHOWN])


def find_trial(ref: str) -> Trial:
    """Return a trial with its files and uploads; three queries.

    :raises NotFound: there is none.
    """
    trial = Trial.objects.filter(ref=ref).prefetch_related("files__batch").first()
    if trial is None:
        raise NotFound
    return trial


def list_uploads() -> QuerySet[ImportBatch]:
    """Return uploaded files that wait to be imported, newest first."""
    waiting = ImportBatch.objects.filter(status=ImportBatch.Status.UPLOADED)
    return waiting.exclude(stored_as="").order_by("-started_at", "-id")
