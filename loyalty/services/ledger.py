"""Writing the points journal: the one place where points change.

Contract: the caller holds a transaction and has locked the accounts with :func:`lock_accounts`,
then looked up the source keys, then read the clock. Drafts collect what is to be written; balances
and lots change in memory with them, and :func:`write_drafts` stores everything in a few statements.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.models import Event
from loyalty.models import Bucket, PointsAccount, PointsEntry, PointsLot, PointsTransaction

ACCOUNT_SUMS = ["pending", "active", "debt"]
LOT_STATE = ["remaining", "bucket"]


class SourceKeyReused(Conflict):
    """The key stands for another request."""

    code = "source_key_reused"
    message = _("This key was used for something else.")


def hash_request(**arguments: Any) -> str:
    """Return a digest of what was asked; the time of asking is no part of it."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()


def lock_accounts(account_ids: Collection[int]) -> dict[int, PointsAccount]:
    """Lock the accounts until commit, in the order of their ids, and return them by id.

    On SQLite the whole database was locked when the transaction began.
    """
    locked = (
        PointsAccount.objects.select_for_update(of=("self",))
        .filter(pk__in=account_ids)
        .select_related("membership")
        .order_by("pk")
    )
    return {account.pk: account for account in locked}


def find_recorded(source_key: str, request_hash: str) -> PointsTransaction | None:
    """Return the transaction already written under a key. Call with the account locked.

    :raises SourceKeyReused: it answers another request.
    """
    recorded = PointsTransaction.objects.filter(source_key=source_key).first()
    if recorded is not None and recorded.request_hash != request_hash:
        raise SourceKeyReused
    return recorded


@dataclass(slots=True)
class Draft:
    """A transaction about to be written, with its entries and the event that tells of it."""

    header: PointsTransaction
    account: PointsAccount
    event: str = ""  # kind; empty: none
    codes: dict[str, Any] = field(default_factory=dict)
    entries: list[PointsEntry] = field(default_factory=list)
    opened: PointsLot | None = None
    touched: list[PointsLot] = field(default_factory=list)

    def move(self, lot: PointsLot, bucket: str, amount: int) -> None:
        """Add points to (or take them from) a lot of the account."""
        self._enter(bucket, amount, lot)
        lot.remaining += amount
        if bucket == Bucket.PENDING:
            self.account.pending += amount
        else:
            self.account.active += amount
        if lot is not self.opened and lot not in self.touched:
            self.touched.append(lot)

    def owe(self, amount: int) -> None:
        """Add to the account's debt; a negative amount settles it."""
        self._enter(Bucket.DEBT, -amount)
        self.account.debt += amount

    def programme(self, bucket: str, amount: int) -> None:
        """Enter the programme's side."""
        self._enter(bucket, amount)

    def _enter(self, bucket: str, amount: int, lot: PointsLot | None = None) -> None:
        if amount:
            is_member = lot is not None or bucket == Bucket.DEBT
            self.entries.append(
                PointsEntry(
                    transaction=self.header,
                    account=self.account if is_member else None,
                    lot=lot,
                    bucket=bucket,
                    amount=amount,
                )
            )

    def credit(
        self, points: int, *, bucket: str, available_from: datetime, expires_at: datetime | None
    ) -> None:
        """Issue points in a new lot and settle debt out of it first."""
        self.opened = PointsLot(
            account=self.account,
            transaction=self.header,
            original=points,
            remaining=0,
            bucket=bucket,
            available_from=available_from,
            expires_at=expires_at,
        )
        self.move(self.opened, bucket, points)
        self.programme(Bucket.ISSUED, -points)
        self.settle_debt(self.opened)

    def release(self, lot: PointsLot) -> None:
        """Move a lot's remaining points from pending to active and settle debt out of them."""
        points = lot.remaining
        self.move(lot, Bucket.PENDING, -points)
        lot.bucket = Bucket.ACTIVE
        self.move(lot, Bucket.ACTIVE, points)
        self.settle_debt(lot)

    def settle_debt(self, lot: PointsLot) -> None:
        """Give a lot's points for the account's debt, as far as they reach."""
        points = min(self.account.debt, lot.remaining)
        if points:
            self.move(lot, lot.bucket, -points)
            self.owe(-points)


def write_drafts(drafts: Iterable[Draft], *, recorded_at: datetime) -> list[PointsTransaction]:
    """Write transactions, lots, entries, balances and events; return the transactions.

    recorded_at: the clock, read after the accounts were locked.

    :raises ValueError: a draft's entries don't sum to zero; nothing is written.
    """
    drafts = list(drafts)
    for draft in drafts:
        if sum(entry.amount for entry in draft.entries):
            raise ValueError(f"unbalanced: {draft.header.source_key}")
        draft.header.account = draft.account
        draft.header.recorded_at = recorded_at
    headers = PointsTransaction.objects.bulk_create([draft.header for draft in drafts])
    PointsLot.objects.bulk_create([draft.opened for draft in drafts if draft.opened])
    PointsEntry.objects.bulk_create([entry for draft in drafts for entry in draft.entries])
    _update_all(PointsLot, {id(lot): lot for d in drafts for lot in d.touched}, LOT_STATE)
    _update_all(PointsAccount, {d.account.pk: d.account for d in drafts if d.entries}, ACCOUNT_SUMS)
    Event.objects.bulk_create(
        [
            Event(
                kind=draft.event,
                subject_kind="points",
                subject_ref=draft.header.ref,
                customer_id=draft.account.membership.customer_id,
                actor=draft.header.actor,
                occurred_at=draft.header.effective_at,
                recorded_at=recorded_at,
                codes={"points": draft.header.points, **draft.codes},
            )
            for draft in drafts
            if draft.event
        ]
    )
    return headers


def _update_all(model: Any, rows: dict[Any, Any], fields: list[str]) -> None:
    """Store the fields of locked rows in one statement; an UPDATE with cases is far slower."""
    if rows:
        model.objects.bulk_create(
            rows.values(), update_conflicts=True, unique_fields=["pk"], update_fields=fields
        )
