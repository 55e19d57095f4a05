"""Pending points become active when the return window is over."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from common.services import SYSTEM
from common.time import now
from loyalty.models import PointsLot, PointsTransaction
from loyalty.selectors.due import due_lots, release_key
from loyalty.services.ledger import Draft, hash_request, lock_accounts, write_drafts


@transaction.atomic
def release_batch(*, lot_ids: Collection[int], happened_at: datetime) -> list[PointsTransaction]:
    """Move lots whose window was over at ``happened_at`` to active; others are left alone.

    Effective when the window ended, whenever this runs. Debt is settled out of the points first.
    Locks the accounts in the order of their ids, then reads the lots again.
    """
    lots = PointsLot.objects.filter(pk__in=lot_ids)
    accounts = lock_accounts(set(lots.values_list("account_id", flat=True)))
    drafts = []
    for lot in due_lots(happened_at).filter(pk__in=lot_ids).order_by("pk"):
        header = PointsTransaction(
            kind=PointsTransaction.Kind.RELEASE,
            reason=PointsTransaction.Reason.WINDOW_OVER,
            points=lot.remaining,
            source_key=release_key(lot.pk),
            request_hash=hash_request(kind="release", lot=lot.pk),
            actor=SYSTEM,
            effective_at=lot.available_from,
        )
        draft = Draft(header, accounts[lot.account_id], event="points.released")
        draft.release(lot)
        drafts.append(draft)
    return write_drafts(drafts, recorded_at=now())
