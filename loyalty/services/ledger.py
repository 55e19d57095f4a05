"""Writing the points journal: the one place where points change.

Contract: the caller holds a transaction and has locked the accounts with :func:`lock_accounts`,
then looked up the source keys, then read the clock. Drafts collect what is to be written; balances
and lots change in memory with them, and :func:`write_drafts` stores everything in a few statements.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.models import Event
from common.money import to_units
from common.refs import new_refs
from common.statements import FixedQuery, Told
from crm.imports.bulk import as_stored, insert_rows, next_ids_of, update_rows
from loyalty.models import (
    Bucket,
    EarnedLine,
    Membership,
    PointsAccount,
    PointsEntry,
    PointsLot,
    PointsTransaction,
)

PENDING, ACTIVE, DEBT = Bucket.PENDING.value, Bucket.ACTIVE.value, Bucket.DEBT.value
ISSUED, REVERSED = Bucket.ISSUED.value, Bucket.REVERSED.value
REDEEMED, EXPIRED = Bucket.REDEEMED.value, Bucket.EXPIRED.value
TRANSACTION_COLUMNS = (
    "id",
    "ref",
    "account_id",
    "kind",
    "reason",
    "points",
    "source_key",
    "request_hash",
    "order_id",
    "rule_version_id",
    "reverses_id",
    "actor",
    "effective_at",
    "recorded_at",
)
LOT_COLUMNS = (
    "id",
    "account_id",
    "transaction_id",
    "original",
    "remaining",
    "bucket",
    "available_from",
    "expires_at",
    "lapses",
)
LINE_COLUMNS = (
    "transaction_id",
    "rule_version_id",
    "source",
    "line",
    "base",
    "points",
    "settles_id",
    "once",
)
EVENT_COLUMNS = (
    "kind",
    "customer_id",
    "subject_kind",
    "subject_ref",
    "actor",
    "occurred_at",
    "recorded_at",
    "codes",
)


_sorted_json = json.JSONEncoder(sort_keys=True).encode


class SourceKeyReused(Conflict):
    """The key stands for another request."""

    code = "source_key_reused"
    message = _("This key was used for something else.")


def hash_request(**arguments: Any) -> str:
    """Return a digest of what was asked; the time of asking is no part of it."""
    return hashlib.sha256(_sorted_json(arguments).encode()).hexdigest()


def find_recorded(source_key: str, request_hash: str) -> PointsTransaction | None:
    """Return the transaction already written under a key. Call with the account locked.

    :raises SourceKeyReused: it answers another request.
    """
    recorded = PointsTransaction.objects.filter(source_key=source_key).first()
    if recorded is not None and recorded.request_hash != request_hash:
        raise SourceKeyReused
    return recorded


@dataclass(slots=True)
class LockedAccount:
    """An account's sums while its row is locked; drafts change them.

    status: of the membership, read after the lock.
    """

    id: int
    customer_id: int
    status: str
    pending: int
    active: int
    held: int
    debt: int
    lapses_at: datetime | None
    is_extended: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the member may earn and spend."""
        return self.status == Membership.Status.OPEN.value

    def extend(self, lapses_at: datetime | None) -> None:
        """Note that the member earned or spent: idle points lapse then, but never earlier.

        lapses_at: ``selectors.expiry.inactive_from``; None under terms without inactivity. Stored
        with the account's next draft. What lapsed already was booked before (``catch_up``).
        """
        if lapses_at is not None and self.lapses_at is not None:
            lapses_at = max(lapses_at, self.lapses_at)
        if lapses_at != self.lapses_at:
            self.lapses_at = lapses_at
            self.is_extended = True


_LOCKED = FixedQuery(
    lambda: (
        PointsAccount.objects.filter(pk__among=Told("ids"))
        .select_for_update()
        .order_by("pk")
        .values_list("pk", "pending", "active", "held", "debt", "lapses_at")
    )
)
_MEMBERS = FixedQuery(
    lambda: PointsAccount.objects.filter(pk__among=Told("ids")).values_list(
        "pk", "membership__customer_id", "membership__status"
    )
)


def lock_accounts(account_ids: Collection[int]) -> dict[int, LockedAccount]:
    """Lock the accounts until commit, in the order of their ids, and return them by id.

    On SQLite the whole database was locked when the transaction began.
    """
    locked = _LOCKED.rows(ids=account_ids)
    members = {
        pk: (customer_id, status) for pk, customer_id, status in _MEMBERS.rows(ids=account_ids)
    }
    return {
        pk: LockedAccount(pk, *members[pk], pending, active, held, debt, lapses_at)
        for pk, pending, active, held, debt, lapses_at in locked
    }


class EarnedPoints(NamedTuple):
    """What a rule gave for a line, or took back: a row of :class:`EarnedLine` to be written.

    base: in the programme's currency, up to four decimals.
    """

    rule_version_id: int
    source: str
    line: str = ""
    base: Decimal | None = None
    points: int = 0
    settles_id: int | None = None
    once: str | None = None


@dataclass(slots=True)
class NewLot:
    """A lot about to be written."""

    original: int
    remaining: int
    bucket: str
    available_from: datetime
    expires_at: datetime | None
    lapses: bool = False
    held: int = 0
    pk: int = 0


@dataclass(slots=True)
class Draft:
    """A transaction about to be written, with its entries and the event that tells of it.

    entries: (bucket, amount, lot or None).  lines: which rule gave or took what, if rules did.
    event: kind; empty for none.
    customer_id: whose event that is, where not the account holder's: a record merged into theirs.
    """

    account: LockedAccount
    kind: str
    reason: str
    points: int
    source_key: str
    request_hash: str
    actor: str
    effective_at: datetime
    order_id: int | None = None
    rule_version_id: int | None = None
    reverses_id: int | None = None
    event: str = ""
    customer_id: int | None = None
    codes: dict[str, Any] = field(default_factory=dict)
    entries: list[tuple[str, int, NewLot | PointsLot | None]] = field(default_factory=list)
    lines: list[EarnedPoints] = field(default_factory=list)

    def move(self, lot: NewLot | PointsLot, bucket: str, amount: int) -> None:
        """Add points to (or take them from) a lot of the account."""
        if amount:
            self.entries.append((bucket, amount, lot))
            lot.remaining += amount
            if bucket == PENDING:
                self.account.pending += amount
            else:
                self.account.active += amount

    def owe(self, amount: int) -> None:
        """Add to the account's debt; a negative amount settles it."""
        self.enter(DEBT, -amount)
        self.account.debt += amount

    def enter(self, bucket: str, amount: int) -> None:
        """Enter an amount that belongs to no lot: debt, or the programme's side."""
        if amount:
            self.entries.append((bucket, amount, None))

    def credit(
        self,
        points: int,
        *,
        bucket: str,
        available_from: datetime,
        expires_at: datetime | None,
        lapses_at: datetime | None = None,
    ) -> NewLot:
        """Issue points in a new lot and settle debt out of it first; return the lot.

        lapses_at: under terms that let idle points lapse, when these do if nothing happens before.
        """
        lot = NewLot(points, 0, bucket, available_from, expires_at, lapses_at is not None)
        self.move(lot, bucket, points)
        self.enter(ISSUED, -points)
        self.settle_debt(lot)
        if lapses_at is not None:
            self.account.extend(lapses_at)
        return lot

    def release(self, lot: PointsLot) -> None:
        """Move a lot's remaining points from pending to active and settle debt out of them."""
        points = lot.remaining
        self.move(lot, PENDING, -points)
        lot.bucket = ACTIVE
        self.move(lot, ACTIVE, points)
        self.settle_debt(lot)

    def settle_debt(self, lot: NewLot | PointsLot) -> None:
        """Give a lot's points for the account's debt, as far as they reach.

        Not those that a hold sets aside: they pay when it lets them go.
        """
        points = min(self.account.debt, lot.remaining - lot.held)
        if points > 0:
            self.move(lot, lot.bucket, -points)
            self.owe(-points)


def write_drafts(drafts: Sequence[Draft], *, recorded_at: datetime) -> list[int]:
    """Write transactions, lots, entries, earned lines, balances and events; return their ids.

    recorded_at: the clock, read after the accounts were locked.
    Eight statements or COPYs, whatever the number of drafts. The ids are the transactions'.

    :raises ValueError: a draft's entries don't sum to zero; nothing is written.
    """
    for draft in drafts:
        if sum(amount for _bucket, amount, _lot in draft.entries):
            raise ValueError(f"unbalanced: {draft.source_key}")
    if not drafts:
        return []
    recorded = as_stored(recorded_at)
    lots = {
        id(lot): (lot, draft)
        for draft in drafts
        for _bucket, _amount, lot in draft.entries
        if lot is not None
    }
    new = [(lot, draft) for lot, draft in lots.values() if isinstance(lot, NewLot)]
    ids, lot_ids = next_ids_of((PointsTransaction, len(drafts)), (PointsLot, len(new)))
    for (lot, _draft), lot_id in zip(new, lot_ids, strict=True):
        lot.pk = lot_id
    numbered = list(zip(ids, drafts, strict=True))
    refs = new_refs(len(drafts))
    insert_rows(
        PointsTransaction,
        TRANSACTION_COLUMNS,
        [
            (
                pk,
                ref,
                draft.account.id,
                draft.kind,
                draft.reason,
                draft.points,
                draft.source_key,
                draft.request_hash,
                draft.order_id,
                draft.rule_version_id,
                draft.reverses_id,
                draft.actor,
                as_stored(draft.effective_at),
                recorded,
            )
            for ref, (pk, draft) in zip(refs, numbered, strict=True)
        ],
    )
    pks = {id(draft): pk for pk, draft in numbered}
    _insert_lots([(lot, pks[id(draft)], draft.account.id) for lot, draft in new])
    _update_lots(lot for lot, _draft in lots.values() if isinstance(lot, PointsLot))
    insert_rows(
        PointsEntry,
        ["transaction_id", "account_id", "lot_id", "bucket", "amount"],
        [
            (
                pk,
                draft.account.id if lot or bucket == DEBT else None,
                lot.pk if lot else None,
                bucket,
                amount,
            )
            for pk, draft in numbered
            for bucket, amount, lot in draft.entries
        ],
    )
    insert_rows(
        EarnedLine,
        LINE_COLUMNS,
        [
            (
                pk,
                line.rule_version_id,
                line.source,
                line.line,
                None if line.base is None else to_units(line.base),
                line.points,
                line.settles_id,
                line.once,
            )
            for pk, draft in numbered
            for line in draft.lines
        ],
    )
    _write_accounts(
        {
            draft.account.id: draft.account
            for draft in drafts
            if draft.entries or draft.account.is_extended
        }
    )
    insert_rows(
        Event,
        EVENT_COLUMNS,
        [
            (
                draft.event,
                draft.customer_id or draft.account.customer_id,
                "points",
                ref,
                draft.actor,
                as_stored(draft.effective_at),
                recorded,
                json.dumps({"points": draft.points, **draft.codes}),
            )
            for ref, draft in zip(refs, drafts, strict=True)
            if draft.event
        ],
    )
    return ids


def _insert_lots(new: list[tuple[NewLot, int, int]]) -> None:
    """Insert lots, each with the ids of its transaction and its account."""
    insert_rows(
        PointsLot,
        LOT_COLUMNS,
        [
            (
                lot.pk,
                account_id,
                pk,
                lot.original,
                lot.remaining,
                lot.bucket,
                as_stored(lot.available_from),
                as_stored(lot.expires_at),
                lot.lapses,
            )
            for lot, pk, account_id in new
        ],
    )


def _update_lots(lots: Iterable[PointsLot]) -> None:
    update_rows(
        PointsLot,
        ["remaining", "held", "bucket", "expires_at"],
        [(lot.remaining, lot.held, lot.bucket, as_stored(lot.expires_at), lot.pk) for lot in lots],
    )


def _write_accounts(accounts: Mapping[int, LockedAccount]) -> None:
    update_rows(
        PointsAccount,
        ["pending", "active", "held", "debt", "lapses_at"],
        [
            (one.pending, one.active, one.held, one.debt, as_stored(one.lapses_at), one.id)
            for one in accounts.values()
        ],
    )
    for one in accounts.values():
        one.is_extended = False


def store_held(accounts: Iterable[LockedAccount], lots: Iterable[PointsLot]) -> None:
    """Write what holds set aside, where no draft does: two statements."""
    _update_lots(lots)
    _write_accounts({one.id: one for one in accounts})
