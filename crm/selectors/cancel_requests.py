"""Requests to leave: one, the list, those due for a decision, and what was known of them when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from common.errors import NotFound
from crm.models import CancelDecision, CancelReason, CancelRequest
from crm.selectors.identity import count_people, every_record_of, people_ids

MATURE_AFTER = timedelta(days=90)  # an outcome counts once the request is so old


def reason_name(reason: CancelReason | None) -> str:
    """Return a reason's name in the reader's language, else in any it has, else its code."""
    if reason is None:
        return ""
    wanted = (get_language() or settings.LANGUAGE_CODE, settings.LANGUAGE_CODE)
    found = next((reason.names[code] for code in wanted if reason.names.get(code)), "")
    return found or next(iter(reason.names.values()), reason.code)


def reason_name_of(code: str) -> str:
    """Return the name of the reason with this code, for many lines at the cost of one query.

    A name changed elsewhere shows after a minute at the latest.
    """
    memory = caches["memory"]
    reasons = memory.get("cancel-reasons")
    if reasons is None or code not in reasons:
        reasons = CancelReason.objects.in_bulk(field_name="code")
        memory.set("cancel-reasons", reasons, 60)
    found = reasons.get(code)
    return reason_name(found) if found else code


def list_reasons(*, with_archived: bool = False) -> QuerySet[CancelReason]:
    """Return the business's reasons in their order; those taken off the list on demand."""
    reasons = CancelReason.objects.order_by("position", "code")
    return reasons if with_archived else reasons.filter(archived_at__isnull=True)


def get_reason(code: str) -> CancelReason:
    """Return the reason with this code.

    :raises NotFound: none has it.
    """
    reason = CancelReason.objects.filter(code=code).first()
    if reason is None:
        raise NotFound
    return reason


def list_cancel_requests(
    *,
    customer_id: int | None = None,
    outcome: str = "",
    reason_id: int | None = None,
    due_at: datetime | None = None,
) -> QuerySet[CancelRequest]:
    """Return requests with customer, reason and offer.

    customer_id: those of the person whose record it is.
    due_at: only those that are 90 days old by then and still not decided.
    """
    requests = CancelRequest.objects.select_related("customer", "reason", "offer__product")
    if customer_id is not None:
        requests = requests.filter(customer_id__in=every_record_of(customer_id))
    if outcome:
        requests = requests.filter(outcome=outcome)
    if reason_id is not None:
        requests = requests.filter(reason_id=reason_id)
    if due_at is not None:
        requests = requests.filter(
            outcome=CancelRequest.Outcome.OPEN, requested_at__lte=due_at - MATURE_AFTER
        )
    return requests


def get_cancel_request(ref: str) -> CancelRequest:
    """Return the request with this ref or, failing that, this external id.

    :raises NotFound: none has either.
    """
    requests = list_cancel_requests()
    found = requests.filter(ref=ref).first() or requests.filter(external_id=ref).first()
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many customers asked to leave for a reason, and what came of it.

    code: empty where nobody said why.  Who asked several times may have had several outcomes.
    """

    code: str
    label: str
    asked: int
    stayed: int
    left: int
    undecided: int


def count_reasons(since: datetime, until: datetime) -> list[ReasonCount]:
    """Return why customers asked to leave in ``[since, until)``, the most frequent reason first.

    Customers by their requests, as these stand now. Two queries.
    """
    outcome = CancelRequest.Outcome
    rows = (
        _requested(since, until)
        .values("reason_id")
        .annotate(
            asked=count_people(),
            stayed=count_people(filter=Q(outcome=outcome.STAYED)),
            left=count_people(filter=Q(outcome=outcome.LEFT)),
            undecided=count_people(filter=Q(outcome=outcome.OPEN)),
        )
        .order_by("-asked", "reason_id")
    )
    counts: list[dict[str, Any]] = [dict(row) for row in rows]
    reasons = CancelReason.objects.in_bulk([row["reason_id"] for row in counts])
    found = []
    for row in counts:
        reason = reasons.get(row.pop("reason_id"))
        label = reason_name(reason) or _("Not said")
        found.append(ReasonCount(reason.code if reason else "", label, **row))
    return found


def people_of_reason(
    code: str, *, since: datetime, until: datetime, outcome: str = ""
) -> list[int]:
    """Return the ids of the persons counted in a row of :func:`count_reasons`; one query.

    outcome: only those with such a request.
    """
    requests = _requested(since, until)
    requests = requests.filter(reason__code=code) if code else requests.filter(reason=None)
    return people_ids(requests.filter(outcome=outcome) if outcome else requests)


def _requested(since: datetime, until: datetime) -> QuerySet[CancelRequest]:
    return CancelRequest.objects.filter(requested_at__gte=since, requested_at__lt=until)


def requests_as_known(known_at: datetime) -> QuerySet[Any, Any]:
    """Return requests known at a time, with ``known_outcome`` and ``known_decided_at`` of then."""
    latest = CancelDecision.objects.filter(
        request=OuterRef("pk"), recorded_at__lte=known_at
    ).order_by("-id")
    return CancelRequest.objects.filter(recorded_at__lte=known_at).annotate(
        known_outcome=Coalesce(Subquery(latest.values("outcome")[:1]), Value("open")),
        known_decided_at=Subquery(latest.values("decided_at")[:1]),
    )
