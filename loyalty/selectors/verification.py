"""Adding the journal up again and naming whatever disagrees with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction

from loyalty.models import PointsAccount, PointsEntry, PointsLot, PointsTransaction
from loyalty.selectors.drifts import find_drifts
from loyalty.selectors.journal_drifts import Drift

__all__ = ["Drift", "Verification", "verify_ledger"]


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
        drifts = list(find_drifts())
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
