"""Writes every app shares: recording events and heartbeats."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from common.models import ChangeDetail, Event, Heartbeat, IdempotencyKey
from common.time import now

SYSTEM = "system"
FORGET_AFTER = timedelta(days=30)
FORGET_AT_ONCE = 1000  # rows per call, so that the write lock is held briefly


@transaction.atomic
def record_event(
    *,
    kind: str,
    subject_kind: str,
    subject_ref: str,
    occurred_at: datetime,
    customer_id: int | None = None,
    actor: str = SYSTEM,
    codes: dict[str, Any] | None = None,
    detail: dict[str, Any] | None = None,
) -> Event:
    """Append one event, in the caller's transaction.

    kind: dotted code such as ``order.recorded``; an event renderer is registered for it.
    actor: ``user:<id>``, ``key:<id>``, ``customer:<id>`` or ``system``.
    codes: ids, codes and amounts as text; never names, addresses or free text.
    detail: personal text that must stay erasable; stored in a side row.
    """
    event = Event.objects.create(
        kind=kind,
        subject_kind=subject_kind,
        subject_ref=subject_ref,
        occurred_at=occurred_at,
        recorded_at=now(),
        customer_id=customer_id,
        actor=actor,
        codes=codes or {},
    )
    if detail:
        ChangeDetail.objects.create(event=event, content=detail)
    return event


def record_heartbeat(*, name: str, beat_at: datetime) -> None:
    """Remember that the background part ``name`` was alive at ``beat_at``."""
    Heartbeat.objects.update_or_create(name=name, defaults={"beat_at": beat_at})


def forget_requests(now: datetime) -> int:
    """Forget answers to API writes older than :data:`FORGET_AFTER`; return how many."""
    old = IdempotencyKey.objects.filter(created_at__lt=now - FORGET_AFTER)
    ids = list(old.order_by("created_at").values_list("pk", flat=True)[:FORGET_AT_ONCE])
    return IdempotencyKey.objects.filter(pk__in=ids).delete()[0] if ids else 0
