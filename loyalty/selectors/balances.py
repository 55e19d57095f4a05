"""What customers have and can spend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, Sum

from loyalty.models import Bucket, PointsAccount, PointsEntry, PointsLot

EXPIRING_WITHIN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Balance:
    """Whole points at one moment.

    pending: not usable yet.  active: usable, held ones included.  available: what can be spent.
    debt: points to be given back out of the next ones.
    next_release, next_expiry: the next moment some become usable, or lapse (within 30 days), and
        how many then.
    """

    pending: int = 0
    active: int = 0
    held: int = 0
    debt: int = 0
    available: int = 0
    next_release: datetime | None = None
    next_release_points: int = 0
    next_expiry: datetime | None = None
    next_expiry_points: int = 0

    @property
    def outstanding(self) -> int:
        """Pending and active points together, less the debt."""
        return self.pending + self.active - self.debt


def balance_of(customer_id: int, at: datetime) -> Balance:
    """Return what a customer has at the clock ``at``; all zeros for a non-member. Two queries.

    Availability is read from the lots, so it doesn't matter when a sweep last ran.
    """
    account = PointsAccount.objects.filter(membership__customer_id=customer_id).first()
    return balances_of([account], at)[account.pk] if account else Balance()


def balances_of(accounts: Sequence[PointsAccount], at: datetime) -> dict[int, Balance]:
    """Return account id → balance at the clock ``at``; one query for all of them.

    The account's swept figures are corrected by the lots that a sweep has yet to move, so the cost
    follows what is pending or about to lapse, not the length of the history.
    """
    lots: dict[int, list[PointsLot]] = defaultdict(list)
    for lot in PointsLot.objects.filter(
        Q(bucket=Bucket.PENDING) | Q(expires_at__lte=at + EXPIRING_WITHIN),
        account__in=[account.pk for account in accounts],
        remaining__gt=0,
    ):
        lots[lot.account_id].append(lot)
    return {account.pk: _balance(account, lots[account.pk], at) for account in accounts}


def _balance(account: PointsAccount, lots: Iterable[PointsLot], at: datetime) -> Balance:
    pending, active = account.pending, account.active
    releases: dict[datetime, int] = defaultdict(int)
    expiries: dict[datetime, int] = defaultdict(int)
    for lot in lots:
        is_usable = lot.available_from <= at
        is_over = lot.expires_at is not None and lot.expires_at <= at
        if lot.bucket == Bucket.PENDING:
            if is_usable:
                pending -= lot.remaining
                active += 0 if is_over else lot.remaining
            else:
                releases[lot.available_from] += lot.remaining
        elif is_over:
            active -= lot.remaining
        if is_usable and not is_over and lot.expires_at is not None:
            expiries[lot.expires_at] += lot.remaining
    next_release = min(releases, default=None)
    next_expiry = min((e for e in expiries if e <= at + EXPIRING_WITHIN), default=None)
    return Balance(
        pending=pending,
        active=active,
        held=account.held,
        debt=account.debt,
        available=max(0, active - account.held - account.debt),
        next_release=next_release,
        next_release_points=releases[next_release] if next_release else 0,
        next_expiry=next_expiry,
        next_expiry_points=expiries[next_expiry] if next_expiry else 0,
    )


def past_balance_of(customer_id: int, at: datetime) -> Balance:
    """Return what a customer had at a past moment, as known then; read from the journal.

    What is recorded later never changes the answer. Holds leave no trace in the journal, so
    ``held`` is 0. Two queries; the cost follows the length of the history.
    """
    entries = PointsEntry.objects.filter(
        account__membership__customer_id=customer_id,
        transaction__account__membership__customer_id=customer_id,
        transaction__recorded_at__lte=at,
    )
    debt = -(entries.filter(bucket=Bucket.DEBT).aggregate(total=Sum("amount"))["total"] or 0)
    pending = active = 0
    for available_from, expires_at, points in (
        entries.filter(lot__isnull=False)
        .values_list("lot__available_from", "lot__expires_at")
        .annotate(points=Sum("amount"))
    ):
        if available_from > at:
            pending += points
        elif expires_at is None or expires_at > at:
            active += points
    return Balance(pending=pending, active=active, debt=debt, available=max(0, active - debt))
