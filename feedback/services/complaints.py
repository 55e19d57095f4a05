"""Complaints: received, resolved, closed."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.time import now
from common.validators import clean_email, clean_line, clean_text
from crm.services.runs import start_runs
from feedback.models import Complaint, ComplaintEvent, ComplaintText

MAX_DESCRIPTION = 10_000


class ComplaintNotOpen(Conflict):
    """Only a received complaint can be resolved."""

    code = "complaint_not_open"
    message = _("This complaint is resolved already.")


class ComplaintNotResolved(Conflict):
    """Only a resolved complaint can be closed."""

    code = "complaint_not_resolved"
    message = _("Resolve the complaint before closing it.")


class ComplaintKnown(Conflict):
    """A complaint with this external id is known."""

    code = "complaint_known"
    message = _("A complaint with this external id is known already.")


@transaction.atomic
def open_complaint(
    *,
    customer_id: int | None,
    happened_at: datetime,
    actor: str,
    text: str,
    source: str,
    category: str = "",
    severity: str = Complaint.Severity.NORMAL,
    product_id: int | None = None,
    order_id: int | None = None,
    location_id: int | None = None,
    contact_name: str = "",
    contact_email: str = "",
    external_id: str | None = None,
) -> Complaint:
    """Record a complaint and return it.

    customer_id: None when nobody known complains; contact name and address are kept then.
    text: what happened, at most 10,000 characters; kept erasable.

    :raises InvalidInput: no text, or an unknown category or severity; nothing is written.
    :raises ComplaintKnown: the external id is in use; nothing is written.
    """
    description = clean_text(text, max_length=MAX_DESCRIPTION)
    if not description:
        raise InvalidInput(fields={"text": [str(_("Say what happened."))]})
    if category and category not in Complaint.Category.values:
        raise InvalidInput(fields={"category": [str(_("Unknown category."))]})
    if severity not in Complaint.Severity.values:
        raise InvalidInput(fields={"severity": [str(_("Unknown severity."))]})
    try:
        with transaction.atomic():
            complaint = Complaint.objects.create(
                customer_id=customer_id,
                product_id=product_id,
                order_id=order_id,
                location_id=location_id,
                category=category,
                severity=severity,
                source=source,
                external_id=external_id or None,
                opened_at=happened_at,
                recorded_at=now(),
            )
    except IntegrityError as error:
        raise ComplaintKnown from error
    ComplaintText.objects.create(
        complaint=complaint,
        description=description,
        contact_name=clean_line(contact_name),
        contact_email=clean_email(contact_email) if contact_email else "",
    )
    _record_step(complaint, "", happened_at, actor)
    if customer_id is not None:
        start_runs(
            trigger="complaint.opened",
            customer_id=customer_id,
            trigger_key=f"complaint:{complaint.ref}",
            happened_at=happened_at,
            actor=actor,
            location_id=location_id,
            subject_kind="complaint",
            subject_ref=complaint.ref,
        )
    return complaint


@transaction.atomic
def resolve_complaint(
    *, complaint_id: int, resolution: str, happened_at: datetime, actor: str
) -> Complaint:
    """Mark a received complaint as resolved, saying what was done.

    :raises ComplaintNotOpen: it is resolved or closed; nothing changes.
    :raises InvalidInput: nothing said; nothing changes.
    """
    resolution = clean_text(resolution, max_length=MAX_DESCRIPTION)
    if not resolution:
        raise InvalidInput(fields={"resolution": [str(_("Say what was done."))]})
    complaint = Complaint.objects.select_for_update().get(pk=complaint_id)
    if complaint.state != Complaint.State.RECEIVED:
        raise ComplaintNotOpen
    complaint.state = Complaint.State.RESOLVED
    complaint.resolved_at = max(happened_at, complaint.opened_at)
    complaint.save(update_fields=["state", "resolved_at"])
    ComplaintText.objects.filter(complaint=complaint).update(resolution=resolution)
    _record_step(complaint, Complaint.State.RECEIVED, happened_at, actor)
    return complaint


@transaction.atomic
def close_complaint(*, complaint_id: int, happened_at: datetime, actor: str) -> Complaint:
    """Close a resolved complaint.

    :raises ComplaintNotResolved: it is not resolved, or closed already; nothing changes.
    """
    complaint = Complaint.objects.select_for_update().get(pk=complaint_id)
    if complaint.state != Complaint.State.RESOLVED:
        raise ComplaintNotResolved
    complaint.state = Complaint.State.CLOSED
    complaint.closed_at = max(happened_at, complaint.opened_at)
    complaint.save(update_fields=["state", "closed_at"])
    _record_step(complaint, Complaint.State.RESOLVED, happened_at, actor)
    return complaint


def _record_step(complaint: Complaint, from_state: str, happened_at: datetime, actor: str) -> None:
    ComplaintEvent.objects.create(
        complaint=complaint,
        from_state=from_state,
        to_state=complaint.state,
        actor=actor,
        occurred_at=happened_at,
        recorded_at=now(),
    )
    record_event(
        kind=f"complaint.{complaint.state}",
        subject_kind="complaint",
        subject_ref=complaint.ref,
        customer_id=complaint.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"number": complaint.number, "category": complaint.category},
    )
