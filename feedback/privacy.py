"""What feedback keeps about customers: how it is exported and erased."""

from __future__ import annotations

from typing import Any

from common.registry import Traces
from feedback.models import Complaint, ComplaintText, Response, ResponseComment, ResponseVoid


def export_complaints(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return the customers' complaints with their words."""
    complaints = Complaint.objects.filter(customer_id__in=customer_ids).select_related("text")
    return [
        {
            "number": complaint.number,
            "opened_at": complaint.opened_at.isoformat(),
            "state": complaint.state,
            "category": complaint.category,
            "description": complaint.text.description if hasattr(complaint, "text") else "",
            "resolution": complaint.text.resolution if hasattr(complaint, "text") else "",
        }
        for complaint in complaints.order_by("opened_at")
    ]


def erase_complaint_texts(customer_ids: list[int]) -> int:
    """Delete the words of the customers' complaints; how many."""
    return ComplaintText.objects.filter(complaint__customer_id__in=customer_ids).delete()[0]


def export_responses(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return the customers' answers with their words."""
    responses = Response.objects.filter(customer_id__in=customer_ids).select_related("comment")
    return [
        {
            "kind": response.kind,
            "score": response.score,
            "answered_at": response.answered_at.isoformat(),
            "comment": response.comment.text if hasattr(response, "comment") else "",
        }
        for response in responses.order_by("answered_at")
    ]


def erase_response_comments(customer_ids: list[int]) -> int:
    """Delete the words beside the customers' scores; how many."""
    return ResponseComment.objects.filter(response__customer_id__in=customer_ids).delete()[0]


def export_voids(customer_ids: list[int]) -> list[dict[str, Any]]:
    """Return which of the customers' answers don't count, and why."""
    voids = ResponseVoid.objects.filter(response__customer_id__in=customer_ids).order_by("pk")
    return [dict(row) for row in voids.values("response__kind", "reason", "voided_at")]


def erase_void_reasons(customer_ids: list[int]) -> int:
    """Forget why answers don't count; that they don't stays."""
    voids = ResponseVoid.objects.filter(response__customer_id__in=customer_ids)
    return voids.exclude(reason="").update(reason="")


def erase_unmatched_complaints(traces: Traces) -> int:
    """Forget what somebody wrote under their address before they were known as a customer."""
    texts = ComplaintText.objects.filter(
        complaint__customer__isnull=True, contact_email__in=traces.words
    )
    return texts.delete()[0]
