"""What customers have and can spend."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q, Sum

from crm.selectors.identity import links_at, records_at
from loyalty.models import (
    Bucket,
    Hold,
    HoldAllocation,
    PointsAccount,
    PointsEntry,
    PointsLot,
    PointsTransaction,
)
from loyalty.selectors.course import (
    EXPIRING_WITHIN,
    LOT_FIELDS,
    Balance,
    Course,
    HoldState,
    LotState,
)
from loyalty.selectors.journal import find_account

__all__ = ["EXPIRING_WITHIN", "Balance", "balance_of", "balances_of", "past_balance_of"]


def balance_of(customer_id: int, at: datetime) -> Balance:
    """Return what a person has at the clock ``at``; all zeros for a non-member. Two queries.

    customer_id: any record of theirs; the points of all of them stand in one account.
    Availability is read from the lots, so it doesn't matter when a sweep last ran.
    """
    account = find_account(customer_id)
    return balances_of([account], at)[account.pk] if account else Balance()


def balances_of(accounts: Sequence[PointsAccount], at: datetime) -> dict[int, Balance]:
    """Return account id → balance at the clock ``at``.

    One query for all of them; two more where holds ran out that no sweep has ended yet. The
    account's swept figures are corrected by what time did since, so the cost follows what is
    pending or about to lapse, not the length of the history.
    """
    ran_out: dict[int, list[HoldState]] = defaultdict(list)
    holding = [account.pk for account in accounts if account.held]
    if holding:
        holds = Hold.objects.filter(
            account__in=holding, status=Hold.Status.OPEN, expires_at__lte=at
        ).prefetch_related("allocations")
        for hold in holds:
            ran_out[hold.account_id].append(HoldState.of(hold))
    horizon = at + EXPIRING_WITHIN
    open_lots = PointsLot.objects.filter(
        account__in=[account.pk for account in accounts], remaining__gt=0
    ).values_list("account_id", *LOT_FIELDS)
    # Each condition by itself, so that each goes by its index, however many lots are open.
    due = [open_lots.filter(expires_at__lte=horizon)]
    if idle := [one.pk for one in accounts if one.lapses_at and one.lapses_at <= horizon]:
        due.append(open_lots.filter(account__in=idle, lapses=True))
    if freed := {lot for holds in ran_out.values() for one in holds for lot, _points in one.parts}:
        due.append(open_lots.filter(pk__in=freed))
    lots: dict[int, list[LotState]] = defaultdict(list)
    for account_id, *lot in open_lots.filter(bucket=Bucket.PENDING).union(*due):
        lots[account_id].append(LotState(*lot))
    return {
        account.pk: Course(
            lots[account.pk],
            ran_out[account.pk],
            idle_at=account.lapses_at,
            pending=account.pending,
            active=account.active,
            held=account.held,
            debt=account.debt,
        ).balance_at(at)
        for account in accounts
    }


def past_balance_of(customer_id: int, at: datetime) -> Balance:
    """Return what a person had at a past moment, as known then; read from the journal.

    customer_id: any record that was theirs then. What is recorded later never changes the answer,
    nor does a later merge: the points of the records that were the person's then. What time did
    counts from when it took effect, whenever it was booked. Of idle points, ``next_expiry`` is not
    told: when they would have lapsed is known only while they last. Five queries; the cost follows
    the length of the history.
    """
    person_id = links_at(at, customer_ids=[customer_id]).get(customer_id, customer_id)
    records = records_at(person_id, at)
    by_time = Q(
        transaction__kind=PointsTransaction.Kind.RELEASE, transaction__effective_at__lte=at
    ) | Q(
        transaction__kind=PointsTransaction.Kind.EXPIRE,
        transaction__effective_at__lte=at,
        lot__transaction__recorded_at__lte=at,  # what came late may have been over already
    )
    sums: Counter[str] = Counter()
    lots: dict[int, LotState] = {}
    for pk, bucket, available_from, expires_at, lapses, points in (
        PointsEntry.objects.filter(
            Q(transaction__recorded_at__lte=at) | by_time,
            account__isnull=False,
            transaction__account__membership__customer_id__in=records,
        )
        .values_list("lot", "bucket", "lot__available_from", "lot__expires_at", "lot__lapses")
        .annotate(points=Sum("amount"))
        .order_by("lot", "bucket")
    ):
        sums[bucket] += points
        if pk is not None and points:
            unknown = lapses and expires_at and expires_at > at  # lapsed only later
            lots[pk] = LotState(
                pk, points, 0, bucket, available_from, None if unknown else expires_at, lapses
            )
    ran_out = _note_holds(lots, at)
    idle = PointsAccount.objects.filter(
        membership__customer_id__in=records, lapses_at__lte=at
    ).values_list("lapses_at", flat=True)
    return Course(
        lots.values(),
        ran_out,
        idle_at=min(filter(None, idle), default=None),
        pending=sums[Bucket.PENDING],
        active=sums[Bucket.ACTIVE],
        held=sum(lot.held for lot in lots.values()),
        debt=-sums[Bucket.DEBT],
    ).balance_at(at)


def _note_holds(lots: dict[int, LotState], at: datetime) -> list[HoldState]:
    """Note on lots what holds set aside at ``at``; return the holds that had run out by then."""
    ran_out: dict[int, HoldState] = {}
    for hold_id, expires_at, lot_id, points in HoldAllocation.objects.filter(
        Q(hold__resolved_at__isnull=True) | Q(hold__resolved_at__gt=at),
        lot__in=lots,
        hold__recorded_at__lte=at,
    ).values_list("hold", "hold__expires_at", "lot", "points"):
        lots[lot_id].held += points
        if expires_at <= at:
            hold = ran_out.setdefault(hold_id, HoldState(hold_id, expires_at, []))
            hold.parts.append((lot_id, points))
    return list(ran_out.values())
