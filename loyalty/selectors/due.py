"""What the sweeps have to do: facts without the transaction that answers them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat

from common.keyset import rows_after
from crm.models import Order, OrderVersion
from loyalty.models import Bucket, PointsLot, PointsTransaction, Programme

PAGE = 5_000  # ids read ahead


def earn_key(order_id: int) -> str:
    """Return the key under which what an order earned is written once."""
    return f"earn:order:{order_id}:v1"


def reversal_key(order_id: int) -> str:
    """Return the key under which a cancelled order's points are taken back once."""
    return f"cancel:order:{order_id}:v1"


def release_key(lot_id: int) -> str:
    """Return the key under which a lot becomes usable once."""
    return f"release:lot:{lot_id}"


def _transaction_of(prefix: str) -> QuerySet[PointsTransaction]:
    """The transaction whose key is made of prefix and the outer row's id."""
    key = Concat(
        Value(f"{prefix}:order:"),
        Cast(OuterRef("pk"), CharField(max_length=20)),
        Value(":v1"),
        output_field=CharField(),
    )
    return PointsTransaction.objects.filter(source_key=key)


def qualifying_orders(programme: Programme) -> QuerySet[Order]:
    """Return the orders that take part in the programme, whether or not it has seen them.

    Made live by a known customer, delivered, and not before the programme's start.
    """
    return Order.objects.filter(
        entry=Order.Entry.LIVE,
        status=Order.Status.DELIVERED,
        delivered_at__isnull=False,
        customer__isnull=False,
        customer__erased_at__isnull=True,
        ordered_at__gte=programme.starts_at,
    )


def due_orders(programme: Programme) -> QuerySet[Order]:
    """Return the qualifying orders whose points were not written yet."""
    return qualifying_orders(programme).filter(~Exists(_transaction_of("earn")))


def due_reversals() -> QuerySet[Order]:
    """Return the cancelled orders whose points were not taken back yet."""
    return Order.objects.filter(
        ~Exists(_transaction_of("cancel")),
        Exists(_transaction_of("earn").filter(points__gt=0)),
        entry=Order.Entry.LIVE,
        status=Order.Status.CANCELLED,
    )


def due_lots(at: datetime) -> QuerySet[PointsLot]:
    """Return the pending lots whose return window is over at ``at``."""
    return PointsLot.objects.filter(bucket=Bucket.PENDING, remaining__gt=0, available_from__lte=at)


def ids_since(orders: QuerySet[Order], since: datetime | None) -> Iterator[int]:
    """Yield ids of those orders that we learned of, or that changed, since ``since``.

    since: None for all of them. An order may come twice. Reads a page of ids at a time.
    """
    if since is None:
        yield from _ids(orders)
        return
    yield from _ids(orders.filter(recorded_at__gte=since))
    # Through the superseded states, so that a big import of history costs nothing here.
    changed = OrderVersion.objects.filter(recorded_until__gte=since).values("order_id")
    yield from _ids(orders.filter(pk__in=changed, recorded_at__lt=since))


def _ids(orders: QuerySet[Order]) -> Iterator[int]:
    order = ["recorded_at", "pk"]
    last: tuple[datetime, int] | None = None
    while True:
        page = orders if last is None else orders.filter(rows_after(order, last))
        rows = list(page.order_by(*order).values_list(*order)[:PAGE])
        yield from (pk for _recorded_at, pk in rows)
        if len(rows) < PAGE:
            return
        last = rows[-1]
