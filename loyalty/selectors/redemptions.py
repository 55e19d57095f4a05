"""What points were exchanged for."""

from __future__ import annotations

from django.db.models import QuerySet

from crm.selectors.identity import every_record_of
from loyalty.models import Redemption


def list_redemptions() -> QuerySet[Redemption]:
    """Return all redemptions, newest first, with reward, programme, product, member and order."""
    return Redemption.objects.select_related(
        "reward__programme", "product", "account__membership__customer", "order"
    ).order_by("-pk")


def redemptions_of(customer_id: int) -> QuerySet[Redemption]:
    """Return what a person exchanged, newest first. customer_id: any record of theirs."""
    records = every_record_of(customer_id)
    return list_redemptions().filter(account__membership__customer_id__in=records)


def find_redemption(ref: str) -> Redemption | None:
    """Return the redemption with this ref, or None."""
    return list_redemptions().filter(ref=ref).first()
