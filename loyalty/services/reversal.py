"""Taking back the points of cancelled purchases."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.time import now
from crm.models import Order
from loyalty.models import PointsLot, PointsTransaction
from loyalty.selectors.due import earn_key, reversal_key
from loyalty.services.consumption import free_of
from loyalty.services.ledger import (
    REVERSED,
    Draft,
    find_recorded,
    hash_request,
    lock_accounts,
    write_drafts,
)
from loyalty.services.release import draft_releases


class NothingToReverse(Conflict):
    """The order isn't cancelled, or earned nothing."""

    code = "nothing_to_reverse"


class PointsMoved(Conflict):
    """The points went to another account while this waited for the lock."""

    code = "points_moved"
    message = _("The points are just being moved to another card. Try again.")


@transaction.atomic
def reverse_award(*, order_id: int, happened_at: datetime, actor: str) -> PointsTransaction:
    """Take back what a cancelled order earned, as recorded, and return the transaction.

    Taken from the purchase's own lot, then from the account's other usable lots, soonest-expiring
    first; what is missing becomes debt, settled out of the next points.
    Again for the same order: returns the first transaction, writes nothing.
    Locks the points account until commit.

    :raises NothingToReverse: the order isn't cancelled, or earned nothing.
    :raises PointsMoved: a merge moved the points this instant; nothing is written, try again.
    """
    earned = PointsTransaction.objects.filter(source_key=earn_key(order_id), points__gt=0).first()
    if earned is None:
        raise NothingToReverse
    account_id = PointsLot.objects.values_list("account_id", flat=True).get(transaction=earned)
    accounts = lock_accounts([account_id])
    request_hash = hash_request(kind="cancel", order=order_id)
    recorded = find_recorded(reversal_key(order_id), request_hash)
    if recorded is not None:
        return recorded
    order = Order.objects.get(pk=order_id)
    if order.status != Order.Status.CANCELLED:
        raise NothingToReverse
    if not PointsLot.objects.filter(transaction=earned, account=account_id).exists():
        raise PointsMoved
    clock = now()
    write_drafts(draft_releases(accounts, clock), recorded_at=clock)
    draft = Draft(
        account=accounts[account_id],
        kind=PointsTransaction.Kind.REVERSAL.value,
        reason=PointsTransaction.Reason.CANCELLED.value,
        points=-earned.points,
        source_key=reversal_key(order_id),
        request_hash=request_hash,
        order_id=order_id,
        reverses_id=earned.pk,
        actor=actor,
        effective_at=happened_at,
        event="points.reversed",
        codes={"order": order.ref},
        customer_id=order.customer_id,
    )
    missing = earned.points
    for lot in _lots_to_take_from(earned, account_id, clock):
        points = min(missing, free_of(lot))
        draft.move(lot, lot.bucket, -points)
        missing -= points
    draft.owe(missing)
    draft.enter(REVERSED, earned.points)
    [written] = write_drafts([draft], recorded_at=clock)
    return PointsTransaction.objects.get(pk=written)


def _lots_to_take_from(
    earned: PointsTransaction, account_id: int, clock: datetime
) -> list[PointsLot]:
    """The purchase's own lot, then the account's usable ones in the order of their expiry."""
    own = PointsLot.objects.filter(transaction=earned)
    others = (
        PointsLot.objects.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=clock),
            account=account_id,
            available_from__lte=clock,
            remaining__gt=0,
        )
        .exclude(transaction=earned)
        .order_by(F("expires_at").asc(nulls_last=True), "pk")
    )
    return [*own, *others]
