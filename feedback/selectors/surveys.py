"""Reading surveys and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Avg, Count, Max, Q, QuerySet

from common.errors import NotFound
from crm.selectors.identity import count_people, every_record_of, people_ids
from feedback.models import Response, Survey
from feedback.models.surveys import SCALES

KINDS = tuple(SCALES)  # what answers measure


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
    """What one survey was answered. mean: on a scale from lowest to highest.

    people: known customers who answered.
    """

    key: str
    name: str
    kind: str
    kind_label: str
    answers: int
    people: int
    mean: float
    lowest: int
    highest: int


def answers_by_survey(since: datetime, until: datetime) -> list[SurveyAnswers]:
    """Return the surveys answered in ``[since, until)``, the most often first; one query.

    All versions of a survey together; every answer that counts.
    """
    rows = (
        _answered(since, until)
        .values("survey__key", "kind")
        .annotate(
            name=Max("survey__name"),
            answers=Count("pk"),
            people=count_people(),
            mean=Avg("score"),
        )
        .order_by("-answers", "name", "kind")
    )
    labels = dict(Survey.Kind.choices)
    return [
        SurveyAnswers(
            key=row["survey__key"],
            name=row["name"],
            kind=row["kind"],
            kind_label=str(labels[row["kind"]]),
            answers=row["answers"],
            people=row["people"],
            mean=row["mean"],
            lowest=SCALES[row["kind"]][0],
            highest=SCALES[row["kind"]][1],
        )
        for row in rows
    ]


def people_of_survey(key: str, kind: str, *, since: datetime, until: datetime) -> list[int]:
    """Return the ids of the persons counted in a row of :func:`answers_by_survey`; one query."""
    return people_ids(_answered(since, until).filter(survey__key=key, kind=kind))


def survey_name(key: str) -> str:
    """Return a survey's name.

    :raises NotFound: there is no survey with this key.
    """
    name = Survey.objects.filter(key=key).aggregate(name=Max("name"))["name"]
    if name is None:
        raise NotFound
    return str(name)


def _answered(since: datetime, until: datetime) -> QuerySet[Response]:
    """Answers given in ``[since, until)`` that count."""
    return Response.objects.filter(answered_at__gte=since, answered_at__lt=until, void__isnull=True)
