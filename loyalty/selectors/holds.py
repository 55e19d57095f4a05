"""Points set aside for purchases under way."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from crm.selectors.identity import every_record_of
from loyalty.models import Hold


def list_holds() -> QuerySet[Hold]:
    """Return all holds, newest first, with reward, member, customer and transaction."""
    return Hold.objects.select_related(
        "reward__programme", "account__membership__customer", "transaction"
    ).order_by("-pk")


def holds_of(customer_id: int) -> QuerySet[Hold]:
    """Return a person's holds, newest first. customer_id: any record of theirs."""
    records = every_record_of(customer_id)
    return list_holds().filter(account__membership__customer_id__in=records)


def find_hold(ref: str) -> Hold | None:
    """Return the hold with this ref, or None."""
    return list_holds().filter(ref=ref).first()


def due_holds(at: datetime) -> QuerySet[Hold]:
    """Return the open holds whose time was over at ``at``, earliest first."""
    return Hold.objects.filter(status=Hold.Status.OPEN, expires_at__lte=at).order_by(
        "expires_at", "pk"
    )
