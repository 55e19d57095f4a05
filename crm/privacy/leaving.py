"""Offers and requests to leave: what was said can be erased, that and when it was said stays."""

from __future__ import annotations

from crm.models import CancelRequest, Offer
from crm.privacy.customers import Rows, _rows


def export_offers(customer_ids: list[int]) -> Rows:
    """What was offered, and what the customers said."""
    return _rows(
        Offer.objects.filter(customer_id__in=customer_ids)
        .order_by("made_at", "pk")
        .values("text", "product__sku", "amount", "currency", "state", "made_at", "answered_at")
    )


def erase_offers(customer_ids: list[int]) -> int:
    """Forget the words; what it was worth and whether it was taken are past figures."""
    return Offer.objects.filter(customer_id__in=customer_ids).exclude(text="").update(text="")


def export_cancel_requests(customer_ids: list[int]) -> Rows:
    """Why the customers asked to leave, and what came of it."""
    return _rows(
        CancelRequest.objects.filter(customer_id__in=customer_ids)
        .order_by("requested_at", "pk")
        .values("external_id", "reason__code", "text", "outcome", "requested_at", "decided_at")
    )


def erase_cancel_requests(customer_ids: list[int]) -> int:
    """Forget their words and the caller's own number; reason and outcome are past figures."""
    return CancelRequest.objects.filter(customer_id__in=customer_ids).update(
        text="", external_id=None
    )
