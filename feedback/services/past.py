"""Past answers and complaints, many at a time: history without consequences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from common.services import record_event
from common.time import now
from feedback.models import (
    Complaint,
    ComplaintEvent,
    ComplaintText,
    Invitation,
    Response,
    Survey,
)
from feedback.services.surveys import ensure_nps_survey

CHUNK = 500


@dataclass(frozen=True, slots=True)
class PastResponse:
    """An answer to a survey of another time. score: on the scale of the survey's kind."""

    external_id: str
    customer_id: int
    score: int
    answered_at: datetime
    invitation_id: int | None = None


@dataclass(frozen=True, slots=True)
class PastInvitation:
    """Somebody who was asked at another time. trigger_key: why, once for ever."""

    trigger_key: str
    customer_id: int
    invited_at: datetime
    is_answered: bool


@dataclass(frozen=True, slots=True)
class PastComplaint:
    """A complaint of another time, with its course. resolved_at, closed_at: None if not yet."""

    external_id: str
    customer_id: int | None
    opened_at: datetime
    text: str
    category: str = ""
    order_id: int | None = None
    product_id: int | None = None
    location_id: int | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None


def find_past_surveys(keys: Collection[str]) -> dict[str, Survey]:
    """Return the newest version of the surveys there are, by key; one query."""
    found = Survey.objects.filter(key__in=keys).order_by("version")
    return {survey.key: survey for survey in found}


def past_survey(*, key: str, kind: str) -> Survey:
    """Return the survey with this key, made if there is none; nobody is asked with it.

    key: at most 40 characters, as people called it elsewhere. kind: what it measures.
    """
    if (known := find_past_surveys([key]).get(key)) is not None:
        return known
    if key == kind == Survey.Kind.NPS:
        return ensure_nps_survey()
    at = now()
    survey, _is_new = Survey.objects.get_or_create(
        key=key,
        version=1,
        defaults={"name": key, "kind": kind, "created_at": at, "frozen_at": at},
    )
    return survey


@transaction.atomic
def record_past_invitations(*, survey: Survey, rows: Sequence[PastInvitation]) -> dict[str, int]:
    """Record who was asked; return the invitations' ids by trigger. A known trigger stays.

    Sends nothing. Record the answers with :func:`record_past_responses`. Three queries.
    """
    states = Invitation.State
    Invitation.objects.bulk_create(
        [
            Invitation(
                survey=survey,
                customer_id=row.customer_id,
                trigger_key=row.trigger_key,
                state=states.RESPONDED if row.is_answered else states.QUEUED,
                invited_at=row.invited_at,
                expires_at=row.invited_at + timedelta(days=survey.valid_days),
            )
            for row in rows
        ],
        ignore_conflicts=True,
        batch_size=CHUNK,
    )
    if rows:
        first = min(row.invited_at for row in rows)
        Survey.objects.filter(pk=survey.pk, frozen_at__isnull=True).update(frozen_at=first)
    found = Invitation.objects.filter(
        survey=survey, trigger_key__in=[row.trigger_key for row in rows]
    )
    return dict(found.values_list("trigger_key", "pk"))


def record_past_responses(
    *, survey: Survey, rows: Sequence[PastResponse], actor: str, is_simulated: bool = False
) -> int:
    """Record answers whose external id is new, in chunks; return how many were new."""
    total = 0
    for start in range(0, len(rows), CHUNK):
        total += _record_responses(survey, rows[start : start + CHUNK], actor, is_simulated)
    return total


@transaction.atomic
def _record_responses(
    survey: Survey, rows: Sequence[PastResponse], actor: str, is_simulated: bool
) -> int:
    known = set(
        Response.objects.filter(external_id__in=[row.external_id for row in rows]).values_list(
            "external_id", flat=True
        )
    )
    recorded_at = now()
    created = Response.objects.bulk_create(
        [
            Response(
                survey=survey,
                kind=survey.kind,
                external_id=row.external_id,
                customer_id=row.customer_id,
                invitation_id=row.invitation_id,
                score=row.score,
                is_simulated=is_simulated,
                answered_at=row.answered_at,
                recorded_at=recorded_at,
            )
            for row in rows
            if row.external_id not in known
        ]
    )
    if created:
        _record_batch("survey.imported", survey.key, len(created), recorded_at, actor)
    return len(created)


def record_past_complaints(
    *, rows: Sequence[PastComplaint], actor: str, source: str, is_simulated: bool = False
) -> int:
    """Record complaints whose external id is new, in chunks; return how many were new."""
    total = 0
    for start in range(0, len(rows), CHUNK):
        total += _record_complaints(rows[start : start + CHUNK], actor, source, is_simulated)
    return total


@transaction.atomic
def _record_complaints(
    rows: Sequence[PastComplaint], actor: str, source: str, is_simulated: bool
) -> int:
    known = set(
        Complaint.objects.filter(external_id__in=[row.external_id for row in rows]).values_list(
            "external_id", flat=True
        )
    )
    recorded_at = now()
    fresh = [row for row in rows if row.external_id not in known]
    complaints = Complaint.objects.bulk_create(
        [
            Complaint(
                external_id=row.external_id,
                customer_id=row.customer_id,
                order_id=row.order_id,
                product_id=row.product_id,
                location_id=row.location_id,
                category=row.category,
                source=source,
                state=_state_of(row),
                is_simulated=is_simulated,
                opened_at=row.opened_at,
                resolved_at=row.resolved_at,
                closed_at=row.closed_at,
                recorded_at=recorded_at,
            )
            for row in fresh
        ]
    )
    ComplaintText.objects.bulk_create(
        [
            ComplaintText(complaint=complaint, description=row.text)
            for complaint, row in zip(complaints, fresh, strict=True)
        ]
    )
    ComplaintEvent.objects.bulk_create(
        [
            ComplaintEvent(
                complaint=complaint,
                from_state=before,
                to_state=after,
                actor=actor,
                occurred_at=at,
                recorded_at=recorded_at,
            )
            for complaint, row in zip(complaints, fresh, strict=True)
            for before, after, at in _course(row)
        ]
    )
    if complaints:
        _record_batch("complaint.imported", source, len(complaints), recorded_at, actor)
    return len(complaints)


def _state_of(row: PastComplaint) -> str:
    if row.closed_at:
        return Complaint.State.CLOSED
    return Complaint.State.RESOLVED if row.resolved_at else Complaint.State.RECEIVED


def _course(row: PastComplaint) -> list[tuple[str, str, datetime]]:
    states = Complaint.State
    steps: list[tuple[str, str, datetime]] = [("", states.RECEIVED, row.opened_at)]
    if row.resolved_at:
        steps.append((states.RECEIVED, states.RESOLVED, row.resolved_at))
    if row.closed_at:
        steps.append((states.RESOLVED, states.CLOSED, row.closed_at))
    return steps


def _record_batch(kind: str, ref: str, count: int, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="batch",
        subject_ref=ref,
        occurred_at=happened_at,
        actor=actor,
        codes={"count": count},
    )
