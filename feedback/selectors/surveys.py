"""Reading surveys and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Avg, Count, Q, QuerySet

from crm.selectors.identity import every_record_of
from feedback.models import Response, Survey
from feedback.models.surveys import SCALES


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


@dataclass(frozen=True, slots=True)
class SurveyAnswers:
    """What one survey was answered. mean: on a scale from lowest to highest."""

    name: str
    kind_label: str
    answers: int
    mean: float
    lowest: int
    highest: int


def answers_by_survey(since: datetime, until: datetime) -> list[SurveyAnswers]:
    """Return the surveys answered in ``[since, until)``, the most often first; one query.

    All versions of a survey together; every answer that counts.
    """
    rows = (
        Response.objects.filter(answered_at__gte=since, answered_at__lt=until, void__isnull=True)
        .values("survey__name", "kind")
        .annotate(answers=Count("pk"), mean=Avg("score"))
        .order_by("-answers", "survey__name")
    )
    labels = dict(Survey.Kind.choices)
    return [
        SurveyAnswers(
            name=row["survey__name"],
            kind_label=str(labels[row["kind"]]),
            answers=row["answers"],
            mean=row["mean"],
            lowest=SCALES[row["kind"]][0],
            highest=SCALES[row["kind"]][1],
        )
        for row in rows
    ]
