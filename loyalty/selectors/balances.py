"""What customers have and can spend."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db.models import Q, Sum

from common.time import local_date
from crm.selectors.identity import records_at
from loyalty.models import Bucket, PointsAccount, PointsEntry, PointsLot
from loyalty.selectors.journal import find_account

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

    @property
    def last_day(self) -> date | None:
        """The last local day of the points that lapse next."""
        if self.next_expiry is None:
            return None
        return local_date(self.next_expiry - timedelta(microseconds=1))


def balance_of(customer_id: int, at: datetime) -> Balance:
    """Return what a person has at the clock ``at``; all zeros for a non-member. Two queries.

    customer_id: any record of theirs; the points of all of them stand in one account.
    Availability is read from the lots, so it doesn't matter when a sweep last ran.
    """
    account = find_account(customer_id)
    return balances_of([account], at)[account.pk] if account else Balance()


def balances_of(accounts: Sequence[PointsAccount], at: datetime) -> dict[int, Balance]:
    """Return account id → balance at the clock ``at``; one query for all of them.

    The account's swept figures are corrected by the lots that a sweep has yet to move, so the cost
    follows what is pending or about to lapse, not the length of the history.
    """
    lots: dict[int, list[LotState]] = defaultdict(list)
    for account_id, remaining, bucket, available_from, expires_at in (
        PointsLot.objects.filter(
            Q(bucket=Bucket.PENDING) | Q(expires_at__lte=at + EXPIRING_WITHIN),
            account__in=[account.pk for account in accounts],
            remaining__gt=0,
        )
        .order_by("available_from", "pk")
        .values_list("account_id", "remaining", "bucket", "available_from", "expires_at")
    ):
        lots[account_id].append(LotState(remaining, bucket, available_from, expires_at))
    return {
        account.pk: _as_of(
            at,
            lots[account.pk],
            pending=account.pending,
            active=account.active,
            held=account.held,
            debt=account.debt,
        )
        for account in accounts
    }


def past_balance_of(customer_id: int, at: datetime) -> Balance:
    """Return what a customer had at a past moment, as known then; read from the journal.

    What is recorded later never changes the answer, nor does a later merge: the points of the
    records that were the person's then. Holds leave no trace in the journal, so ``held`` is 0.
    Two queries; the cost follows the length of the history.
    """
    sums: Counter[str] = Counter()
    lots = []
    for lot_id, bucket, available_from, expires_at, points in (
        PointsEntry.objects.filter(
            account__isnull=False,
            transaction__account__membership__customer_id__in=records_at(customer_id, at),
            transaction__recorded_at__lte=at,
        )
        .values_list("lot", "bucket", "lot__available_from", "lot__expires_at")
        .annotate(points=Sum("amount"))
        .order_by("lot__available_from", "lot")
    ):
        sums[bucket] += points
        if lot_id is not None and points:
            lots.append(LotState(points, bucket, available_from, expires_at))
    return _as_of(
        at,
        lots,
        pending=sums[Bucket.PENDING],
        active=sums[Bucket.ACTIVE],
        debt=-sums[Bucket.DEBT],
    )


class LotState(NamedTuple):
    """What a balance needs of a lot."""

    remaining: int
    bucket: str
    available_from: datetime
    expires_at: datetime | None


def _as_of(
    at: datetime, lots: Iterable[LotState], *, pending: int, active: int, debt: int, held: int = 0
) -> Balance:
    """Move lots as the sweeps would have by ``at``. lots: earliest usable first."""
    releases: Counter[datetime] = Counter()
    expiries: Counter[datetime] = Counter()
    for remaining, bucket, available_from, expires_at in lots:
        left = remaining
        if bucket == Bucket.PENDING:
            if available_from > at:
                releases[available_from] += remaining
                continue
            settled = min(debt, remaining)
            pending, active, debt = (
                pending - remaining,
                active + remaining - settled,
                debt - settled,
            )
            left = remaining - settled
        if expires_at is not None and expires_at <= at:
            active -= left
        elif expires_at is not None and left:
            expiries[expires_at] += left
    next_release = min(releases, default=None)
    next_expiry = min((one for one in expiries if one <= at + EXPIRING_WITHIN), default=None)
    return Balance(
        pending=pending,
        active=active,
        held=held,
        debt=debt,
        available=max(0, active - held),
        next_release=next_release,
        next_release_points=releases[next_release] if next_release else 0,
        next_expiry=next_expiry,
        next_expiry_points=expiries[next_expiry] if next_expiry else 0,
    )
