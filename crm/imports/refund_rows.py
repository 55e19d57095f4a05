"""What was paid and given back, order by order, as rows of refunds are weighed against it.

The rules are those of :mod:`crm.services.refunds`, in units and over sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from common.refs import looks_like_ref
from crm.imports.bulk import MOST_PARAMETERS, fetch_rows, portions
from crm.imports.scratch import Row
from crm.models import Customer, Order, OrderLine, Refund, RefundNote
from crm.services.orders import OrderCancelled
from crm.services.refunds import NothingToRefund, RefundTooLarge

REFUND = (
    "ref",
    "external_id",
    "order_id",
    "line_id",
    "quantity",
    "amount",
    "currency",
    "replaces_id",
    "refunded_at",
    "actor",
    "recorded_at",
)
Problem = tuple[str, str] | None  # column and reason
Content = tuple[int | None, int, str, str]


@dataclass(slots=True)
class Told:
    """A refund as a row of the file tells it; None where it says nothing."""

    line: int
    refund_id: str
    refunded_at: str
    amount: int
    product_id: int | None
    quantity: int | None
    reason: str | None

    def is_same(self, other: Told) -> bool:
        """Whether two rows say the same."""
        return self._content() == other._content()

    def _content(self) -> tuple[object, ...]:
        told = (self.refund_id, self.refunded_at, self.amount, self.product_id)
        return (*told, self.quantity, self.reason)


@dataclass(slots=True)
class Known:
    """A refund in force, or the last row of one that was taken back."""

    id: int
    order_id: int
    line_id: int | None
    quantity: int | None
    amount: int
    refunded_at: str
    text: str = ""

    @property
    def content(self) -> Content:
        """What may be corrected: quantity, amount, time and words."""
        return self.quantity, self.amount, self.refunded_at, self.text


@dataclass(slots=True)
class NewRow:
    """A row to write."""

    line_id: int | None
    quantity: int | None
    amount: int
    refunded_at: str
    text: str


@dataclass(slots=True)
class Line:
    """A line of the order, and what was given back for it so far."""

    id: int
    product_id: int
    occurrence: int
    quantity: int
    amount: int
    quantity_back: int = 0
    amount_back: int = 0


@dataclass(slots=True)
class OrderMoney:
    """An order: what was paid, and what was given back so far."""

    id: int
    ref: str
    customer_id: int | None
    status: str
    ordered_at: str
    amount: int
    currency: str
    is_erased: bool = False
    refunds: dict[str, Known] = field(default_factory=dict)  # of the whole portion, by refund id
    lines: dict[int, Line] = field(default_factory=dict)
    given_back: int = 0

    def known(self, refund_id: str) -> Known | None:
        """Return the refund with this id, whatever order it is of."""
        return self.refunds.get(refund_id)

    def step(self, told: Told) -> tuple[int, int]:
        """Return when to look at a row: what lowers an amount first, what is new last."""
        known = self.known(told.refund_id)
        if known is None:
            return 2, told.line
        return (0 if told.amount <= known.amount else 1), told.line

    def new_refund(self, told: Told) -> tuple[Problem, NewRow | None]:
        """Return the row of a refund that was not known, and count it; or why there is none."""
        if problem := self._unfit(told.refunded_at):
            return problem, None
        if not told.amount:
            return ("amount", _("Give back more than nothing.")), None
        left = self.amount - self.given_back
        if left <= 0:
            return ("amount", str(NothingToRefund.message)), None
        if told.amount > left:
            return ("amount", str(RefundTooLarge.message)), None
        line, quantity = None, None
        if told.product_id is not None:
            lines = [one for one in self.lines.values() if one.product_id == told.product_id]
            if not lines:
                return ("sku", _("This purchase has no such line.")), None
            lines.sort(key=lambda one: one.occurrence)
            line = next((one for one in lines if _fits(one, told)), None)
            if line is None:
                return ("amount", str(RefundTooLarge.message)), None
            quantity = told.quantity
            if quantity is None:
                quantity = line.quantity - line.quantity_back
        self._count(line.id if line else None, quantity, told.amount)
        text = "" if self.is_erased else told.reason or ""
        row = NewRow(line.id if line else None, quantity, told.amount, told.refunded_at, text)
        self.refunds[told.refund_id] = Known(0, self.id, row.line_id, quantity, row.amount, "")
        return None, row

    def told_of(self, told: Told) -> tuple[int | None, int, str, str | None]:
        """Return what a row says of a known refund, as ``Known.content`` has it.

        Words about a customer who was erased are not taken.
        """
        reason = None if self.is_erased else told.reason
        return told.quantity, told.amount, told.refunded_at, reason

    def corrected(self, known: Known, told: Told, wanted: Content) -> tuple[Problem, NewRow | None]:
        """Return the row in a known refund's place, None if nothing changed; or why there is none.

        wanted: quantity, amount, time and words as they are to be.
        """
        if told.product_id is not None:
            line = self.lines.get(known.line_id or 0)
            if line is None or line.product_id != told.product_id:
                return ("sku", _("This refund is of another product.")), None
        if wanted == known.content:
            return None, None
        row = NewRow(known.line_id, *wanted)
        if problem := self._unfit(row.refunded_at):
            return problem, None
        was_counted = known.amount > 0
        if was_counted:
            self._count(known.line_id, -(known.quantity or 0), -known.amount)
        if row.amount and self._is_beyond(row):
            if was_counted:
                self._count(known.line_id, known.quantity, known.amount)
            return ("amount", str(RefundTooLarge.message)), None
        if row.amount:
            self._count(row.line_id, row.quantity, row.amount)
        return None, row

    def _unfit(self, refunded_at: str) -> Problem:
        if self.status == Order.Status.CANCELLED:
            return "order_id", str(OrderCancelled.message)
        if refunded_at < self.ordered_at:
            return "refunded_at", _("Money can't be given back before the purchase.")
        return None

    def _is_beyond(self, row: NewRow) -> bool:
        line = self.lines.get(row.line_id or 0)
        if self.given_back + row.amount > self.amount:
            return True
        return line is not None and (
            line.quantity_back + (row.quantity or 0) > line.quantity
            or line.amount_back + row.amount > line.amount
        )

    def _count(self, line_id: int | None, quantity: int | None, amount: int) -> None:
        self.given_back += amount
        if line := self.lines.get(line_id or 0):
            line.quantity_back += quantity or 0
            line.amount_back += amount


def _fits(line: Line, told: Told) -> bool:
    """Whether so much of the line is left. Money without a quantity needs only the money."""
    return (
        line.quantity_back + (told.quantity or 0) <= line.quantity
        and line.amount_back + told.amount <= line.amount
    )


def money_of(order_keys: Sequence[str], refund_ids: Sequence[str]) -> dict[str, OrderMoney]:
    """Return the orders by the caller's id, locked, with what was given back for them."""
    names = ("external_id", "id", "ref", "customer_id", "status", "ordered_at", "amount")
    rows = fetch_rows(Order, (*names, "currency"), where="external_id", among=order_keys, lock=True)
    customers = {row[3] for row in rows if row[3] is not None}
    erased = {
        pk
        for pk, erased_at in fetch_rows(Customer, ("id", "erased_at"), where="id", among=customers)
        if erased_at
    }
    refunds: dict[str, Known] = {}
    orders = {row[0]: OrderMoney(*row[1:]) for row in rows}
    for order in orders.values():
        order.is_erased, order.refunds = order.customer_id in erased, refunds
    by_id = {order.id: order for order in orders.values()}
    for order_id, *line in fetch_rows(
        OrderLine,
        ("order_id", "id", "product_id", "occurrence", "quantity", "amount"),
        where="order_id",
        among=list(by_id),
    ):
        by_id[order_id].lines[line[0]] = Line(*line)
    _count_known(by_id, refunds, refund_ids)
    return orders


def _count_known(
    orders: dict[int, OrderMoney], refunds: dict[str, Known], refund_ids: Sequence[str]
) -> None:
    names = ("id", "order_id", "line_id", "quantity", "amount", "refunded_at")
    wanted = ("replaces_id", "external_id", *names)
    rows = fetch_rows(Refund, wanted, where="order_id", among=list(orders))
    replaced = {row[0] for row in rows}
    in_force = [row for row in rows if row[2] not in replaced]
    for portion in portions(refund_ids, MOST_PARAMETERS):
        # Its first row, which the unique index finds, tells of which order a refund is.
        first = Refund.objects.filter(external_id__in=portion, replaces__isnull=True)
        for key, row_id, order_id in first.values_list("external_id", "id", "order_id"):
            refunds[key or ""] = Known(row_id, order_id, None, None, 0, "")
    refunds.update((row[1], Known(*row[2:])) for row in in_force if row[1] in refunds)
    refunds.update(_by_ref(rows, [one for one in refund_ids if looks_like_ref(one)]))
    by_id = {known.id: known for known in refunds.values()}
    notes = fetch_rows(RefundNote, ("refund_id", "text"), where="refund_id", among=list(by_id))
    for refund_id, text in notes:
        by_id[refund_id].text = text
    for row in in_force:
        known = Known(*row[2:])
        if known.amount and (order := orders.get(known.order_id)):
            order._count(known.line_id, known.quantity, known.amount)


def _by_ref(rows: Sequence[Row], refs: Sequence[str]) -> dict[str, Known]:
    """Return refunds without an id of their own by their ref, as the last row has them.

    rows: all of the orders' refunds, replaced ones too, beginning with what each replaces.
    """
    next_rows = {row[0]: row for row in rows if row[0] is not None}
    by_id = {row[2]: row for row in rows}
    found: dict[str, Known] = {}
    for portion in portions(refs, MOST_PARAMETERS):
        named = Refund.objects.filter(ref__in=portion, external_id__isnull=True)
        for ref, row_id, order_id in named.values_list("ref", "pk", "order_id"):
            last = by_id.get(row_id)
            while last is not None and last[2] in next_rows:
                last = next_rows[last[2]]
            found[ref] = Known(*last[2:]) if last else Known(row_id, order_id, None, None, 0, "")
    return found
