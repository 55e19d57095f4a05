"""Purchases paid in part with points and cancelled since: the points go back to their lots."""

from __future__ import annotations

import time
from datetime import datetime

from common.services import SYSTEM
from crm.models import Order
from loyalty.models import Membership, Redemption, Reward
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.reversal import PointsMoved
from loyalty.services.spending import MembershipNotOpen
from loyalty.services.sweeps import BUDGET_SECONDS, move_mark, read_mark

NAME = "loyalty.part_payments"


def give_back_due(
    now: datetime, *, everything: bool = False, budget_seconds: float = BUDGET_SECONDS
) -> int:
    """Take back the part-payments of cancelled purchases and return how many.

    Only of purchases they name, and not of closed memberships: nobody could use the points.
    Vouchers used for the purchase stay used: whether a coupon is good again, a colleague says.
    everything: look at all purchases, not only at those changed lately.
    Idempotent, and safe on several workers at once; a transaction each.
    """
    deadline = time.monotonic() + budget_seconds
    mark, since = read_mark(NAME, now, everything=everything)
    due = Redemption.objects.filter(
        status=Redemption.Status.USED,
        reward__kind=Reward.Kind.PART_PAYMENT,
        order__status=Order.Status.CANCELLED,
    ).exclude(account__membership__status=Membership.Status.CLOSED)
    if since is not None:
        due = due.filter(order__revised_at__gte=since)
    done = 0
    for redemption_id in due.order_by("pk").values_list("pk", flat=True):
        try:
            reverse_redemption(redemption_id=redemption_id, happened_at=now, actor=SYSTEM)
        except PointsMoved:
            return done  # a merge is under way; the next sweep looks again
        except MembershipNotOpen:
            continue  # closed this instant
        done += 1
        if time.monotonic() > deadline:
            return done
    move_mark(NAME, mark, now, is_full=since is None)
    return done
