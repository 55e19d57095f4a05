"""Moving points in ways that no service offers yet, through the real ledger."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q

from loyalty.models import Bucket, PointsAccount, PointsLot
from loyalty.services.catch_up import catch_up
from loyalty.services.ledger import Draft, lock_accounts, write_drafts


@transaction.atomic
def spend(customer_id: int, points: int, key: str, at: datetime) -> int:
    """Use up to that many usable points, soonest-expiring first; how many were used."""
    account_id = PointsAccount.objects.get(membership__customer_id=customer_id).pk
    accounts = lock_accounts([account_id])
    catch_up(accounts, at)
    draft = Draft(
        account=accounts[account_id],
        kind="redeem",
        reason="purchase",
        points=0,
        source_key=key,
        request_hash="",
        actor="system",
        effective_at=at,
    )
    usable = PointsLot.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=at),
        account=account_id,
        bucket=Bucket.ACTIVE,
        remaining__gt=0,
    )
    for lot in usable.order_by(F("expires_at").asc(nulls_last=True), "pk"):
        taken = min(points + draft.points, lot.remaining - lot.held)
        draft.move(lot, lot.bucket, -taken)
        draft.points -= taken
    draft.enter(Bucket.REDEEMED.value, -draft.points)
    write_drafts([draft] if draft.points else [], recorded_at=at)
    return -draft.points
