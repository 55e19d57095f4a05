"""Where the journal disagrees with itself: one query per promise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce

from loyalty.models import Bucket, EarnedLine, PointsEntry, PointsTransaction
from loyalty.models.ledger import MEMBER_BUCKETS

Kind = PointsTransaction.Kind
# Where points come from and go to, by what happened; a release only moves a member's own.
OTHER_SIDE = {
    Kind.EARN: [Bucket.ISSUED],
    Kind.OPENING: [Bucket.ISSUED],
    Kind.REDEEM: [Bucket.REDEEMED],
    Kind.RESTORE: [Bucket.REDEEMED],
    Kind.EXPIRE: [Bucket.EXPIRED],
    Kind.REVERSAL: [Bucket.REVERSED],
    Kind.SETTLE: [Bucket.ISSUED, Bucket.REVERSED],
    Kind.ADJUST: [Bucket.ISSUED, Bucket.REVERSED],
    Kind.TRANSFER: [Bucket.MOVED],
}


@dataclass(frozen=True, slots=True)
class Drift:
    """One disagreement. check: which promise.  subject: whose, by ref or key.  In whole points."""

    check: str
    subject: str
    expected: int
    found: int


def unbalanced_transactions() -> Iterator[Drift]:
    """Entries of one transaction that don't come to zero."""
    rows = (
        PointsEntry.objects.values("transaction__source_key")
        .annotate(total=Sum("amount"))
        .exclude(total=0)
        .order_by("transaction__source_key")
    )
    for row in rows.iterator():
        yield Drift("transaction_sum", row["transaction__source_key"], 0, row["total"])


def transactions_that_say_other_points() -> Iterator[Drift]:
    """Points shown to people against the member's entries; a release only moves points."""
    rows = PointsTransaction.objects.annotate(
        total=Coalesce(Sum("entries__amount", filter=Q(entries__bucket__in=MEMBER_BUCKETS)), 0)
    )
    release = Kind.RELEASE
    wrong = rows.filter(
        (Q(kind=release) & ~Q(total=0)) | (~Q(kind=release) & ~Q(total=F("points")))
    )
    for row in wrong.order_by("pk").iterator():
        shown = 0 if row.kind == release else row.points
        yield Drift("transaction_points", row.source_key, row.total, shown)


def entries_that_do_not_fit() -> Iterator[Drift]:
    """Entries of another account, or of a bucket that this kind of transaction has no part in."""
    fitting = Q(account__isnull=False, account=F("transaction__account"))
    for kind, buckets in OTHER_SIDE.items():
        fitting |= Q(account__isnull=True, transaction__kind=kind, bucket__in=buckets)
    rows = (
        PointsEntry.objects.exclude(fitting)
        .values("transaction__source_key")
        .annotate(entries=Count("pk"))
        .order_by("transaction__source_key")
    )
    for row in rows.iterator():
        yield Drift("transaction_entries", row["transaction__source_key"], 0, row["entries"])


def reversed_beyond() -> Iterator[Drift]:
    """More taken back than was earned, or more given back than was used."""
    rows = PointsTransaction.objects.filter(reversals__isnull=False).annotate(
        left=F("points") + Sum("reversals__points")
    )
    wrong = rows.filter(Q(points__gt=0, left__lt=0) | Q(points__lt=0, left__gt=0))
    for row in wrong.order_by("pk").iterator():
        yield Drift("transaction_reversed", row.source_key, row.points, row.points - row.left)


def earned_lines_that_differ() -> Iterator[Drift]:
    """What the rules gave or took, line by line, against the transaction's points."""
    rows = PointsTransaction.objects.annotate(
        given=Coalesce(Sum("lines__points"), 0), rows=Count("lines")
    )
    wrong = rows.filter(~Q(given=F("points")), Q(rows__gt=0) | Q(kind=Kind.EARN))
    for row in wrong.order_by("pk").iterator():
        yield Drift("earned_lines", row.source_key, row.given, row.points)
    overdrawn = (
        EarnedLine.objects.filter(settles__isnull=True, settlements__isnull=False)
        .annotate(left=F("points") + Sum("settlements__points"))
        .filter(left__lt=0)
    )
    for line in overdrawn.order_by("pk").iterator():
        yield Drift("earned_line_settled", f"{line.source} {line.line}".strip(), 0, line.left)
