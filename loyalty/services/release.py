"""Pending points become active when the return window is over."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from common.time import now
from loyalty.models import PointsLot, PointsTransaction
from loyalty.services.catch_up import draft_catch_up
from loyalty.services.ledger import lock_accounts, write_drafts


@transaction.atomic
def release_batch(*, lot_ids: Collection[int], happened_at: datetime) -> int:
    """Move lots whose window was over at ``happened_at`` to active; return how many were moved.

    Effective when the window ended, whenever this runs. Debt is settled out of the points first.
    Locks the accounts in the order of their ids, then reads the lots again; whatever else time did
    to these accounts is booked with it.
    """
    lots = PointsLot.objects.filter(pk__in=lot_ids)
    accounts = lock_accounts(set(lots.values_list("account_id", flat=True)))
    drafts = draft_catch_up(accounts, happened_at)
    write_drafts(drafts, recorded_at=now())
    return sum(draft.kind == PointsTransaction.Kind.RELEASE for draft in drafts)
