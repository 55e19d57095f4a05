"""Taking back the points of cancelled purchases."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from common.errors import Conflict
from loyalty.models import PointsTransaction
from loyalty.selectors.due import reversal_key
from loyalty.selectors.programme import find_programme
from loyalty.services.ledger import find_recorded, hash_request
from loyalty.services.settlement import PointsMoved, settle_batch

__all__ = ["NothingToReverse", "PointsMoved", "reverse_award"]


class NothingToReverse(Conflict):
    """The order isn't cancelled, or earned nothing."""

    code = "nothing_to_reverse"


@transaction.atomic
def reverse_award(*, order_id: int, happened_at: datetime, actor: str) -> PointsTransaction:
    """Take back what a cancelled order has earned, as recorded, and return the transaction.

    Taken from the purchase's own lots, then from the account's other usable lots, soonest-expiring
    first; what is missing becomes debt, settled out of the next points.
    Again for the same order: returns the first transaction, writes nothing.
    Locks order, customer and points account until commit.

    :raises NothingToReverse: the order isn't cancelled, or earned nothing.
    :raises PointsMoved: a merge moved the points this instant; nothing is written, try again.
    """
    programme = find_programme()
    if programme is not None:
        settle_batch(
            programme=programme, order_ids=[order_id], happened_at=happened_at, actor=actor
        )
    recorded = find_recorded(reversal_key(order_id), hash_request(kind="cancel", order=order_id))
    if recorded is None:
        raise NothingToReverse
    return recorded
