"""Points go with the person: what a merge moves, and what its undoing brings back.

A person's points stand in one account, the *home*: that of their own record or, if they have none,
of the first other record with one. A lot belongs to the record whose purchase earned it. Merging
moves the other accounts' lots, pending ones and dates included, and their debt; debt is settled at
once out of usable points, as after every credit. What holds set aside goes along. Undoing moves
each lot that is left to the home of the record it belongs to, gives back what was settled, and lets
the debt return. What was used, lapsed or repaid meanwhile stays so. A hold on points of both lets
them go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from django.db.models import Sum

from common.registry import IdentityChange
from common.time import now
from loyalty.models import Bucket, Hold, PointsAccount, PointsEntry, PointsLot, PointsTransaction
from loyalty.selectors.programme import get_programme
from loyalty.services.catch_up import catch_up, draft_expiry_after, draft_let_go
from loyalty.services.ledger import (
    ACTIVE,
    DEBT,
    Draft,
    LockedAccount,
    hash_request,
    lock_accounts,
    store_held,
    write_drafts,
)
from loyalty.services.members import enrol_customers
from loyalty.services.tier_moves import join_tiers, split_tiers

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
        move.accounts[other].lapses_at = None
    move.settle(home)
    move.write()
    join_tiers(account_ids=[home, *others], actor=change.actor)


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
    move.let_go_of_shared(
        together, {record: homes[group] or together for group in groups for record in group}
    )
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
    parted = {*accounts.values(), *filter(None, homes.values())} - {together}
    split_tiers(account_ids=[together, *sorted(parted)], actor=change.actor)


class _Transfer:
    """What is about to be written for one change of identity; the accounts are locked."""

    def __init__(self, change: IdentityChange, account_ids: Iterable[int]) -> None:
        self.change = change
        self.accounts = lock_accounts(set(account_ids))
        self.clock = now()
        catch_up(self.accounts, self.clock)
        self.lots = list(
            PointsLot.objects.filter(account__in=self.accounts)
            .select_related("transaction__order", "transaction__account__membership")
            .order_by("pk")
        )
        self.holds = list(
            Hold.objects.filter(account__in=self.accounts, status=Hold.Status.OPEN)
            .prefetch_related("allocations")
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
        out.account.held -= sum(lot.held for lot in lots)
        into.account.held += sum(lot.held for lot in lots)
        if any(lot.lapses for lot in lots):
            into.account.extend(out.account.lapses_at or into.account.lapses_at)
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

    def let_go_of_shared(self, account_id: int, homes: Mapping[int, int]) -> None:
        """End the account's holds on lots that part. homes: record id → account id then."""
        lots = {lot.pk: lot for lot in self.lots}
        for hold in self.holds:
            parts = [(lots[part.lot_id], part.points) for part in hold.allocations.all()]
            if len({homes.get(self.record_of(lot), account_id) for lot, _points in parts}) > 1:
                self._drafts += draft_let_go(
                    self.accounts[account_id], parts, hold_id=hold.pk, at=self.clock
                )
                hold.status, hold.resolved_at = Hold.Status.VOIDED, self.clock

    def restore(self, account_id: int, settled: dict[int, int]) -> None:
        """Give back to the lots what they paid of a debt that is about to return.

        Of a lot whose time is over by now the points expire at once.
        """
        draft = self._draft(account_id, "restore")
        given_back = []
        for lot in self.lots:
            if lot.account_id == account_id and lot.pk in settled:
                draft.move(lot, lot.bucket, settled[lot.pk])
                draft.owe(settled[lot.pk])
                given_back.append((lot, settled[lot.pk]))
        self._keep(draft)
        self._drafts += draft_expiry_after(
            self.accounts[account_id], given_back, key=self.change.key, clock=self.clock
        )

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
        """Write the journal, and where lots and holds stand now."""
        write_drafts(self._drafts, recorded_at=self.clock)
        for target, lot_ids in self._moved.items():
            for start in range(0, len(lot_ids), AT_ONCE):
                chunk = PointsLot.objects.filter(pk__in=lot_ids[start : start + AT_ONCE])
                chunk.update(account=target)
        if not self.holds:
            return
        lots = {lot.pk: lot for lot in self.lots}
        for hold in self.holds:
            for part in hold.allocations.all()[:1]:
                hold.account_id = lots[part.lot_id].account_id
        Hold.objects.bulk_update(self.holds, ["account", "status", "resolved_at"])
        store_held(self.accounts.values(), [lot for lot in self.lots if lot.remaining])

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
