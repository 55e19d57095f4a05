"""Adding the journal up again and naming whatever disagrees with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from loyalty.models import Bucket, PointsAccount, PointsEntry, PointsLot, PointsTransaction

MEMBER_BUCKETS = (Bucket.PENDING, Bucket.ACTIVE, Bucket.DEBT)


@dataclass(frozen=True, slots=True)
class Drift:
    """One disagreement. check: which sum.  subject: whose, by ref or key.  In whole points."""

    check: str
    subject: str
    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What was added up, and what disagrees."""

    transactions: int
    entries: int
    lots: int
    accounts: int
    drifts: list[Drift]


def verify_ledger() -> Verification:
    """Rebuild every balance from the journal's entries and compare; all in one snapshot."""
    with _one_snapshot():
        drifts = [
            *_transactions_that_do_not_sum_to_zero(),
            *_transactions_that_say_other_points(),
            *_lots_that_differ(),
            *_accounts_that_differ(),
        ]
        return Verification(
            transactions=PointsTransaction.objects.count(),
            entries=PointsEntry.objects.count(),
            lots=PointsLot.objects.count(),
            accounts=PointsAccount.objects.count(),
            drifts=drifts,
        )


@contextmanager
def _one_snapshot() -> Iterator[None]:
    """Read everything as of one moment, without keeping writers out."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")  # Django's own would take the write lock
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield


def _transactions_that_do_not_sum_to_zero() -> Iterator[Drift]:
    rows = (
        PointsEntry.objects.values("transaction__source_key")
        .annotate(total=Sum("amount"))
        .exclude(total=0)
        .order_by("transaction__source_key")
    )
    for row in rows.iterator():
        yield Drift("transaction_sum", row["transaction__source_key"], 0, row["total"])


def _transactions_that_say_other_points() -> Iterator[Drift]:
    """Points shown to people against the member's entries; a release only moves points."""
    rows = PointsTransaction.objects.annotate(
        total=Coalesce(Sum("entries__amount", filter=Q(entries__bucket__in=MEMBER_BUCKETS)), 0)
    )
    release = PointsTransaction.Kind.RELEASE
    wrong = rows.filter(
        (Q(kind=release) & ~Q(total=0)) | (~Q(kind=release) & ~Q(total=F("points")))
    )
    for row in wrong.order_by("pk").iterator():
        shown = 0 if row.kind == release else row.points
        yield Drift("transaction_points", row.source_key, row.total, shown)


def _lots_that_differ() -> Iterator[Drift]:
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


def _accounts_that_differ() -> Iterator[Drift]:
    """Accounts against entries and lots, read side by side in the order of the accounts' ids."""
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
        )
        .order_by("account")
    )
    for account in PointsAccount.objects.order_by("pk").iterator():
        entries, lots = by_entries.of(account.pk), by_lots.of(account.pk)
        for check, expected, found in (
            ("account_pending", entries.get("pending", 0), account.pending),
            ("account_active", entries.get("active", 0), account.active),
            ("account_debt", -entries.get("debt", 0), account.debt),
            ("account_held", 0, account.held),  # nothing holds points yet
            ("account_lots_pending", lots.get("pending", 0), account.pending),
            ("account_lots_active", lots.get("active", 0), account.active),
        ):
            if expected != found:
                yield Drift(check, account.ref, expected, found)


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
