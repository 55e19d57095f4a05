"""What loyalty keeps about customers: how it is exported and erased."""

from __future__ import annotations

from typing import Any

from loyalty.models import Membership, PointsTransaction


def export_memberships(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return card and date of joining."""
    return [
        {"card_number": member.card_number, "joined_at": member.joined_at.isoformat()}
        for member in Membership.objects.filter(customer_id__in=customer_ids).order_by("pk")
    ]


def erase_memberships(customer_ids: list[int]) -> int:
    """Take the card away, which could still be in somebody's hands; how many."""
    return Membership.objects.filter(
        customer_id__in=customer_ids, card_number__isnull=False
    ).update(card_number=None)


def export_transactions(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return the points history."""
    rows = PointsTransaction.objects.filter(account__membership__customer_id__in=customer_ids)
    return [
        {
            "when": row.effective_at.isoformat(),
            "kind": row.kind,
            "reason": row.reason,
            "points": row.points,
            "order": row.order.external_id or row.order.ref if row.order else None,
        }
        for row in rows.select_related("order").order_by("pk")
    ]
