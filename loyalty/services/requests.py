"""What somebody asks for and a sweep does."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from loyalty.models import ReportRequest


@transaction.atomic
def request_report(*, kind: str, happened_at: datetime, actor: str) -> ReportRequest:
    """Ask for a report; where one of its kind waits already, return that.

    kind: of :class:`ReportRequest.Kind`.
    """
    waiting, _is_new = ReportRequest.objects.get_or_create(
        kind=kind, done_at__isnull=True, defaults={"actor": actor, "requested_at": happened_at}
    )
    return waiting


def is_requested(kind: str) -> bool:
    """Whether somebody waits for a report of this kind."""
    return ReportRequest.objects.filter(kind=kind, done_at__isnull=True).exists()


def finish_request(kind: str, at: datetime) -> None:
    """Mark what was asked for before ``at`` as done."""
    ReportRequest.objects.filter(kind=kind, done_at__isnull=True, requested_at__lte=at).update(
        done_at=at
    )
