"""Pending points become active when the return window is over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction

from common.services import SYSTEM
from common.time import now
from loyalty.models import PointsLot, PointsTransaction
from loyalty.selectors.due import due_lots, release_key
from loyalty.services.ledger import (
    Draft,
    LockedAccount,
    hash_request,
    lock_accounts,
    write_drafts,
)


@transaction.atomic
def release_batch(*, lot_ids: Collection[int], happened_at: datetime) -> int:
    """Move lots whose window was over at ``happened_at`` to active; return how many were moved.

    Effective when the window ended, whenever this runs. Debt is settled out of the points first.
    Locks the accounts in the order of their ids, then reads the lots again.
    """
    lots = PointsLot.objects.filter(pk__in=lot_ids)
    accounts = lock_accounts(set(lots.values_list("account_id", flat=True)))
    return len(write_drafts(draft_releases(accounts, happened_at), recorded_at=now()))


def draft_releases(accounts: Mapping[int, LockedAccount], clock: datetime) -> list[Draft]:
    """Return what moves the due lots of locked accounts, earliest first.

    Whatever changes points writes these before anything else: so a late sweep leaves no trace in
    who pays which debt.
    """
    due = due_lots(clock).filter(account__in=accounts).order_by("available_from", "pk")
    drafts = []
    for lot in due:
        draft = Draft(
            account=accounts[lot.account_id],
            kind=PointsTransaction.Kind.RELEASE.value,
            reason=PointsTransaction.Reason.WINDOW_OVER.value,
            points=lot.remaining,
            source_key=release_key(lot.pk),
            request_hash=hash_request(kind="release", lot=lot.pk),
            actor=SYSTEM,
            effective_at=lot.available_from,
            event="points.released",
        )
        draft.release(lot)
        drafts.append(draft)
    return drafts
