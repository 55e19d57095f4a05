"""Lists and totals of the points journal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Count, F, QuerySet, Sum

from common.statements import FixedQuery, Told
from crm.models import Customer
from crm.selectors.identity import every_record_of, groups_of
from loyalty.models import PointsAccount, PointsTransaction

HOME_FIRST = (
    F("membership__customer__person_id").asc(nulls_first=True),
    "membership__customer_id",
)
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
    """Return what changed how many points a person has: no releases, nothing that earned 0."""
    return (
        PointsTransaction.objects.filter(
            account__membership__customer_id__in=every_record_of(customer_id)
        )
        .exclude(points=0)
        .exclude(kind=PointsTransaction.Kind.RELEASE)
        .select_related("order", "lot")
    )


def find_account(customer_id: int) -> PointsAccount | None:
    """Return the account of the person whose record this is, with programme, or None.

    Of several, the person's own, then the first record's: there all the person's points stand.
    """
    return (
        PointsAccount.objects.select_related("membership__programme")
        .filter(membership__customer_id__in=every_record_of(customer_id))
        .order_by(*HOME_FIRST)
        .first()
    )


def find_account_by_ref(ref: str) -> PointsAccount | None:
    """Return the account of the person to whom the record with this ref belongs; two queries."""
    customer_id = Customer.objects.filter(ref=ref).values_list("pk", flat=True).first()
    if customer_id is None:
        return None
    accounts = list_accounts().filter(membership__customer_id__in=every_record_of(customer_id))
    return accounts.order_by(*HOME_FIRST).first()


_HOMES = FixedQuery(
    lambda: PointsAccount.objects.filter(
        membership__customer_id__among=Told("customer_ids")
    ).values_list("membership__customer_id", "pk")
)


def home_accounts(customer_ids: Collection[int]) -> dict[int, int]:
    """Return record id → account id where its person's points stand, for members; two queries."""
    groups = groups_of(customer_ids)
    records = {record_id for group in groups.values() for record_id in group}
    accounts = dict(_HOMES.rows(customer_ids=records))
    homes = {}
    for customer_id, group in groups.items():
        if members := [record_id for record_id in group if record_id in accounts]:
            homes[customer_id] = accounts[members[0]]
    return homes
