"""Lists and totals of the points journal."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Count, QuerySet, Sum

from loyalty.models import PointsAccount, PointsTransaction

TOTALS_SECONDS = 30  # adding up a million accounts on every view would be felt
TOTALS_KEY = "loyalty.totals"


@dataclass(frozen=True, slots=True)
class Totals:
    """What the programme owes, in whole points, up to 30 seconds old."""

    members: int = 0
    pending: int = 0
    active: int = 0
    debt: int = 0

    @property
    def outstanding(self) -> int:
        """Everything members may still use, less what they owe back."""
        return self.pending + self.active - self.debt


def get_totals() -> Totals:
    """Return the programme's totals; one query at most every 30 seconds."""
    found: Totals | None = cache.get(TOTALS_KEY)
    if found is None:
        sums = PointsAccount.objects.aggregate(
            members=Count("id"), pending=Sum("pending"), active=Sum("active"), debt=Sum("debt")
        )
        found = Totals(**{name: value or 0 for name, value in sums.items()})
        cache.set(TOTALS_KEY, found, TOTALS_SECONDS)
    return found


def list_transactions() -> QuerySet[PointsTransaction]:
    """Return all transactions with account, member, customer and order."""
    return PointsTransaction.objects.select_related("account__membership__customer", "order")


def list_accounts() -> QuerySet[PointsAccount]:
    """Return all accounts with member and customer."""
    return PointsAccount.objects.select_related("membership__customer")


def transactions_of(customer_id: int) -> QuerySet[PointsTransaction]:
    """Return what changed how many points a customer has: no releases, nothing that earned 0."""
    return (
        PointsTransaction.objects.filter(account__membership__customer_id=customer_id)
        .exclude(points=0)
        .exclude(kind=PointsTransaction.Kind.RELEASE)
        .select_related("order", "lot")
    )


def find_account(customer_id: int) -> PointsAccount | None:
    """Return a customer's account with membership and programme, or None."""
    return (
        PointsAccount.objects.select_related("membership__programme")
        .filter(membership__customer_id=customer_id)
        .first()
    )
