"""Purchases that earn and change, and what became of their points."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from crm.models import Customer, Order, OrderLine
from crm.services import change_order
from crm.services.refunds import LineBack, record_refund
from loyalty.models import PointsTransaction
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services import accrue_due
from loyalty.services.settlement import settle_order
from tests.cast import ACTOR, make_order

Clock = Callable[[], datetime]


def bought(
    customer: Customer, clock: Any, amount: Any = None, lines: Any = (), **fields: Any
) -> Order:
    """A purchase that has earned."""
    order = make_order(
        customer=customer, amount=amount, lines=list(lines), ordered_at=clock(), **fields
    )
    accrue_due(clock())
    return order


def refund(order: Order, clock: Any, amount: Any = None, line: OrderLine | None = None) -> Any:
    """Give money back now and settle."""
    [row] = record_refund(
        order_id=order.pk,
        amount=None if amount is None or line else Decimal(amount),
        lines=[LineBack(line.pk, amount=None if amount is None else Decimal(amount))]
        if line
        else (),
        refunded_at=clock(),
        happened_at=clock(),
        actor=ACTOR,
    )
    accrue_due(clock())
    return row


def edit(order: Order, clock: Any, **changes: Any) -> None:
    clock.forward(minutes=1)
    change_order(order_id=order.pk, happened_at=clock(), actor=ACTOR, **changes)
    accrue_due(clock())


def state(customer: Customer, clock: Any) -> tuple[int, int, int]:
    balance = balance_of(customer.pk, clock())
    return balance.pending, balance.available, balance.debt


def settled() -> list[tuple[str, str, int]]:
    """What was written after the purchases earned: kind, reason, points."""
    rows = PointsTransaction.objects.filter(kind__in=["settle", "reversal"]).order_by("pk")
    return list(rows.values_list("kind", "reason", "points"))


def nothing_more_to_do(clock: Any) -> bool:
    before = PointsTransaction.objects.count()
    done = accrue_due(clock(), everything=True)
    for order in Order.objects.all():
        assert settle_order(order_id=order.pk, happened_at=clock(), actor=ACTOR) == []
    return (
        done == 0 and PointsTransaction.objects.count() == before and verify_ledger().drifts == []
    )
