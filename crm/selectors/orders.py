"""One purchase by its public name."""

from __future__ import annotations

from common.errors import NotFound
from crm.models import Order
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
