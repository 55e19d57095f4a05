"""Recording purchases and correcting them; a superseded state is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.money import LARGEST, QUANTUM
from common.services import record_event
from common.time import now
from common.validators import clean_line, parse_currency
from crm.models import Order, OrderLine, OrderVersion
from crm.services.uniqueness import refusing_doubles

ZERO = Decimal(0)
STATE_FIELDS = (
    "customer_id",
    "location_id",
    "channel",
    "status",
    "ordered_at",
    "delivered_at",
    "amount",
    "cost",
    "currency",
)


class OrderIdTaken(Conflict):
    """An order with this id is known already."""

    code = "order_id_taken"
    message = _("An order with this id is known already.")


class EmptyOrder(InvalidInput):
    """Neither lines nor an amount."""

    code = "empty_order"
    message = _("Give lines or an amount.")


class OrderCancelled(Conflict):
    """A cancelled order is over: its points were taken back, its follow-up withdrawn."""

    code = "order_cancelled"
    message = _("This order was cancelled; record a new one instead.")


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to record. Amount = quantity × unit_price − discount, to 1/10,000, half to even."""

    product_id: int
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal = ZERO
    unit_cost: Decimal | None = None


def line_amount(quantity: Decimal, unit_price: Decimal, discount: Decimal = ZERO) -> Decimal:
    """Return what a line comes to, rounded to 1/10,000 (half to even)."""
    return (quantity * unit_price - discount).quantize(QUANTUM, rounding=ROUND_HALF_EVEN)


@transaction.atomic
def record_order(
    *,
    customer_id: int | None,
    ordered_at: datetime,
    happened_at: datetime,
    actor: str,
    lines: Sequence[NewLine] = (),
    amount: Decimal | None = None,
    external_id: str | None = None,
    entry: str = Order.Entry.LIVE,
    status: str = Order.Status.DELIVERED,
    delivered_at: datetime | None = None,
    location_id: int | None = None,
    channel: str = "",
    currency: str | None = None,
    cost: Decimal | None = None,
) -> Order:
    """Return a new order with its lines.

    customer_id: None for a sale to somebody unknown.
    ordered_at, delivered_at: aware UTC; a delivered order without a time was delivered at once.
    amount: instead of lines. An order of value 0 is an order.
    entry: ``live`` may earn points and be followed up, ``history`` never does.

    :raises OrderIdTaken: the external id is known; nothing is written.
    :raises EmptyOrder: neither lines nor an amount; nothing is written.
    :raises InvalidInput: a negative quantity or price, too large an amount, delivered before
        ordered; nothing is written.
    """
    if not lines and amount is None:
        raise EmptyOrder
    if status == Order.Status.DELIVERED and delivered_at is None:
        delivered_at = ordered_at
    _refuse_bad_times(ordered_at, delivered_at)
    for line in lines:
        if line.quantity < 0 or line.unit_price < 0 or line.discount < 0:
            raise InvalidInput(
                fields={"lines": [str(_("Quantity, price and discount can't be negative."))]}
            )
    external_id = clean_line(external_id, max_length=64) if external_id else None
    _refuse_taken(external_id)
    amounts = [line_amount(line.quantity, line.unit_price, line.discount) for line in lines]
    if lines and cost is None and all(line.unit_cost is not None for line in lines):
        cost = sum((line_amount(line.quantity, line.unit_cost or ZERO) for line in lines), ZERO)
    if lines or amount is None:
        amount = sum(amounts, ZERO)
    _refuse_too_large(lines=[*amounts, amount], cost=[cost or ZERO])
    recorded_at = now()
    with refusing_doubles(lambda: _refuse_taken(external_id)):
        order = Order.objects.create(
            external_id=external_id,
            customer_id=customer_id,
            location_id=location_id,
            channel=clean_line(channel, max_length=40),
            entry=entry,
            status=status,
            ordered_at=ordered_at,
            delivered_at=delivered_at if status == Order.Status.DELIVERED else None,
            amount=amount,
            cost=cost,
            currency=parse_currency(currency or settings.KEEPWELL_CURRENCY),
            recorded_at=recorded_at,
            revised_at=recorded_at,
        )
    seen: Counter[int] = Counter()
    rows = []
    for line, total in zip(lines, amounts, strict=True):
        seen[line.product_id] += 1
        rows.append(
            OrderLine(
                order=order,
                product_id=line.product_id,
                occurrence=seen[line.product_id],
                quantity=line.quantity,
                unit_price=line.unit_price,
                discount=line.discount,
                unit_cost=line.unit_cost,
                amount=total,
                recorded_at=recorded_at,
            )
        )
    OrderLine.objects.bulk_create(rows)
    # The customer's timeline shows orders themselves, so the event only serves the audit.
    record_event(
        kind="order.recorded",
        subject_kind="order",
        subject_ref=order.ref,
        customer_id=customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"amount": str(order.amount), "currency": order.currency, "status": status},
    )
    return order


@transaction.atomic
def change_order(*, order_id: int, happened_at: datetime, actor: str, **changes: Any) -> Order:
    """Change an order's state (``STATE_FIELDS``) and return it; the old state is kept.

    Nothing changed, nothing recorded. Unknown names raise TypeError.

    :raises InvalidInput: delivered before ordered; nothing is written.
    :raises OrderCancelled: a cancelled order stays as it is; nothing is written.
    """
    if unknown := changes.keys() - set(STATE_FIELDS):
        raise TypeError(f"not part of an order's state: {sorted(unknown)}")
    order = Order.objects.select_for_update().get(pk=order_id)
    before = {name: getattr(order, name) for name in STATE_FIELDS}
    changed = [name for name, value in changes.items() if before[name] != value]
    if not changed:
        return order
    if before["status"] == Order.Status.CANCELLED:
        raise OrderCancelled
    for name in changed:
        setattr(order, name, changes[name])
    if order.status == Order.Status.DELIVERED and order.delivered_at is None:
        order.delivered_at = max(happened_at, order.ordered_at)
    if order.status != Order.Status.DELIVERED:
        order.delivered_at = None
    _refuse_bad_times(order.ordered_at, order.delivered_at)
    known_from = order.revised_at
    order.revised_at = max(now(), known_from)
    OrderVersion.objects.create(
        order=order,
        recorded_from=known_from,
        recorded_until=order.revised_at,
        actor=actor,
        **before,
    )
    order.save(update_fields=[*STATE_FIELDS, "revised_at"])
    record_event(
        kind="order.changed",
        subject_kind="order",
        subject_ref=order.ref,
        customer_id=order.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"fields": sorted(changed), "status": order.status},
    )
    return order


def _refuse_taken(external_id: str | None) -> None:
    if external_id and Order.objects.filter(external_id=external_id).exists():
        raise OrderIdTaken(fields={"external_id": [str(OrderIdTaken.message)]})


def _refuse_too_large(**amounts: list[Decimal]) -> None:
    for name, values in amounts.items():
        if any(abs(value) > LARGEST for value in values):
            raise InvalidInput(fields={name: [str(_("The order's amount is too large."))]})


def _refuse_bad_times(ordered_at: datetime, delivered_at: datetime | None) -> None:
    if delivered_at is not None and delivered_at < ordered_at:
        raise InvalidInput(fields={"delivered_at": [str(_("Delivery can't be before the order."))]})
