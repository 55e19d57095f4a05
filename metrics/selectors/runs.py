"""Which figures are the present ones, and whether they still hold."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db.models import Max

from crm.models import Order
from feedback.models import Complaint, ComplaintEvent, Response, ResponseVoid
from metrics.kpis import KPIS
from metrics.models import RecomputeRun

Status = RecomputeRun.Status


def latest_run(*, pinned: bool | None = None) -> RecomputeRun | None:
    """Return the recompute that finished last; one query.

    pinned: only runs with (True) or without (False) an as_of of their own.
    """
    runs = RecomputeRun.objects.filter(status=Status.DONE)
    if pinned is not None:
        runs = runs.filter(is_pinned=pinned)
    return runs.order_by("-finished_at", "-id").first()


def shown_run() -> RecomputeRun | None:
    """Return the run whose figures the pages show: the last one of the present moment."""
    return (
        RecomputeRun.objects.filter(status=Status.DONE)
        .order_by("is_pinned", "-finished_at", "-id")
        .first()
    )


def is_recomputing() -> bool:
    """Whether a recompute is wanted or at work; one query."""
    return RecomputeRun.objects.filter(status__in=[Status.REQUESTED, Status.RUNNING]).exists()


def change_marks() -> dict[str, Any]:
    """Return values that change whenever facts or definitions do; four look-ups in indexes.

    Instants are ISO text in UTC.
    """
    marks = {
        "orders": Order.objects.aggregate(at=Max("revised_at"), id=Max("id")),
        "responses": Response.objects.aggregate(at=Max("recorded_at"), id=Max("id")),
        "voids": ResponseVoid.objects.aggregate(at=Max("voided_at"), id=Max("id")),
        "complaints": Complaint.objects.aggregate(at=Max("recorded_at"), id=Max("id")),
        "events": ComplaintEvent.objects.aggregate(at=Max("recorded_at"), id=Max("id")),
    }
    flat: dict[str, Any] = {}
    for name, found in marks.items():
        flat[f"{name}_at"] = found["at"].isoformat() if found["at"] else None
        flat[f"{name}_id"] = found["id"]
    hashes = "".join(kpi.definition_hash for kpi in KPIS.values())
    flat["definitions"] = int(hashlib.sha256(hashes.encode()).hexdigest()[:12], 16)
    return flat
