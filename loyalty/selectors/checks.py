"""What adding the journal up again found, last time."""

from __future__ import annotations

from loyalty.models import LedgerCheck, ReportRequest


def latest_check() -> LedgerCheck | None:
    """Return the last check, or None before the first."""
    return LedgerCheck.objects.order_by("-checked_at", "-pk").first()


def list_checks(most: int) -> list[LedgerCheck]:
    """Return the last checks, newest first."""
    return list(LedgerCheck.objects.order_by("-checked_at", "-pk")[:most])


def count_drifts() -> int:
    """Return how many disagreements the last check found; 0 before the first."""
    latest = latest_check()
    return len(latest.drifts) if latest else 0


def waiting_request(kind: str) -> ReportRequest | None:
    """Return what somebody asked for and no sweep has done yet."""
    return ReportRequest.objects.filter(kind=kind, done_at__isnull=True).first()
