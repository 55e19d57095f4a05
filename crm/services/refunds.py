"""Giving money back for an order. The order itself never changes by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.money import round_cents
from common.services import record_event
from common.time import now
from common.validators import clean_line
from crm.models import Order, OrderLine, Refund, RefundNote
from crm.selectors.refunds import GivenBack, refunded_amount, refunded_lines
from crm.services.orders import OrderCancelled
from crm.services.uniqueness import refusing_doubles

ZERO = Decimal(0)


class RefundTooLarge(Conflict):
    """More than was paid, less what was given back before."""

    code = "refund_too_large"
    message = _("That is more than was paid, less what was given back before.")


class NothingToRefund(Conflict):
    """Everything that was paid has been given back."""

    code = "nothing_to_refund"
    message = _("Everything that was paid for this purchase has been given back.")


class RefundIdTaken(Conflict):
    """A refund with this id is known already."""

    code = "refund_id_taken"
    message = _("A refund with this id is known already.")


class RefundReplaced(Conflict):
    """A later row stands in this refund's place."""

    code = "refund_replaced"
    message = _("This refund was corrected already; look at the latest one.")


@dataclass(frozen=True, slots=True)
class LineBack:
    """A line to give money back for.

    quantity: of the line's own; None for all that is left of it.
    amount: None for the share of the line's amount that the quantity makes.
    """

    line_id: int
    quantity: Decimal | None = None
    amount: Decimal | None = None


@transaction.atomic
def record_refund(
    *,
    order_id: int,
    refunded_at: datetime,
    happened_at: datetime,
    actor: str,
    lines: Sequence[LineBack] = (),
    amount: Decimal | None = None,
    external_id: str | None = None,
    reason: str = "",
    is_simulated: bool = False,
) -> list[Refund]:
    """Give money back for some lines (a row each), for an amount, or for all that is left.

    amount: in the order's currency, > 0; without it and without lines, the rest of the order.
    external_id: the caller's own id; of one row only.
    reason: in words; kept in an erasable row beside the refund.
    Locks the order until commit, so that two at once can't give back more than was paid.

    :raises RefundTooLarge: more than is left of the order or of a line; nothing is written.
    :raises NothingToRefund: nothing is left; nothing is written.
    :raises OrderCancelled: a cancelled order counts as never paid; nothing is written.
    :raises RefundIdTaken: the external id is known; nothing is written.
    :raises InvalidInput: lines and an amount, a foreign line, before the order; nothing is written.
    """
    if lines and amount is not None:
        raise InvalidInput(fields={"amount": [str(_("Give lines or an amount, not both."))]})
    if external_id and len(lines) > 1:
        raise InvalidInput(fields={"external_id": [str(_("A refund id is of one line only."))]})
    external_id = clean_line(external_id, max_length=64) if external_id else None
    reason = clean_line(reason, max_length=255)
    order = Order.objects.select_for_update().get(pk=order_id)
    if order.status == Order.Status.CANCELLED:
        raise OrderCancelled
    _refuse_before(order, refunded_at)
    _refuse_taken(external_id)
    left = order.amount - refunded_amount(order_id)
    if left <= 0:
        raise NothingToRefund
    rows = [Refund(amount=left if amount is None else amount)] if not lines else []
    rows += _line_rows(order, lines)
    _refuse_not_positive(rows)
    if sum((row.amount for row in rows), ZERO) > left:
        raise RefundTooLarge(
            fields={"lines" if lines else "amount": [str(RefundTooLarge.message)]},
            left=str(left),
        )
    recorded_at = now()
    with refusing_doubles(lambda: _refuse_taken(external_id)):
        for row in rows:
            row.order = order
            row.external_id = external_id
            row.currency = order.currency
            row.refunded_at = refunded_at
            row.is_simulated = is_simulated
            _write(row, actor, recorded_at, reason)
    for row in rows:
        _tell("refund.recorded", row, order, happened_at, actor)
    return rows


@transaction.atomic
def correct_refund(
    *,
    refund_id: int,
    amount: Decimal,
    happened_at: datetime,
    actor: str,
    refunded_at: datetime | None = None,
    quantity: Decimal | None = None,
    reason: str | None = None,
) -> Refund:
    """Record what a refund really was, in a new row that stands in its place, and return it.

    amount: 0 takes the refund back.  refunded_at, quantity, reason: None keeps them.
    Nothing changed, nothing recorded.

    :raises RefundReplaced: it was corrected before; nothing is written.
    :raises RefundTooLarge: more than is left of the order or the line; nothing is written.
    :raises OrderCancelled: a cancelled order counts as never paid; nothing is written.
    :raises InvalidInput: a negative amount, before the order; nothing is written.
    """
    order_id = Refund.objects.values_list("order_id", flat=True).get(pk=refund_id)
    order = Order.objects.select_for_update().get(pk=order_id)
    old = Refund.objects.select_related("note", "line").get(pk=refund_id)
    if Refund.objects.filter(replaces=old).exists():
        raise RefundReplaced
    if order.status == Order.Status.CANCELLED:
        raise OrderCancelled
    if amount < 0:
        raise InvalidInput(fields={"amount": [str(_("An amount can't be negative."))]})
    old_reason = old.note.text if hasattr(old, "note") else ""
    text = old_reason if reason is None else clean_line(reason, max_length=255)
    new = Refund(
        order=order,
        line=old.line,
        quantity=old.quantity if quantity is None else quantity,
        amount=amount,
        currency=old.currency,
        external_id=old.external_id,
        replaces=old,
        refunded_at=refunded_at or old.refunded_at,
        is_simulated=old.is_simulated,
    )
    told = ("quantity", "amount", "refunded_at")
    if text == old_reason and all(getattr(old, name) == getattr(new, name) for name in told):
        return old
    _refuse_before(order, new.refunded_at)
    _refuse_beyond(order, new, without=old)
    _write(new, actor, now(), text)
    _tell("refund.corrected", new, order, happened_at, actor)
    return new


def _line_rows(order: Order, lines: Sequence[LineBack]) -> list[Refund]:
    known = {line.pk: line for line in order.lines.all()}
    given = refunded_lines(order.pk)
    rows = []
    for back in lines:
        line = known.pop(back.line_id, None)
        if line is None:
            raise InvalidInput(fields={"lines": [str(_("Give each line of this purchase once."))]})
        before = given.get(line.pk, GivenBack(ZERO, ZERO))
        left = line.quantity - before.quantity
        quantity = left if back.quantity is None else back.quantity
        amount = _share(line, quantity, before) if back.amount is None else back.amount
        too_much = quantity > left or before.amount + amount > line.amount
        if quantity < 0 or too_much:
            raise RefundTooLarge(fields={"lines": [str(RefundTooLarge.message)]})
        rows.append(Refund(line=line, quantity=quantity, amount=amount))
    return rows


def _share(line: OrderLine, quantity: Decimal, before: GivenBack) -> Decimal:
    """Return what a quantity of the line comes to; the last of it takes what rounding left."""
    if before.quantity + quantity >= line.quantity:
        return line.amount - before.amount
    share = round_cents(line.amount * quantity / line.quantity)
    return min(share, line.amount - before.amount)


def _refuse_beyond(order: Order, new: Refund, *, without: Refund) -> None:
    others = refunded_amount(order.pk) - without.amount
    too_much = others + new.amount > order.amount
    if new.line:
        given = refunded_lines(order.pk).get(new.line.pk, GivenBack(ZERO, ZERO))
        quantity = given.quantity - (without.quantity or ZERO) + (new.quantity or ZERO)
        amount = given.amount - without.amount + new.amount
        too_much |= quantity > new.line.quantity or amount > new.line.amount
    if new.amount and too_much:
        raise RefundTooLarge(fields={"amount": [str(RefundTooLarge.message)]})


def _refuse_not_positive(rows: list[Refund]) -> None:
    if any(row.amount <= 0 for row in rows):
        raise InvalidInput(fields={"amount": [str(_("Give back more than nothing."))]})


def _refuse_before(order: Order, refunded_at: datetime) -> None:
    if refunded_at < order.ordered_at:
        text = str(_("Money can't be given back before the purchase."))
        raise InvalidInput(fields={"refunded_at": [text]})


def _refuse_taken(external_id: str | None) -> None:
    if external_id and Refund.objects.filter(external_id=external_id).exists():
        raise RefundIdTaken(fields={"external_id": [str(RefundIdTaken.message)]})


def _write(row: Refund, actor: str, recorded_at: datetime, reason: str) -> None:
    row.actor = actor
    row.recorded_at = recorded_at
    row.save(force_insert=True)
    if reason:
        RefundNote.objects.create(refund=row, text=reason)


def _tell(kind: str, row: Refund, order: Order, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="refund",
        subject_ref=row.ref,
        customer_id=order.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"amount": str(row.amount), "currency": row.currency, "order": order.ref},
    )
