"""Figures of one product each: windows that say which product, and rows that are of one."""

from __future__ import annotations

from typing import Any

ONLY_PRODUCT = "only_product_id"  # column of the windows, where the figures are of one product


def are_of_products(windows: Any) -> bool:
    """Whether every window is of one product."""
    return ONLY_PRODUCT in windows.columns


def same_product(windows: Any, rows: Any) -> list[Any]:
    """Return the condition that rows are of the window's product; none where it has no product.

    rows: with ``product_id``.
    """
    return [rows.product_id == windows[ONLY_PRODUCT]] if are_of_products(windows) else []


def orders_by_product(facts: Any, orders: Any) -> Any:
    """Return orders once for each product they have, with its ``product_id``."""
    of_what = facts.lines.select("order_id", "product_id").distinct()
    return orders.inner_join(of_what, "order_id")
