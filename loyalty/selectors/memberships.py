"""What would be lost with a membership."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from loyalty.models import Hold, Membership, Redemption
from loyalty.selectors.balances import balances_of
from loyalty.selectors.journal import find_account


@dataclass(frozen=True, slots=True)
class Closing:
    """What closing a membership takes back: shown before it is confirmed. In whole points.

    points: pending and usable ones, those set aside included.  holds, vouchers: how many end.
    """

    membership: Membership
    points: int
    debt: int
    holds: int
    vouchers: int


def closing_of(customer_id: int, at: datetime) -> Closing | None:
    """Return what closing the person's membership at the clock ``at`` would take; None: no member.

    At most six queries.
    """
    account = find_account(customer_id)
    if account is None:
        return None
    balance = balances_of([account], at)[account.pk]
    vouchers = Redemption.objects.filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=at),
        account=account,
        status=Redemption.Status.ISSUED,
    )
    holds = Hold.objects.filter(account=account, status=Hold.Status.OPEN, expires_at__gt=at)
    return Closing(
        membership=account.membership,
        points=balance.pending + balance.active,
        debt=balance.debt,
        holds=holds.count(),
        vouchers=vouchers.count(),
    )
