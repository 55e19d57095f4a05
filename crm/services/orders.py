"""Recording purchases and correcting them; a superseded state is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.time import now
from common.validators import clean_line, parse_currency
from crm.models import Order, OrderLine, OrderVersion
from crm.selectors.refunds import refunded_amount
from crm.services.customer_figures import note_order, refresh_figures
from crm.services.order_lines import (
    CONTENT,
    NewLine,
    cost_of,
    make_lines,
    refuse_too_large,
    replace_lines,
    sum_of,
)
from crm.services.uniqueness import refusing_doubles

ZERO = Decimal(0)
TICK = timedelta(microseconds=1)
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


class OrderRefunded(Conflict):
    """Money was given back for the order; it can't become less than that, or be cancelled."""

    code = "order_refunded"
    message = _("Money was given back for this purchase. Take the refund back first.")


class AmountOfLines(InvalidInput):
    """The order has lines; its amount is their sum."""

    code = "amount_of_lines"
    message = _("This order has lines; its amount follows from them.")


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
    external_id = clean_line(external_id, max_length=64) if external_id else None
    _refuse_taken(external_id)
    recorded_at = now()
    rows = make_lines(lines, recorded_at=recorded_at)
    if rows or amount is None:
        amount = sum_of(rows)
    if cost is None:
        cost = cost_of(rows)
    refuse_too_large(lines=[amount], cost=[cost or ZERO])
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
    for row in rows:
        row.order = order
    OrderLine.objects.bulk_create(rows)
    note_order(order)
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
def change_order(
    *,
    order_id: int,
    happened_at: datetime,
    actor: str,
    lines: Sequence[NewLine] | None = None,
    **changes: Any,
) -> Order:
    """Change an order's state (``STATE_FIELDS``) and lines, and return it; the past is kept.

    lines: all the lines it should have; amount and cost then follow from them. None leaves them.
    Nothing changed, nothing recorded. Unknown names raise TypeError.

    :raises InvalidInput: delivered before ordered, a negative number; nothing is written.
    :raises AmountOfLines: an amount for an order with lines; nothing is written.
    :raises OrderCancelled: a cancelled order stays as it is; nothing is written.
    :raises OrderRefunded: it would become less than what was given back; nothing is written.
    :raises LineRefunded: the same of one line; nothing is written.
    """
    if unknown := changes.keys() - set(STATE_FIELDS):
        raise TypeError(f"not part of an order's state: {sorted(unknown)}")
    order = Order.objects.select_for_update().get(pk=order_id)
    known_from = order.revised_at
    # Strictly later, so that two changes within one tick of the clock are two states.
    revised_at = max(now(), known_from + TICK)
    before = {name: getattr(order, name) for name in STATE_FIELDS}
    rows = None if lines is None else make_lines(lines, recorded_at=revised_at)
    if rows:
        changes |= {"amount": sum_of(rows)} | ({"cost": cost} if (cost := cost_of(rows)) else {})
    elif rows is None and _is_new(changes.get("amount"), order.amount) and order.lines.exists():
        raise AmountOfLines(fields={"amount": [str(AmountOfLines.message)]})
    changed = [name for name, value in changes.items() if before[name] != value]
    if rows is not None and _lines_differ(order, rows):
        if not rows and "amount" not in changes:
            raise EmptyOrder
        changed.append("lines")
    if not changed:
        return order
    if before["status"] == Order.Status.CANCELLED:
        raise OrderCancelled
    _change_state(order, {name: value for name, value in changes.items() if name in changed})
    if order.status == Order.Status.DELIVERED and order.delivered_at is None:
        order.delivered_at = max(happened_at, order.ordered_at)
    if order.status != Order.Status.DELIVERED:
        order.delivered_at = None
    _refuse_bad_times(order.ordered_at, order.delivered_at)
    refuse_too_large(amount=[order.amount], cost=[order.cost or ZERO])
    _refuse_less_than_refunded(order)
    order.revised_at = revised_at
    OrderVersion.objects.create(
        order=order,
        recorded_from=known_from,
        recorded_until=revised_at,
        actor=actor,
        **before,
    )
    order.save(update_fields=[*STATE_FIELDS, "revised_at"])
    refresh_figures({before["customer_id"], order.customer_id} - {None})
    if rows is not None and "lines" in changed:
        replace_lines(order=order, wanted=rows, recorded_at=revised_at)
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


def cancel_order(*, order_id: int, happened_at: datetime, actor: str) -> Order:
    """Cancel an order, as when a sale is undone; see :func:`change_order`."""
    return change_order(
        order_id=order_id, happened_at=happened_at, actor=actor, status=Order.Status.CANCELLED
    )


def _change_state(order: Order, changes: dict[str, Any]) -> None:
    """Set what changes; a delivery that was at once moves with the time of the order."""
    was_at_once = order.delivered_at == order.ordered_at
    for name, value in changes.items():
        setattr(order, name, value)
    if "ordered_at" in changes and "delivered_at" not in changes and was_at_once:
        order.delivered_at = order.ordered_at
    if "channel" in changes:
        order.channel = clean_line(order.channel, max_length=40)
    if "currency" in changes:
        order.currency = parse_currency(order.currency)


def _is_new(amount: Decimal | None, known: Decimal) -> bool:
    return amount is not None and amount != known


def _lines_differ(order: Order, rows: list[OrderLine]) -> bool:
    names = ("product_id", "occurrence", *CONTENT)
    present = {tuple(getattr(line, name) for name in names) for line in order.lines.all()}
    return present != {tuple(getattr(row, name) for name in names) for row in rows}


def _refuse_less_than_refunded(order: Order) -> None:
    refunded = refunded_amount(order.pk)
    if refunded and (order.status == Order.Status.CANCELLED or order.amount < refunded):
        raise OrderRefunded


def _refuse_taken(external_id: str | None) -> None:
    if external_id and Order.objects.filter(external_id=external_id).exists():
        raise OrderIdTaken(fields={"external_id": [str(OrderIdTaken.message)]})


def _refuse_bad_times(ordered_at: datetime, delivered_at: datetime | None) -> None:
    if delivered_at is not None and delivered_at < ordered_at:
        raise InvalidInput(fields={"delivered_at": [str(_("Delivery can't be before the order."))]})
