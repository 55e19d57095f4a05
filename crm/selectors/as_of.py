"""Orders and their lines as they were known at a past moment, from the tables alone.

``as_of`` cuts by the time it happened: orders made before it. ``known_at`` cuts by the time it was
recorded: what the database said then. The answer about a past ``known_at`` never changes, whatever
is corrected later. Set-based: one statement each, however many rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from crm.models import Order, OrderLine, OrderLineVersion, OrderVersion

STATE = (
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
LINE = (
    "order_id",
    "product_id",
    "occurrence",
    "quantity",
    "unit_price",
    "discount",
    "unit_cost",
    "amount",
)

Rows = QuerySet[Any, Any]  # of dicts


def orders_as_of(as_of: datetime, known_at: datetime) -> Rows:
    """Return a dict per order made before ``as_of``, in the state known at ``known_at``.

    order_id: database id. The rest as in :class:`crm.models.Order`; instants aware UTC, money in
    the order's currency. Cancelled orders are in it, with that status. A union: it can be ordered
    and counted, not filtered further.
    """
    present = Order.objects.filter(ordered_at__lt=as_of, revised_at__lte=known_at)
    past = OrderVersion.objects.filter(
        ordered_at__lt=as_of, recorded_from__lte=known_at, recorded_until__gt=known_at
    )
    states: Rows = present.values(*STATE, key=F("pk"))
    former: Rows = past.values(*STATE, key=F("order_id"))
    rows: Rows = states.union(former, all=True)
    return rows


def lines_as_of(as_of: datetime, known_at: datetime) -> Rows:
    """Return a dict per line of those orders, as the line was known at ``known_at``.

    ``product_id`` and ``occurrence`` name the line within its order. A union, as above.
    """
    made_before = _made_before(as_of, known_at)
    present = OrderLine.objects.filter(made_before, recorded_at__lte=known_at)
    past = OrderLineVersion.objects.filter(
        made_before, recorded_from__lte=known_at, recorded_until__gt=known_at
    )
    rows: Rows = present.values(*LINE).union(past.values(*LINE), all=True)
    return rows


def _made_before(as_of: datetime, known_at: datetime) -> Q:
    """Return the condition for lines whose order, as known then, was made before ``as_of``."""
    present = Order.objects.filter(
        pk=OuterRef("order_id"), ordered_at__lt=as_of, revised_at__lte=known_at
    )
    past = OrderVersion.objects.filter(
        order_id=OuterRef("order_id"),
        ordered_at__lt=as_of,
        recorded_from__lte=known_at,
        recorded_until__gt=known_at,
    )
    return Q(Exists(present)) | Q(Exists(past))
