"""Purchases as a file: one row a line, or one row with the amount where there are no lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from common.exports import Asked, Export, portions, register_export
from crm.exports.names import customer_id, customer_name, id_of, shop_code
from crm.exports.roles import LISTS
from crm.forms import OrderFilterForm
from crm.models import Order, OrderLine
from crm.selectors.lists import list_orders

NEWEST = ("-ordered_at", "-id")
COLUMNS = (
    "order_id",
    "customer_id",
    "ordered_at",
    "channel",
    "location",
    "currency",
    "status",
    "delivered_at",
    "sku",
    "quantity",
    "unit_price",
    "discount",
    "unit_cost",
    "amount",
    "cost",
    "customer_name",
)
NO_LINE = ("", "", "", "", "")


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("orders", roles=LISTS, open=open_orders)


def open_orders(asked: Asked) -> Export:
    """Purchases as the page filters them."""
    values = OrderFilterForm(asked.query).values
    shop = values["shop"]
    orders = list_orders(status=values["status"] or "", location_id=shop.pk if shop else None)
    return Export(
        columns=COLUMNS,
        lines=order_lines(orders),
        count=lambda: count_lines(orders),
        filters={"status": values["status"], "location": shop and shop.code},
    )


def order_lines(orders: QuerySet[Order]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of purchases, newest first; two queries per thousand purchases."""
    for rows in portions(orders, NEWEST):
        bought: dict[int, list[tuple[Any, ...]]] = {}
        lines = OrderLine.objects.filter(order_id__in=[order.pk for order in rows])
        for line in lines.order_by("order_id", "id").values_list(
            "order_id", "product__sku", "quantity", "unit_price", "discount", "unit_cost"
        ):
            bought.setdefault(line[0], []).append(line[1:])
        for order in rows:
            head = (
                id_of(order),
                customer_id(order.customer),
                order.ordered_at,
                order.channel,
                shop_code(order.location),
                order.currency,
                order.status,
                order.delivered_at,
            )
            name = customer_name(order.customer)
            if order.pk not in bought:
                yield (*head, *NO_LINE, order.amount, order.cost, name)
                continue
            cost = order.cost  # on the first line only, so that a column adds up
            for bare_line in bought[order.pk]:
                yield (*head, *bare_line, "", cost, name)
                cost = None


def count_lines(orders: QuerySet[Order]) -> int:
    """Return how many rows purchases make; two queries."""
    bare = orders.select_related(None).order_by()
    lines = OrderLine.objects.filter(order__in=bare.values("pk")).count()
    return lines + bare.filter(~Exists(OrderLine.objects.filter(order=OuterRef("pk")))).count()
