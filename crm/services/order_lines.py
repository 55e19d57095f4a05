"""Lines of an order: what they come to, and correcting them without losing what they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.money import LARGEST, QUANTUM
from crm.models import Order, OrderLine, OrderLineVersion, Refund
from crm.selectors.refunds import refunded_lines

ZERO = Decimal(0)
CONTENT = ("quantity", "unit_price", "discount", "unit_cost", "amount")


class LineRefunded(Conflict):
    """Money was given back for a line; it can't become less than that."""

    code = "line_refunded"
    message = _("Money was given back for a line; take that refund back before you correct it.")


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


def make_lines(lines: Sequence[NewLine], *, recorded_at: datetime) -> list[OrderLine]:
    """Return rows of no order yet; equal products are counted in the order given.

    :raises InvalidInput: a negative quantity, price or discount, or too large an amount.
    """
    seen: Counter[int] = Counter()
    rows = []
    for line in lines:
        if line.quantity < 0 or line.unit_price < 0 or line.discount < 0:
            raise InvalidInput(
                fields={"lines": [str(_("Quantity, price and discount can't be negative."))]}
            )
        seen[line.product_id] += 1
        rows.append(
            OrderLine(
                product_id=line.product_id,
                occurrence=seen[line.product_id],
                quantity=line.quantity,
                unit_price=line.unit_price,
                discount=line.discount,
                unit_cost=line.unit_cost,
                amount=line_amount(line.quantity, line.unit_price, line.discount),
                recorded_at=recorded_at,
            )
        )
    refuse_too_large(lines=[*(row.amount for row in rows), sum_of(rows)])
    return rows


def sum_of(lines: Iterable[OrderLine]) -> Decimal:
    """Return what the lines come to together."""
    return sum((line.amount for line in lines), ZERO)


def cost_of(lines: Sequence[OrderLine]) -> Decimal | None:
    """Return what the lines cost; None unless every one of them says so."""
    if not lines or any(line.unit_cost is None for line in lines):
        return None
    return sum((line_amount(line.quantity, line.unit_cost or ZERO) for line in lines), ZERO)


def replace_lines(*, order: Order, wanted: list[OrderLine], recorded_at: datetime) -> bool:
    """Make the order's lines the wanted ones; whether that changed anything.

    Called with the order locked. Changed and removed lines first go to the history, known until
    ``recorded_at``.

    :raises LineRefunded: a line would become less than what was given back for it, or one that a
        refund names would be taken out.
    """
    present = {(line.product_id, line.occurrence): line for line in order.lines.all()}
    refunded = refunded_lines(order.pk)
    changed: list[OrderLine] = []
    superseded: list[OrderLineVersion] = []
    new: list[OrderLine] = []
    for row in wanted:
        line = present.pop((row.product_id, row.occurrence), None)
        if line is None:
            row.order = order
            new.append(row)
            continue
        if all(getattr(line, name) == getattr(row, name) for name in CONTENT):
            continue
        back = refunded.get(line.pk)
        if back and (row.amount < back.amount or row.quantity < back.quantity):
            raise LineRefunded
        superseded.append(_past(line, recorded_at))
        for name in (*CONTENT, "recorded_at"):
            setattr(line, name, getattr(row, name))
        line.recorded_at = recorded_at
        changed.append(line)
    gone = list(present.values())
    # Also of a refund that was taken back: its row still names the line.
    if gone and Refund.objects.filter(line__in=gone).exists():
        raise LineRefunded
    superseded += [_past(line, recorded_at) for line in gone]
    OrderLineVersion.objects.bulk_create(superseded)
    OrderLine.objects.filter(pk__in=[line.pk for line in gone]).delete()
    OrderLine.objects.bulk_update(changed, [*CONTENT, "recorded_at"])
    OrderLine.objects.bulk_create(new)
    return bool(superseded or new)


def refuse_too_large(**amounts: list[Decimal]) -> None:
    """Refuse what can't be added up over millions of rows.

    :raises InvalidInput: an amount is too large; it names the field.
    """
    for name, values in amounts.items():
        if any(abs(value) > LARGEST for value in values):
            raise InvalidInput(fields={name: [str(_("The order's amount is too large."))]})


def _past(line: OrderLine, until: datetime) -> OrderLineVersion:
    return OrderLineVersion(
        order_id=line.order_id,
        product_id=line.product_id,
        occurrence=line.occurrence,
        recorded_from=line.recorded_at,
        recorded_until=until,
        **{name: getattr(line, name) for name in CONTENT},
    )
