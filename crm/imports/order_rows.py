"""Rows of orders and their lines as the tables hold them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from crm.imports.bulk import fetch_rows, insert_rows, update_rows
from crm.imports.scratch import Row
from crm.models import Order, OrderLine, OrderVersion

# The state of an order, in the order in which it is stored here.
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
LINE = ("product_id", "occurrence", "quantity", "unit_price", "discount", "unit_cost", "amount")


@dataclass(slots=True)
class Writes:
    """Rows to write for one portion of orders."""

    orders: list[Row]
    lines: list[Row]
    versions: list[Row]
    states: list[Row]
    changed_lines: list[Row]
    gone_lines: list[int]


def line_content(line: Row) -> Row:
    """A line without its occurrence and with a sortable cost."""
    return (line[0], *line[2:5], -1 if line[5] is None else line[5])


def known_lines(order_ids: list[int]) -> dict[int, list[Row]]:
    """Return ``(id, *LINE)`` rows by order."""
    lines: dict[int, list[Row]] = {}
    for row in fetch_rows(OrderLine, ("order_id", "id", *LINE), where="order_id", among=order_ids):
        lines.setdefault(row[0], []).append(row[1:])
    return lines


def make_lines(rows: list[Row]) -> list[Row]:
    """Return ``LINE`` tuples; occurrences count equal products in file order."""
    if len(rows) == 1 or len({row[10] for row in rows}) == len(rows):
        return [(row[10], 1, row[11], row[12], row[13] or 0, row[14], row[15]) for row in rows]
    seen: dict[int, int] = {}
    lines = []
    for row in rows:
        occurrence = seen[row[10]] = seen.get(row[10], 0) + 1
        lines.append((row[10], occurrence, row[11], row[12], row[13] or 0, row[14], row[15]))
    return lines


def write_orders(writes: Writes) -> None:
    """Write the rows in the caller's transaction."""
    insert_rows(
        Order,
        ("id", "ref", "external_id", "entry", "recorded_at", "revised_at", *STATE),
        writes.orders,
    )
    if writes.gone_lines:
        with connection.cursor() as cursor:
            cursor.executemany(
                "DELETE FROM crm_orderline WHERE id = %s",
                [(row_id,) for row_id in writes.gone_lines],
            )
    update_rows(OrderLine, LINE[2:], writes.changed_lines)
    insert_rows(OrderLine, ("order_id", "recorded_at", *LINE), writes.lines)
    insert_rows(
        OrderVersion,
        ("order_id", "recorded_from", "recorded_until", "actor", *STATE),
        writes.versions,
    )
    update_rows(Order, (*STATE, "revised_at"), writes.states)
