"""Members with points, and rewards, as the product makes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from common.time import now
from crm.models import Customer
from loyalty.models import Hold, PointsAccount, Redemption, Reward
from loyalty.selectors import get_programme
from loyalty.services.holds import hold_points
from loyalty.services.opening import Opening, open_balances
from loyalty.services.redemptions import redeem_reward
from loyalty.services.rewards import add_reward
from tests.cast import ACTOR, make_customer

_keys = count(1)


def make_member(*lots: int | tuple[int, datetime | None], **fields: Any) -> Customer:
    """A customer with these lots: points for ever, or (points, until when)."""
    customer = make_customer(**fields)
    given = tuple((None, lot) if isinstance(lot, int) else (lot[1], lot[0]) for lot in lots)
    open_balances(
        programme=get_programme(), openings={customer.pk: Opening(lots=given)}, actor=ACTOR
    )
    return customer


def make_reward(kind: str = "discount", points: int = 100, **terms: Any) -> Reward:
    """A reward; by default 5.00 off for 100 points, on offer since yesterday."""
    needs = {"discount": {"value": Decimal(5)}, "percent": {"percent": 10}}
    needs["payment"] = {"value": Decimal("0.01")}
    defaults: dict[str, Any] = {"name": f"Reward {kind}", "starts_at": now() - timedelta(days=1)}
    fields = defaults | needs.get(kind, {}) | terms
    return add_reward(kind=kind, points=points, happened_at=now(), actor=ACTOR, **fields)


def redeem(customer: Customer, reward: Reward, *, key: str = "", **fields: Any) -> Redemption:
    """Exchange points for a reward now, under a new key unless one is given."""
    return redeem_reward(
        customer_id=customer.pk,
        reward_id=reward.pk,
        source_key=key or f"test:{next(_keys)}",
        happened_at=now(),
        actor=ACTOR,
        **fields,
    )


def hold(customer: Customer, points: int, *, key: str = "", **fields: Any) -> Hold:
    """Set points aside now, under a new key unless one is given."""
    return hold_points(
        customer_id=customer.pk,
        points=points,
        source_key=key or f"test:{next(_keys)}",
        happened_at=now(),
        actor=ACTOR,
        **fields,
    )


def account_of(customer: Customer) -> PointsAccount:
    """The account as it stands in the table."""
    return PointsAccount.objects.get(membership__customer=customer)
