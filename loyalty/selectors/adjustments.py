"""Points given or taken by hand: lists, limits, and who may decide."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from accounts.models import Role, User
from crm.selectors.identity import every_record_of
from loyalty.models import Adjustment
from loyalty.selectors.programme import conditions_of, get_programme

APPROVERS = frozenset({Role.ADMIN, Role.MANAGER})
Status = Adjustment.Status


def list_adjustments() -> QuerySet[Adjustment]:
    """Return all adjustments, newest first, with member, author, approver and notes."""
    return (
        Adjustment.objects.select_related(
            "account__membership__customer", "author", "approver", "transaction"
        )
        .prefetch_related("notes__author")
        .order_by("-requested_at", "-pk")
    )


def adjustments_to_decide() -> QuerySet[Adjustment]:
    """Return those that wait for approval, oldest first."""
    return list_adjustments().filter(status=Status.REQUESTED).order_by("requested_at", "pk")


def adjustments_to_review() -> QuerySet[Adjustment]:
    """Return those a sole manager booked alone that nobody looked at again, oldest first.

    They are looked through once a month.
    """
    alone = list_adjustments().filter(is_alone=True, reviewed_at__isnull=True)
    return alone.order_by("decided_at", "pk")


def adjustments_of(customer_id: int) -> QuerySet[Adjustment]:
    """Return a person's adjustments, newest first."""
    return list_adjustments().filter(
        account__membership__customer_id__in=every_record_of(customer_id)
    )


def find_adjustment(ref: str) -> Adjustment | None:
    """Return the adjustment with this ref."""
    return list_adjustments().filter(ref=ref).first()


def limit_of(user: User, at: datetime) -> int | None:
    """Return how many points a user may ask for in one adjustment at ``at``; None: any number.

    0: none at all.

    :raises NotFound: there is no programme.
    """
    if not user.is_active or user.role not in APPROVERS | {Role.STAFF}:
        return 0
    if user.role in APPROVERS:
        return None
    return conditions_of(get_programme(), at).staff_limit


def may_decide(user: User, adjustment: Adjustment) -> bool:
    """Whether a user may approve or refuse a request: a manager or admin who didn't ask for it."""
    return (
        adjustment.status == Status.REQUESTED
        and user.is_active
        and user.role in APPROVERS
        and user.pk != adjustment.author_id
    )


def is_sole_approver(user_id: int) -> bool:
    """Whether nobody else could approve what this user asks for."""
    approvers = User.objects.filter(role__in=APPROVERS, is_active=True)
    return not approvers.exclude(pk=user_id).exists()
