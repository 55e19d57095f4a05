"""What the sweeps have to do: facts without the transaction that answers them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import CharField, DateTimeField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat

from common.keyset import rows_after
from common.statements import FixedQuery, Told
from crm.models import Customer, Order, OrderVersion, Refund
from loyalty.models import Bucket, EarnedLine, PointsLot, PointsTransaction, Programme

PAGE = 5_000  # ids read ahead
_LIVE_ORDERS = Order.objects.filter(entry=Order.Entry.LIVE)


def earn_key(order_id: int) -> str:
    """Return the key under which what an order earned is written once."""
    return f"earn:order:{order_id}:v1"


def reversal_key(order_id: int) -> str:
    """Return the key under which a cancelled order's points are taken back once."""
    return f"cancel:order:{order_id}:v1"


def refund_key(refund_id: int) -> str:
    """Return the key under which a refund is answered once."""
    return f"refund:{refund_id}"


def edit_key(order_id: int, version_id: int) -> str:
    """Return the key under which a correction is answered once: that a state was superseded."""
    return f"edit:order:{order_id}:{version_id}"


def order_source(order_id: int) -> str:
    """Return what earned lines of an order name as their source."""
    return f"order:{order_id}"


def bonus_key(source: str) -> str:
    """Return the key under which something other than a purchase is paid for once."""
    return f"bonus:{source}"


def back_key(source: str) -> str:
    """Return the key under which such a bonus is taken back once."""
    return f"back:{source}"


def release_key(lot_id: int) -> str:
    """Return the key under which a lot becomes usable once."""
    return f"release:lot:{lot_id}"


def keyed(*parts: str | Combinable) -> QuerySet[PointsTransaction]:
    """Return the transactions whose key is made of these texts and numbers of the outer row."""
    pieces = [
        Value(part) if isinstance(part, str) else Cast(part, CharField(max_length=20))
        for part in parts
    ]
    return PointsTransaction.objects.filter(
        source_key=Concat(*pieces, output_field=CharField(max_length=80))
    )


def _transaction_of(prefix: str, order: str = "pk") -> QuerySet[PointsTransaction]:
    """The transaction whose key is made of prefix and the outer row's order id."""
    return keyed(f"{prefix}:order:", OuterRef(order), ":v1")


def qualifying_orders(programme: Programme) -> QuerySet[Order]:
    """Return the orders that take part in the programme, whether or not it has seen them.

    Made live by a known customer, delivered, and not before the programme's start.
    """
    return _delivered(programme.starts_at).filter(customer__erased_at__isnull=True)


def _delivered(starts_at: datetime | Told) -> QuerySet[Order]:
    """Qualifying orders, as far as they themselves say so."""
    return Order.objects.filter(
        entry=Order.Entry.LIVE,
        status=Order.Status.DELIVERED,
        delivered_at__isnull=False,
        customer__isnull=False,
        ordered_at__gte=starts_at,
    )


def due_orders(programme: Programme) -> QuerySet[Order]:
    """Return the qualifying orders whose points were not written yet."""
    return qualifying_orders(programme).filter(~Exists(_transaction_of("earn")))


class Purchase(NamedTuple):
    """What accrual reads of an order."""

    id: int
    ref: str
    customer_id: int
    ordered_at: datetime
    delivered_at: datetime
    amount: Decimal
    currency: str
    location_id: int | None
    channel: str


_LOCKED = FixedQuery(
    lambda: (
        _delivered(Told("starts_at", DateTimeField()))
        .filter(~Exists(_transaction_of("earn")), pk__among=Told("order_ids"))
        .select_for_update(no_key=True, of=("self",))
        .order_by("pk")
        .values_list(*Purchase._fields)
    )
)
# A merge of any of them waits until the locks are gone, or these until the merge is done.
_HELD = FixedQuery(
    lambda: (
        Customer.objects.filter(pk__among=Told("ids"), erased_at__isnull=True)
        .select_for_update(no_key=True)
        .order_by("pk")
        .values_list("pk")
    )
)
_RECORDED = FixedQuery(
    lambda: PointsTransaction.objects.filter(
        source_key__among=Told("keys", CharField())
    ).values_list("source_key")
)


def lock_due(programme: Programme, order_ids: Collection[int]) -> list[Purchase]:
    """Lock those of the orders that are due, then their customers; return what they bought.

    An edit or refund under way is seen whole; one that comes later is dated after this. What earned
    before is left out at once: a journal forgets nothing, so that needs no lock. Two statements.
    """
    rows = _LOCKED.rows(starts_at=programme.starts_at, order_ids=order_ids)
    purchases = [Purchase(*row) for row in rows]
    if not purchases:
        return []
    held = {pk for (pk,) in _HELD.rows(ids={one.customer_id for one in purchases})}
    return [one for one in purchases if one.customer_id in held]


def keys_recorded(keys: Collection[str]) -> set[str]:
    """Return which of the keys have their transaction; one query."""
    return {key for (key,) in _RECORDED.rows(keys=keys)}


def due_reversals() -> QuerySet[Order]:
    """Return the cancelled orders whose points were not taken back yet."""
    source = Concat(Value("order:"), Cast(OuterRef("pk"), CharField(max_length=20)))
    return Order.objects.filter(
        ~Exists(_transaction_of("cancel")),
        Exists(EarnedLine.objects.filter(source=source, settles__isnull=True, points__gt=0)),
        entry=Order.Entry.LIVE,
        status=Order.Status.CANCELLED,
    )


def due_refunds() -> QuerySet[Refund]:
    """Return the refunds of orders that earned, not answered yet."""
    return Refund.objects.filter(
        ~Exists(keyed("refund:", OuterRef("pk"))),
        Exists(_transaction_of("earn", "order_id")),
        Exists(_LIVE_ORDERS.filter(pk=OuterRef("order_id"))),
    )


def due_edits() -> QuerySet[OrderVersion]:
    """Return states that were superseded after their order had earned, not answered yet.

    A cancellation is answered as such, unless the order stood again.
    """
    earned = _transaction_of("earn", "order_id").filter(recorded_at__lt=OuterRef("recorded_until"))
    return _unanswered_edits().filter(Exists(earned))


def doubtful_edits(since: datetime) -> QuerySet[OrderVersion]:
    """Return states superseded since then, but before their order earned; not for all it comes to.

    The clock of an import may be read a little before it waits for the order that is just earning.
    Most of these were known when the order earned: settling finds nothing to do then.
    """
    earned = _transaction_of("earn", "order_id").filter(recorded_at__gte=OuterRef("recorded_until"))
    whole = EarnedLine.objects.filter(
        source=Concat(Value("order:"), Cast(OuterRef("pk"), CharField(max_length=20))),
        line="",
        settles__isnull=True,
        base=OuterRef("amount"),
    )
    partly = Order.objects.filter(~Exists(whole), pk=OuterRef("order_id"))
    return _unanswered_edits().filter(Exists(earned), Exists(partly), recorded_until__gte=since)


def _unanswered_edits() -> QuerySet[OrderVersion]:
    # Of the order only within a subquery: so the states are read by when they were superseded.
    restored = OrderVersion.objects.filter(order=OuterRef("pk"), status=Order.Status.CANCELLED)
    stands = _LIVE_ORDERS.filter(
        ~Q(status=Order.Status.CANCELLED) | Exists(restored), pk=OuterRef("order_id")
    )
    return OrderVersion.objects.filter(
        Exists(stands),
        ~Exists(keyed("edit:order:", OuterRef("order_id"), ":", OuterRef("pk"))),
    )


def due_lots(at: datetime) -> QuerySet[PointsLot]:
    """Return the pending lots whose return window is over at ``at``."""
    return PointsLot.objects.filter(bucket=Bucket.PENDING, remaining__gt=0, available_from__lte=at)


def ids_since(orders: QuerySet[Order], since: datetime | None) -> Iterator[int]:
    """Yield ids of those orders that we learned of, or that changed, since ``since``.

    since: None for all of them. An order may come twice. Reads a page of ids at a time.
    """
    if since is None:
        yield from _values(orders, "recorded_at", "pk")
        return
    yield from _values(orders.filter(recorded_at__gte=since), "recorded_at", "pk")
    # Through the superseded states, so that a big import of history costs nothing here.
    changed = OrderVersion.objects.filter(recorded_until__gte=since).values("order_id")
    yield from _values(orders.filter(pk__in=changed, recorded_at__lt=since), "recorded_at", "pk")


def orders_to_settle(since: datetime | None) -> Iterator[int]:
    """Yield ids of orders with refunds or corrections, known since ``since``, to be answered.

    since: None for all of them. An order may come several times.
    """
    refunds, edits = due_refunds(), due_edits()
    if since is not None:
        refunds = refunds.filter(recorded_at__gte=since)
        edits = edits.filter(recorded_until__gte=since)
    yield from _values(refunds, "recorded_at", "order_id")
    yield from _values(edits, "recorded_until", "order_id")
    if since is not None:
        yield from _values(doubtful_edits(since), "recorded_until", "order_id")


def _values(rows: QuerySet[Any, Any], moment: str, name: str) -> Iterator[int]:
    """Yield ``name`` of rows in the order of a moment, a page at a time."""
    order = [moment, "pk"]
    last: tuple[datetime, int] | None = None
    while True:
        page = rows if last is None else rows.filter(rows_after(order, last))
        found = list(page.order_by(*order).values_list(*order, F(name))[:PAGE])
        yield from (value for _moment, _pk, value in found)
        if len(found) < PAGE:
            return
        last = found[-1][:2]


def ids_of(rows: QuerySet[Any, Any]) -> Iterator[int]:
    """Yield the ids of rows in their order, a page at a time."""
    after = 0
    while True:
        page = list(rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:PAGE])
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]
