"""Where lots, accounts, holds and records disagree with the journal: one query per promise."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.db.models import Case, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from loyalty.models import (
    Adjustment,
    Bucket,
    Hold,
    HoldAllocation,
    PointsAccount,
    PointsEntry,
    PointsLot,
    PointsTransaction,
    Redemption,
)
from loyalty.models.ledger import MEMBER_BUCKETS
from loyalty.selectors.journal_drifts import (
    Drift,
    earned_lines_that_differ,
    entries_that_do_not_fit,
    reversed_beyond,
    transactions_that_say_other_points,
    unbalanced_transactions,
)

Kind = PointsTransaction.Kind
OPEN_HOLDS = Q(allocations__hold__status=Hold.Status.OPEN)


def find_drifts() -> Iterator[Drift]:
    """Yield every disagreement; the order is the same for the same tables."""
    return chain(
        unbalanced_transactions(),
        transactions_that_say_other_points(),
        entries_that_do_not_fit(),
        reversed_beyond(),
        earned_lines_that_differ(),
        _lots_that_differ(),
        _lots_held_otherwise(),
        _lots_elsewhere(),
        _spent_out_of_time(),
        _accounts_that_differ(),
        _holds_that_differ(),
        _records_that_differ(),
        _programme_that_differs(),
    )


def _lots_that_differ() -> Iterator[Drift]:
    """What is left, where it stands and what it began with, against the entries that moved it.

    So what began is what is left and what was used, lapsed, paid or taken back, less restored.
    """
    lots = PointsLot.objects.annotate(
        total=Coalesce(Sum("entries__amount"), 0),
        in_bucket=Coalesce(Sum("entries__amount", filter=Q(entries__bucket=F("bucket"))), 0),
        issued=Coalesce(
            Sum(
                "entries__amount",
                filter=Q(entries__transaction=F("transaction"), entries__amount__gt=0),
            ),
            0,
        ),
    ).select_related("transaction")
    wrong = lots.exclude(
        total=F("remaining"), in_bucket=F("remaining"), issued=F("original")
    ).order_by("pk")
    for lot in wrong.iterator():
        key = lot.transaction.source_key
        for check, expected, found in (
            ("lot_remaining", lot.total, lot.remaining),
            ("lot_bucket", lot.in_bucket, lot.remaining),
            ("lot_original", lot.issued, lot.original),
        ):
            if expected != found:
                yield Drift(check, key, expected, found)


def _lots_held_otherwise() -> Iterator[Drift]:
    wrong = (
        PointsLot.objects.filter(Q(held__gt=0) | OPEN_HOLDS)
        .annotate(kept=Coalesce(Sum("allocations__points", filter=OPEN_HOLDS), 0))
        .exclude(kept=F("held"))
        .select_related("transaction")
    )
    for lot in wrong.order_by("pk").iterator():
        yield Drift("lot_held", lot.transaction.source_key, lot.kept, lot.held)


def _lots_elsewhere() -> Iterator[Drift]:
    """Points of a lot that the journal moved to another account than the one it stands in."""
    rows = (
        PointsEntry.objects.filter(lot__isnull=False)
        .exclude(account=F("lot__account"))
        .values("lot__transaction__source_key")
        .annotate(elsewhere=Sum("amount"))
        .exclude(elsewhere=0)
        .order_by("lot__transaction__source_key")
    )
    for row in rows.iterator():
        yield Drift("lot_account", row["lot__transaction__source_key"], 0, row["elsewhere"])


def _spent_out_of_time() -> Iterator[Drift]:
    """Used outside of the time in which they could be, unless set aside before; lapsed too soon."""
    moved = PointsEntry.objects.filter(lot__isnull=False)
    spent = moved.filter(
        ~Q(transaction__recorded_at__gte=F("lot__available_from"))
        | Q(transaction__recorded_at__gte=F("lot__expires_at")),
        transaction__kind=Kind.REDEEM,
        transaction__hold__isnull=True,
    )
    lapsed = moved.filter(
        Q(lot__expires_at__isnull=True) | Q(transaction__effective_at__lt=F("lot__expires_at")),
        transaction__kind=Kind.EXPIRE,
        transaction__reason=PointsTransaction.Reason.LAPSED,
    )
    for check, entries in (("spent_out_of_time", spent), ("expired_too_soon", lapsed)):
        rows = entries.values("transaction__source_key").annotate(points=Sum("amount"))
        for row in rows.order_by("transaction__source_key").iterator():
            yield Drift(check, row["transaction__source_key"], 0, row["points"])


def _accounts_that_differ() -> Iterator[Drift]:
    """Accounts against entries, lots and holds, side by side in the order of the accounts' ids."""
    by_entries = _Sums(
        PointsEntry.objects.filter(account__isnull=False)
        .values("account")
        .annotate(
            **{bucket.value: _sum_in("amount", bucket) for bucket in MEMBER_BUCKETS},
        )
        .order_by("account")
    )
    by_lots = _Sums(
        PointsLot.objects.values("account")
        .annotate(
            pending=_sum_in("remaining", Bucket.PENDING),
            active=_sum_in("remaining", Bucket.ACTIVE),
            held=Sum("held"),
        )
        .order_by("account")
    )
    by_holds = _Sums(
        Hold.objects.filter(status=Hold.Status.OPEN)
        .values("account")
        .annotate(held=Sum("points"))
        .order_by("account")
    )
    for account in PointsAccount.objects.order_by("pk").iterator():
        entries, lots = by_entries.of(account.pk), by_lots.of(account.pk)
        for check, expected, found in (
            ("account_pending", entries.get("pending", 0), account.pending),
            ("account_active", entries.get("active", 0), account.active),
            ("account_debt", -entries.get("debt", 0), account.debt),
            ("account_held", by_holds.of(account.pk).get("held", 0), account.held),
            ("account_lots_pending", lots.get("pending", 0), account.pending),
            ("account_lots_active", lots.get("active", 0), account.active),
            ("account_lots_held", lots.get("held", 0), account.held),
        ):
            if expected != found:
                yield Drift(check, account.ref, expected, found)
        if account.debt and account.active > account.held:  # debt takes what is free
            yield Drift("account_debt_unpaid", account.ref, 0, account.active - account.held)


def _holds_that_differ() -> Iterator[Drift]:
    """Holds against what they set aside of lots and against what was used of them."""
    kept = Hold.objects.annotate(kept=Coalesce(Sum("allocations__points"), 0))
    for hold in kept.exclude(kept=F("points")).order_by("pk").iterator():
        yield Drift("hold_points", hold.ref, hold.kept, hold.points)
    used = Hold.objects.annotate(used=Coalesce(-F("transaction__points"), 0))
    for one in used.exclude(used=F("captured")).order_by("pk").iterator():
        yield Drift("hold_captured", one.ref, one.used, one.captured)
    astray = HoldAllocation.objects.filter(hold__status=Hold.Status.OPEN).exclude(
        lot__account=F("hold__account")
    )
    for part in astray.select_related("hold").order_by("pk").iterator():
        yield Drift("hold_account", part.hold.ref, 0, part.points)


def _records_that_differ() -> Iterator[Drift]:
    """Redemptions and adjustments against the transactions that booked them."""
    redemptions = Redemption.objects.annotate(
        booked=-F("transaction__points"),
        given_back=Coalesce(Sum("transaction__reversals__points"), 0),
        due=Case(When(status=Redemption.Status.REVERSED, then=F("points")), default=Value(0)),
    )
    for one in redemptions.exclude(booked=F("points")).order_by("pk").iterator():
        yield Drift("redemption_points", one.ref, one.booked, one.points)
    for one in redemptions.exclude(given_back=F("due")).order_by("pk").iterator():
        yield Drift("redemption_given_back", one.ref, one.given_back, one.due)
    adjustments = Adjustment.objects.filter(transaction__isnull=False).annotate(
        booked=F("transaction__points")
    )
    for adjustment in adjustments.exclude(booked=F("points")).order_by("pk").iterator():
        yield Drift("adjustment_points", adjustment.ref, adjustment.booked, adjustment.points)


def _programme_that_differs() -> Iterator[Drift]:
    """All that was issued is with members, or was used, lapsed or taken back."""
    totals = {
        row["bucket"]: row["total"]
        for row in PointsEntry.objects.filter(account__isnull=True)
        .values("bucket")
        .annotate(total=Sum("amount"))
        .order_by("bucket")
    }
    remaining = PointsLot.objects.aggregate(total=Coalesce(Sum("remaining"), 0))["total"]
    debt = PointsAccount.objects.aggregate(total=Coalesce(Sum("debt"), 0))["total"]
    gone = (Bucket.REDEEMED, Bucket.EXPIRED, Bucket.REVERSED)
    accounted = remaining - debt + sum(totals.get(bucket, 0) for bucket in gone)
    issued = -totals.get(Bucket.ISSUED, 0)
    if issued != accounted:
        yield Drift("programme_issued", "programme", accounted, issued)
    if moved := totals.get(Bucket.MOVED, 0):
        yield Drift("programme_moved", "programme", 0, moved)


def _sum_in(field: str, bucket: str) -> Coalesce:
    return Coalesce(Sum(field, filter=Q(bucket=bucket)), 0)


class _Sums:
    """Sums per account, read in step with the accounts instead of kept in memory."""

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        self._rows: Iterator[dict[str, Any]] = rows.iterator()
        self._next: dict[str, Any] | None = next(self._rows, None)

    def of(self, account_id: int) -> dict[str, Any]:
        """Return the row of this account, empty without one; ask in ascending order."""
        while self._next is not None and self._next["account"] < account_id:
            self._next = next(self._rows, None)
        row = self._next
        return row if row is not None and row["account"] == account_id else {}
