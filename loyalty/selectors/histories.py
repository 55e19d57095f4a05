"""What became of orders after they earned: refunds, corrections, cancellations, as they were known.

Each of these facts is answered once by a transaction. One that is answered late is answered as it
was then, so that everybody can see what each of them did to the points.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from crm.models import Order, OrderLine, OrderLineVersion, OrderVersion, Refund
from loyalty.models import PointsTransaction, Programme
from loyalty.selectors.due import edit_key, refund_key, reversal_key
from loyalty.selectors.reckoning import Line
from loyalty.selectors.settling import Left, Refunded, left_amount, left_lines

Reason = PointsTransaction.Reason
STATE = ("status", "ordered_at", "delivered_at", "amount", "currency", "location_id", "channel")


class Fact(NamedTuple):
    """Something that may change what an order earned.

    key: of the transaction that answers it.  request: what that transaction's hash is made of.
    at: since when it is known; None: the order as it is.  effective_at: when it happened.
    gives_back: money was given back by it.  is_doubtful: it may have been known when the order
    earned; answered only if it makes a difference.
    """

    key: str
    request: dict[str, object]
    reason: str
    at: datetime | None
    effective_at: datetime
    gives_back: bool = False
    is_doubtful: bool = False


class _State(NamedTuple):
    """A state of an order, known in ``[since, until)``."""

    pk: int
    since: datetime
    until: datetime | None
    status: str
    ordered_at: datetime
    delivered_at: datetime | None
    amount: Decimal
    currency: str
    location_id: int | None
    channel: str


class _PastLine(NamedTuple):
    since: datetime
    until: datetime | None
    line: Line


class _Refund(NamedTuple):
    pk: int
    replaces_id: int | None
    line: str | None
    amount: Decimal
    refunded_at: datetime
    recorded_at: datetime


@dataclass(slots=True)
class History:
    """Every state of one order and every refund, oldest first."""

    order: Order
    past: list[_State] = field(default_factory=list)
    lines: list[_PastLine] = field(default_factory=list)
    refunds: list[_Refund] = field(default_factory=list)

    @property
    def is_cancelled(self) -> bool:
        """Whether the order is cancelled now."""
        return self.order.status == Order.Status.CANCELLED

    @property
    def was_restored(self) -> bool:
        """Whether it was cancelled before and then stood again."""
        return any(state.status == Order.Status.CANCELLED for state in self.past)

    def left_at(self, moment: datetime | None, programme: Programme) -> Left:
        """Return what was left of the order as known at ``moment``; None: as it is."""
        order = self.order
        present = _State(
            order.pk, order.revised_at, None, *(getattr(order, name) for name in STATE)
        )
        states = [*self.past, present]
        state = next(
            (one for one in states if moment is None or one.until is None or moment < one.until),
            present,
        )
        if moment is None:
            state = present
        refunds = self._refunds_at(moment)
        delivered = state.status == Order.Status.DELIVERED and state.delivered_at is not None
        lines = [past.line for past in self.lines if _is_known(past.since, past.until, moment)]
        return Left(
            counts=delivered
            and order.customer_id is not None
            and state.ordered_at >= programme.starts_at,
            amount=left_amount(state.amount, refunds),
            currency=state.currency,
            ordered_at=state.ordered_at,
            location_id=state.location_id,
            channel=state.channel,
            lines=left_lines(lines, refunds),
        )

    def waiting(self, answered: Collection[str], earned_at: datetime) -> list[Fact]:
        """Return the facts that no transaction answers yet, in the order they became known.

        answered: keys of this order's answers.  earned_at: when its points were recorded; what was
        corrected before was known then.
        """
        facts: list[tuple[datetime, Fact]] = []
        latest = earned_at
        amounts = {one.pk: one.amount for one in self.refunds}
        for one in self.refunds:
            key = refund_key(one.pk)
            if key in answered:
                latest = max(latest, one.recorded_at)
                continue
            replaced = amounts.get(one.replaces_id or 0, Decimal(0))
            fact = Fact(
                key,
                {"kind": "refund", "refund": one.pk},
                Reason.REFUNDED.value,
                one.recorded_at,
                one.refunded_at,
                gives_back=one.amount > replaced,
            )
            facts.append((one.recorded_at, fact))
        doubtful: Fact | None = None
        for state in self.past if not self.is_cancelled or self.was_restored else ():
            key = edit_key(self.order.pk, state.pk)
            until = state.until or self.order.revised_at
            if key in answered:
                latest = max(latest, until)
                continue
            request: dict[str, object] = {
                "kind": "edit",
                "order": self.order.pk,
                "version": state.pk,
            }
            fact = Fact(key, request, Reason.EDITED.value, until, until)
            if until > earned_at:
                facts.append((until, fact))
            else:
                doubtful = fact._replace(at=None, is_doubtful=True)
        if not facts:
            return [doubtful] if doubtful is not None else []
        facts.sort(key=lambda found: found[0])
        *earlier, (_at, last) = facts
        # Never back behind what was answered; and in the end always what is known now.
        known = [fact._replace(at=max(at, latest)) for at, fact in earlier]
        reason = last.reason
        if self.is_cancelled and reason == Reason.EDITED:
            reason = Reason.CANCELLED.value  # not for the first time
        return [*known, last._replace(at=None, reason=reason)]

    def cancellation(self, answered: Collection[str], happened_at: datetime) -> Fact | None:
        """Return the fact that the order is cancelled, unless it was answered before."""
        key = reversal_key(self.order.pk)
        if not self.is_cancelled or key in answered:
            return None
        request: dict[str, object] = {"kind": "cancel", "order": self.order.pk}
        return Fact(key, request, Reason.CANCELLED.value, None, happened_at)

    def answer_keys(self) -> list[str]:
        """Return every key under which something of this order may be answered."""
        return [
            reversal_key(self.order.pk),
            *(refund_key(one.pk) for one in self.refunds),
            *(edit_key(self.order.pk, one.pk) for one in self.past),
        ]

    def _refunds_at(self, moment: datetime | None) -> list[Refunded]:
        known = [one for one in self.refunds if moment is None or one.recorded_at <= moment]
        replaced = {one.replaces_id for one in known}
        return [Refunded(one.line, one.amount) for one in known if one.pk not in replaced]


def histories_of(orders: Mapping[int, Order]) -> dict[int, History]:
    """Return order id → its history; four queries. The orders are the caller's, locked."""
    found = {pk: History(order) for pk, order in orders.items()}
    versions = OrderVersion.objects.filter(order__in=orders).order_by("recorded_until", "pk")
    for order_id, *state in versions.values_list(
        "order_id", "pk", "recorded_from", "recorded_until", *STATE
    ):
        found[order_id].past.append(_State(*state))
    for order_id, past in _lines_of(orders):
        found[order_id].lines.append(past)
    refunds = Refund.objects.filter(order__in=orders).order_by("recorded_at", "pk")
    for refund in refunds.select_related("line"):
        found[refund.order_id].refunds.append(
            _Refund(
                refund.pk,
                refund.replaces_id,
                f"{refund.line.product_id}:{refund.line.occurrence}" if refund.line else None,
                refund.amount,
                refund.refunded_at,
                refund.recorded_at,
            )
        )
    return found


def _lines_of(orders: Collection[int]) -> Iterable[tuple[int, _PastLine]]:
    names = ("order_id", "product_id", "occurrence", "product__category", "product__kind", "amount")
    present = OrderLine.objects.filter(order__in=orders).order_by("order_id", "pk")
    for row in present.values_list(*names, "recorded_at"):
        yield _past_line(row, None)
    gone = OrderLineVersion.objects.filter(order__in=orders).order_by("recorded_until", "pk")
    for row in gone.values_list(*names, "recorded_from", "recorded_until"):
        yield _past_line(row[:-1], row[-1])


def _past_line(row: Sequence[Any], until: datetime | None) -> tuple[int, _PastLine]:
    order_id, product_id, occurrence, category, kind, amount, since = row
    line = Line(f"{product_id}:{occurrence}", product_id, category, kind, amount)
    return order_id, _PastLine(since, until, line)


def _is_known(since: datetime, until: datetime | None, moment: datetime | None) -> bool:
    if moment is None:
        return until is None
    return since <= moment and (until is None or moment < until)
