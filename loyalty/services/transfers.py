"""Points go with the person: what a merge moves, and what its undoing brings back.

A person's points stand in one account, the *home*: that of their own record or, if they have none,
of the first other record with one. A lot belongs to the record whose purchase earned it. Merging
moves the other accounts' lots, pending ones and dates included, and their debt; debt is settled at
once out of usable points, as after every credit. Undoing moves each lot that is left to the home of
the record it belongs to, gives back what was settled, and lets the debt return. What was used,
lapsed or repaid meanwhile stays so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.db.models import Sum

from common.registry import IdentityChange
from common.time import now
from loyalty.models import Bucket, PointsAccount, PointsEntry, PointsLot, PointsTransaction
from loyalty.selectors.programme import get_programme
from loyalty.services.ledger import (
    ACTIVE,
    DEBT,
    Draft,
    LockedAccount,
    hash_request,
    lock_accounts,
    write_drafts,
)
from loyalty.services.members import enrol_customers
from loyalty.services.release import draft_releases

MOVED = Bucket.MOVED.value
NEVER = datetime.max.replace(tzinfo=UTC)
AT_ONCE = 500  # lots per statement


def follow_identity(change: IdentityChange) -> None:
    """Move points as a merge or its undoing says. Call in its transaction.

    Locks the points accounts of everybody concerned, in the order of their ids.
    """
    accounts = _accounts_of([*change.person, *change.record])
    if not accounts:
        return
    if change.undoes:
        _split(change, accounts)
    elif len(accounts) > 1:
        _join(change, accounts)


def _join(change: IdentityChange, accounts: dict[int, int]) -> None:
    home, *others = accounts.values()
    move = _Transfer(change, [home, *others])
    for other in others:
        move.carry(
            [lot for lot in move.lots if lot.account_id == other],
            source=other,
            target=home,
            debt=move.accounts[other].debt,
        )
    move.settle(home)
    move.write()


def _split(change: IdentityChange, accounts: dict[int, int]) -> None:
    together = next(iter(accounts.values()))  # where everything stood while they were one
    groups = (change.person, change.record)
    records = PointsLot.objects.filter(account__in=accounts.values()).values_list(
        "transaction__order__customer_id", "transaction__account__membership__customer_id"
    )
    earned = {by_order or by_account for by_order, by_account in records.distinct()}
    settled, owed = _settled_then(change.undoes)
    homes = {}
    for group in groups:
        home = next(iter(_accounts_of(group).values()), None)
        if home is None and not earned.isdisjoint(group):
            home = enrol_customers(
                programme=get_programme(), joined={group[0]: change.happened_at}, recorded_at=now()
            )[group[0]]
        homes[group] = home
    move = _Transfer(change, [*accounts.values(), *filter(None, homes.values())])
    move.restore(together, settled)
    for group in groups:
        home = homes[group]
        if home is None or home == together:
            continue
        debt = sum(owed.get(account, 0) for record, account in accounts.items() if record in group)
        left = move.accounts[together].debt
        move.carry(
            [
                lot
                for lot in move.lots
                if lot.account_id == together and move.record_of(lot) in group
            ],
            source=together,
            target=home,
            debt=min(debt, left) if together in homes.values() else left,
        )
    for account_id in sorted({together, *filter(None, homes.values())}):
        move.settle(account_id)
    move.write()


class _Transfer:
    """What is about to be written for one change of identity; the accounts are locked."""

    def __init__(self, change: IdentityChange, account_ids: Iterable[int]) -> None:
        self.change = change
        self.accounts = lock_accounts(set(account_ids))
        self.clock = now()
        write_drafts(draft_releases(self.accounts, self.clock), recorded_at=self.clock)
        self.lots = list(
            PointsLot.objects.filter(account__in=self.accounts)
            .select_related("transaction__order", "transaction__account__membership")
            .order_by("pk")
        )
        self._drafts: list[Draft] = []
        self._moved: dict[int, list[int]] = defaultdict(list)

    def record_of(self, lot: PointsLot) -> int:
        """Return whose purchase earned a lot; for points without a purchase, whose account."""
        order = lot.transaction.order
        if order is not None and order.customer_id is not None:
            return order.customer_id
        return lot.transaction.account.membership.customer_id

    def carry(self, lots: Sequence[PointsLot], *, source: int, target: int, debt: int) -> None:
        """Move lots, and some debt, from one account to another."""
        out = self._draft(source, f"out:{source}:{target}")
        into = self._draft(target, f"in:{source}:{target}")
        for lot in lots:
            points = lot.remaining
            out.move(lot, lot.bucket, -points)
            into.move(lot, lot.bucket, points)
            into.points += points
            lot.account_id = target
            self._moved[target].append(lot.pk)
        if debt:
            out.owe(-debt)
            into.owe(debt)
            into.points -= debt
        out.points = -into.points
        out.enter(MOVED, into.points)
        into.enter(MOVED, -into.points)
        if into.entries:
            into.event = "points.moved"
            self._drafts += [out, into]

    def restore(self, account_id: int, settled: dict[int, int]) -> None:
        """Give back to the lots what they paid of a debt that is about to return."""
        draft = self._draft(account_id, "restore")
        for lot in self.lots:
            if lot.account_id == account_id and lot.pk in settled:
                draft.move(lot, lot.bucket, settled[lot.pk])
                draft.owe(settled[lot.pk])
        self._keep(draft)

    def settle(self, account_id: int) -> None:
        """Pay an account's debt out of its usable points, soonest-expiring first."""
        draft = self._draft(account_id, f"settle:{account_id}")
        usable = [
            lot
            for lot in self.lots
            if lot.account_id == account_id
            and lot.bucket == ACTIVE
            and (lot.expires_at or NEVER) > self.clock
        ]
        for lot in sorted(usable, key=lambda one: (one.expires_at or NEVER, one.pk)):
            draft.settle_debt(lot)
        self._keep(draft)

    def write(self) -> None:
        """Write the journal, and where the lots stand now."""
        write_drafts(self._drafts, recorded_at=self.clock)
        for target, lot_ids in self._moved.items():
            for start in range(0, len(lot_ids), AT_ONCE):
                chunk = PointsLot.objects.filter(pk__in=lot_ids[start : start + AT_ONCE])
                chunk.update(account=target)

    def _keep(self, draft: Draft) -> None:
        if draft.entries:
            self._drafts.append(draft)

    def _draft(self, account_id: int, name: str) -> Draft:
        key = f"{self.change.key}:{name}"
        account: LockedAccount = self.accounts[account_id]
        reason = PointsTransaction.Reason
        return Draft(
            account=account,
            kind=PointsTransaction.Kind.TRANSFER.value,
            reason=(reason.UNMERGED if self.change.undoes else reason.MERGED).value,
            points=0,
            source_key=key,
            request_hash=hash_request(kind="transfer", key=key),
            actor=self.change.actor,
            effective_at=self.change.happened_at,
        )


def _accounts_of(records: Sequence[int]) -> dict[int, int]:
    """Return record id → account id of those with one, the home of them all first."""
    found = dict(
        PointsAccount.objects.filter(membership__customer_id__in=records).values_list(
            "membership__customer_id", "pk"
        )
    )
    order = [records[0], *sorted(records[1:])]
    return {record_id: found[record_id] for record_id in order if record_id in found}


def _settled_then(merge_key: str) -> tuple[dict[int, int], dict[int, int]]:
    """Return what a merge did about debt: lot → points it paid, account → debt taken over."""
    entries = PointsEntry.objects.filter(transaction__source_key__startswith=f"{merge_key}:")
    settled = entries.filter(transaction__source_key__contains=":settle:", lot__isnull=False)
    lots = settled.values_list("lot").annotate(points=Sum("amount")).order_by("lot")
    taken = entries.filter(transaction__source_key__contains=":out:", bucket=DEBT)
    debts = taken.values_list("transaction__account").annotate(points=Sum("amount"))
    return {lot: -points for lot, points in lots}, dict(debts.order_by("transaction__account"))
