"""Writes every app shares: recording events and heartbeats."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from common.models import ChangeDetail, Event, Heartbeat
from common.time import now

SYSTEM = "system"


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
