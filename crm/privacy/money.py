"""Money given back: amounts stay, because past figures hold them; the words can be erased."""

from __future__ import annotations

from crm.models import Refund, RefundNote
from crm.privacy.customers import Rows, _rows


def export_refunds(customer_ids: list[int]) -> Rows:
    """What was given back for the customers' purchases, corrections included."""
    return _rows(
        Refund.objects.filter(order__customer_id__in=customer_ids)
        .order_by("refunded_at", "pk")
        .values("ref", "order__ref", "amount", "currency", "quantity", "refunded_at", "recorded_at")
    )


def export_refund_notes(customer_ids: list[int]) -> Rows:
    """Why it was given back, in words."""
    return _rows(
        RefundNote.objects.filter(refund__order__customer_id__in=customer_ids)
        .order_by("pk")
        .values("refund__ref", "text")
    )


def erase_refund_notes(customer_ids: list[int]) -> int:
    """Forget the words."""
    return RefundNote.objects.filter(refund__order__customer_id__in=customer_ids).delete()[0]
