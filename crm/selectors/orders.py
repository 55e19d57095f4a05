"""One purchase by its public name."""

from __future__ import annotations

from common.errors import NotFound
from crm.models import Order, OrderLineVersion
from crm.selectors.lists import list_orders_with_lines


def get_order(ref: str) -> Order:
    """Return the order with this ref or, failing that, this order id; with lines and products.

    :raises NotFound: none has either.
    """
    order = (
        list_orders_with_lines().filter(ref=ref).first()
        or list_orders_with_lines().filter(external_id=ref).first()
    )
    if order is None:
        raise NotFound
    return order


def past_lines(order_id: int) -> list[OrderLineVersion]:
    """Return what lines of an order were before they were corrected, latest first; one query."""
    versions = OrderLineVersion.objects.filter(order_id=order_id).select_related("product")
    return list(versions.order_by("-recorded_until", "id")[:50])
