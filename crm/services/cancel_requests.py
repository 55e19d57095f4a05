"""Customers who ask to leave: why, what was offered, and whether they stayed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.time import now
from common.validators import clean_line, clean_text
from crm.models import CancelDecision, CancelReason, CancelRequest
from crm.services.offers import record_offer
from crm.services.runs import start_runs
from crm.services.uniqueness import refusing_doubles

OUTCOME_OPEN = CancelRequest.Outcome.OPEN


class CancelRequestIdTaken(Conflict):
    """A cancel request with this id is known already."""

    code = "cancel_request_id_taken"
    message = _("A cancel request with this id is known already.")


class DecidedBeforeRequest(InvalidInput):
    """Nobody stays or leaves before they asked."""

    code = "decided_before_request"
    message = _("The outcome can't be before the request.")


class OfferElsewhere(Conflict):
    """A request has one offer, and an offer one request."""

    code = "offer_elsewhere"
    message = _("This request has its offer already.")


@transaction.atomic
def open_cancel_request(
    *,
    customer_id: int,
    requested_at: datetime,
    happened_at: datetime,
    actor: str,
    reason_id: int | None = None,
    text: str = "",
    offer: dict[str, Any] | None = None,
    outcome: str = OUTCOME_OPEN,
    decided_at: datetime | None = None,
    external_id: str | None = None,
    is_simulated: bool = False,
) -> CancelRequest:
    """Return a new request of a customer to leave.

    text: in their words; erasable.
    offer: what was offered to keep them, as :func:`record_offer` takes it (text, product_id,
        amount, currency, state), and what they said; made when they asked.
    outcome: if it is known already, since ``decided_at`` (happened_at unless given).

    :raises CancelRequestIdTaken: the external id is known; nothing is written.
    :raises DecidedBeforeRequest: decided before it was asked for; nothing is written.
    :raises InvalidInput: an offer of nothing, or no such outcome; nothing is written.
    """
    external_id = clean_line(external_id, max_length=64) if external_id else None
    _refuse_taken(external_id)
    with refusing_doubles(lambda: _refuse_taken(external_id)):
        request = CancelRequest.objects.create(
            customer_id=customer_id,
            external_id=external_id,
            reason_id=reason_id,
            text=clean_text(text),
            actor=actor,
            is_simulated=is_simulated,
            requested_at=requested_at,
            recorded_at=now(),
        )
    _tell("cancel_request.opened", request, happened_at, actor)
    if outcome == OUTCOME_OPEN and not is_simulated:
        start_runs(
            trigger="cancel_request.opened",
            customer_id=customer_id,
            trigger_key=f"cancel_request:{request.ref}",
            happened_at=happened_at,
            actor=actor,
            subject_kind="cancel_request",
            subject_ref=request.ref,
        )
    if offer:
        request = add_offer(
            request_id=request.pk,
            made_at=requested_at,
            happened_at=happened_at,
            actor=actor,
            is_simulated=is_simulated,
            **offer,
        )
    if outcome != OUTCOME_OPEN:
        request = decide_cancel_request(
            request_id=request.pk,
            outcome=outcome,
            decided_at=decided_at or max(happened_at, requested_at),
            happened_at=happened_at,
            actor=actor,
        )
    return request


@transaction.atomic
def add_offer(
    *, request_id: int, made_at: datetime, happened_at: datetime, actor: str, **offer: Any
) -> CancelRequest:
    """Record what was offered to keep somebody, and return their request.

    :raises OfferElsewhere: the request has an offer already; nothing is written.
    """
    request = CancelRequest.objects.select_for_update().get(pk=request_id)
    if request.offer_id is not None:
        raise OfferElsewhere
    request.offer = record_offer(
        customer_id=request.customer_id,
        made_at=made_at,
        happened_at=happened_at,
        actor=actor,
        **offer,
    )
    request.save(update_fields=["offer"])
    return request


@transaction.atomic
def change_cancel_request(
    *,
    request_id: int,
    happened_at: datetime,
    actor: str,
    offer: dict[str, Any] | None = None,
    outcome: str | None = None,
    decided_at: datetime | None = None,
) -> CancelRequest:
    """Add an offer made now, decide, or both at once; see the two services it calls."""
    request = CancelRequest.objects.get(pk=request_id)
    at = max(happened_at, request.requested_at)
    if offer:
        request = add_offer(
            request_id=request_id, made_at=at, happened_at=happened_at, actor=actor, **offer
        )
    if outcome is not None:
        request = decide_cancel_request(
            request_id=request_id,
            outcome=outcome,
            decided_at=decided_at or at,
            happened_at=happened_at,
            actor=actor,
        )
    return request


@transaction.atomic
def decide_cancel_request(
    *, request_id: int, outcome: str, decided_at: datetime, happened_at: datetime, actor: str
) -> CancelRequest:
    """Record whether the customer stayed or left, and return the request.

    ``open`` takes a decision back. Every decision is kept; the last is in force. The same again
    records nothing.

    :raises InvalidInput: no such outcome; nothing is written.
    :raises DecidedBeforeRequest: decided before it was asked for; nothing is written.
    """
    if outcome not in CancelRequest.Outcome.values:
        raise InvalidInput(fields={"outcome": [str(_("There is no such outcome."))]})
    request = CancelRequest.objects.select_for_update().get(pk=request_id)
    if request.outcome == outcome:
        return request
    if decided_at < request.requested_at:
        text = str(DecidedBeforeRequest.message)
        raise DecidedBeforeRequest(fields={"decided_at": [text]})
    request.outcome = outcome
    request.decided_at = None if outcome == OUTCOME_OPEN else decided_at
    request.save(update_fields=["outcome", "decided_at"])
    CancelDecision.objects.create(
        request=request, outcome=outcome, actor=actor, decided_at=decided_at, recorded_at=now()
    )
    _tell("cancel_request.decided", request, happened_at, actor, outcome=outcome)
    return request


def undo_decision(
    *, request_id: int, outcome: str, happened_at: datetime, actor: str
) -> CancelRequest:
    """Put the outcome back that a request had before; see :func:`decide_cancel_request`."""
    return decide_cancel_request(
        request_id=request_id,
        outcome=outcome,
        decided_at=happened_at,
        happened_at=happened_at,
        actor=actor,
    )


def _refuse_taken(external_id: str | None) -> None:
    if external_id and CancelRequest.objects.filter(external_id=external_id).exists():
        text = str(CancelRequestIdTaken.message)
        raise CancelRequestIdTaken(fields={"external_id": [text]})


def _tell(
    kind: str, request: CancelRequest, happened_at: datetime, actor: str, **codes: str
) -> None:
    if request.reason_id is not None:
        reason = CancelReason.objects.values_list("code", flat=True).get(pk=request.reason_id)
        codes["reason"] = reason
    record_event(
        kind=kind,
        subject_kind="cancel_request",
        subject_ref=request.ref,
        customer_id=request.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes=codes,
    )
