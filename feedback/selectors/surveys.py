"""Reading surveys and answers."""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet

from crm.selectors.identity import every_record_of
from feedback.models import Response, Survey


def list_responses(*, customer_ref: str = "") -> QuerySet[Response]:
    """Return answers with customer, comment and void loaded; the caller orders them."""
    responses = Response.objects.select_related("customer", "survey", "comment", "void")
    if customer_ref:
        responses = responses.filter(
            Q(customer__ref=customer_ref) | Q(customer__person__ref=customer_ref)
        )
    return responses


def latest_responses_of(customer_id: int) -> list[Response]:
    """Return a person's last three valid answers, newest first."""
    return list(
        Response.objects.filter(customer_id__in=every_record_of(customer_id), void__isnull=True)
        .select_related("comment")
        .order_by("-answered_at")[:3]
    )


def survey_counts() -> list[Survey]:
    """Return each survey with ``invited`` and ``answered`` (of those invited) counts; one query."""
    return list(
        Survey.objects.annotate(
            invited=Count("invitations"),
            answered=Count("invitations", filter=Q(invitations__state="responded")),
        ).order_by("key", "-version")
    )
