"""Reading complaints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from common.errors import NotFound
from crm.selectors.identity import count_people, every_record_of, people_ids
from feedback.models import Complaint

DROPPED = ("merged", "withdrawn", "void")


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


@dataclass(frozen=True, slots=True)
class Theme:
    """What complaints were about. code: empty where nobody said.

    serious: of high severity; waiting: not resolved yet; people: known customers who complained.
    """

    code: str
    label: str
    count: int
    serious: int
    waiting: int
    people: int


def count_themes(since: datetime, until: datetime) -> list[Theme]:
    """Return what the complaints opened in ``[since, until)`` were about; one query.

    The most frequent first; withdrawn and merged ones don't count.
    """
    rows = (
        _opened(since, until)
        .values("category")
        .annotate(
            count=Count("pk"),
            serious=Count("pk", filter=Q(severity=Complaint.Severity.HIGH)),
            waiting=Count("pk", filter=Q(state=Complaint.State.RECEIVED)),
            people=count_people(),
        )
        .order_by("-count", "category")
    )
    found: list[dict[str, Any]] = [dict(row) for row in rows]
    return [Theme(code := row.pop("category"), theme_name(code), **row) for row in found]


def people_of_theme(code: str, *, since: datetime, until: datetime) -> list[int]:
    """Return the ids of the persons counted in a theme of :func:`count_themes`; one query."""
    return people_ids(_opened(since, until).filter(category=code))


def theme_name(code: str) -> str:
    """Return what complaints of this category are about, for people.

    :raises NotFound: there is no such category.
    """
    if not code:
        return _("Not said")
    if code not in Complaint.Category.values:
        raise NotFound
    return str(Complaint.Category(code).label)


def _opened(since: datetime, until: datetime) -> QuerySet[Complaint]:
    """Complaints opened in ``[since, until)`` that count."""
    opened = Complaint.objects.filter(opened_at__gte=since, opened_at__lt=until)
    return opened.exclude(events__to_state__in=DROPPED)
