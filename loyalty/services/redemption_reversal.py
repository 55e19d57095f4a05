"""Taking an exchange of points back."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F

from common.errors import NotFound
from common.time import now
from loyalty.models import Membership, PointsEntry, PointsLot, PointsTransaction, Redemption, Reward
from loyalty.selectors.expiry import inactive_from
from loyalty.selectors.programme import conditions_of
from loyalty.services.catch_up import catch_up, draft_expiry_after
from loyalty.services.consumption import Allocations
from loyalty.services.ledger import (
    ACTIVE,
    REDEEMED,
    Draft,
    LockedAccount,
    hash_request,
    lock_accounts,
    write_drafts,
)
from loyalty.services.reversal import PointsMoved
from loyalty.services.spending import MembershipNotOpen

Kind, Reason = PointsTransaction.Kind, PointsTransaction.Reason


@transaction.atomic
def reverse_redemption(*, redemption_id: int, happened_at: datetime, actor: str) -> Redemption:
    """Take an exchange back and return it: points to the lots they came from, the piece to stock.

    The lots keep their time: what is over by now expires at once. Debt is settled out of the rest.
    Points of a person whose records were parted since go where each lot stands now.
    Again: returns the redemption as it is, writes nothing.
    Locks the points accounts concerned until commit, then the redemption.

    :raises NotFound: there is no such redemption.
    :raises MembershipNotOpen: the membership was closed, so nobody could use the points.
    :raises PointsMoved: a merge moved the points this instant; try again.
    """
    redemption = Redemption.objects.filter(pk=redemption_id).first()
    if redemption is None:
        raise NotFound
    burned = _burned(redemption.transaction_id)
    standing = PointsLot.objects.filter(pk__in=burned)
    accounts = lock_accounts(
        {redemption.account_id, *standing.values_list("account_id", flat=True)}
    )
    # A voucher that is being used this moment is used first.
    redemption = Redemption.objects.select_for_update().get(pk=redemption_id)
    if redemption.status == Redemption.Status.REVERSED:
        return redemption
    if not set(standing.values_list("account_id", flat=True)) <= accounts.keys():
        raise PointsMoved
    closed = Membership.Status.CLOSED
    if any(accounts[lot.account_id].status == closed for lot in standing):
        raise MembershipNotOpen  # nobody could use the points
    clock = now()
    catch_up(accounts, clock)
    given_back: dict[int, Allocations] = {}
    for lot in standing.order_by("pk"):
        given_back.setdefault(lot.account_id, []).append((lot, burned[lot.pk]))
    drafts: list[Draft] = []
    for account_id, allocations in sorted(given_back.items()):
        drafts += _give_back(
            redemption,
            accounts[account_id],
            allocations,
            clock=clock,
            happened_at=happened_at,
            actor=actor,
        )
    write_drafts(drafts, recorded_at=clock)
    redemption.status = Redemption.Status.REVERSED
    redemption.save(update_fields=["status"])
    pieces = Reward.objects.filter(pk=redemption.reward_id, stock__isnull=False)
    pieces.update(stock=F("stock") + 1)
    return redemption


def _burned(transaction_id: int) -> dict[int, int]:
    """Return lot id → points that an exchange took from it."""
    entries = PointsEntry.objects.filter(transaction=transaction_id, lot__isnull=False)
    return {lot_id or 0: -amount for lot_id, amount in entries.values_list("lot", "amount")}


def _give_back(
    redemption: Redemption,
    account: LockedAccount,
    allocations: Allocations,
    *,
    clock: datetime,
    happened_at: datetime,
    actor: str,
) -> list[Draft]:
    points = sum(taken for _lot, taken in allocations)
    key = f"redemption:{redemption.pk}"
    # Points of one person stand in one account, so mostly the key is just this.
    home = "" if account.id == redemption.account_id else f":{account.id}"
    draft = Draft(
        account=account,
        kind=Kind.RESTORE.value,
        reason=Reason.REWARD_BACK.value,
        points=points,
        source_key=f"restore:{key}{home}",
        request_hash=hash_request(kind="restore", redemption=redemption.pk, account=account.id),
        reverses_id=redemption.transaction_id,
        actor=actor,
        effective_at=happened_at,
        event="points.restored",
        codes={"reward": redemption.reward.ref},
    )
    for lot, taken in allocations:
        draft.move(lot, ACTIVE, taken)
    draft.enter(REDEEMED, -points)
    expired = draft_expiry_after(account, allocations, key=key, clock=clock)
    for lot, _taken in allocations:  # nothing is left by now of those that are over
        draft.settle_debt(lot)
    if account.lapses_at is None and any(lot.lapses for lot, _taken in allocations):
        programme = redemption.reward.programme
        account.extend(inactive_from(clock, conditions_of(programme, clock)))
    return [draft, *expired]
