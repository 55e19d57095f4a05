"""Reading complaints."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from common.errors import NotFound
from crm.selectors.identity import every_record_of
from feedback.models import Complaint


def list_complaints(*, state: str = "", customer_ref: str = "") -> QuerySet[Complaint]:
    """Return complaints with customer, product, shop and text loaded; the caller orders them.

    customer_ref: of a person, whose every record counts, or of one merged record.
    """
    complaints = Complaint.objects.select_related("customer", "product", "location", "text")
    if state:
        complaints = complaints.filter(state=state)
    if customer_ref:
        complaints = complaints.filter(
            Q(customer__ref=customer_ref) | Q(customer__person__ref=customer_ref)
        )
    return complaints


def get_complaint(ref: str) -> Complaint:
    """Return one complaint.

    :raises NotFound: there is none with this ref.
    """
    complaint = list_complaints().select_related("order", "owner").filter(ref=ref).first()
    if complaint is None:
        raise NotFound
    return complaint


def open_complaints_of(customer_id: int) -> list[Complaint]:
    """Return a person's complaints not yet closed, newest first, at most five."""
    return list(
        Complaint.objects.filter(customer_id__in=every_record_of(customer_id))
        .exclude(state=Complaint.State.CLOSED)
        .order_by("-opened_at")[:5]
    )


def count_open_complaints() -> int:
    """Return how many complaints wait to be resolved."""
    return Complaint.objects.filter(state=Complaint.State.RECEIVED).count()
