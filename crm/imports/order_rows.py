"""Rows of orders and their lines as the tables hold them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from common.money import to_units
from crm.imports.bulk import fetch_rows, insert_rows, update_rows
from crm.imports.scratch import Row
from crm.models import Order, OrderLine, OrderLineVersion, OrderVersion
from crm.selectors.refunds import GivenBack
from crm.services.customer_figures import add_orders, refresh_figures

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
HEAD = ("id", "ref", "external_id", "entry", "recorded_at", "revised_at")  # before it, if new
LINE = ("product_id", "occurrence", "quantity", "unit_price", "discount", "unit_cost", "amount")


KNOWN_LINE = ("id", *LINE, "recorded_at")


@dataclass(slots=True)
class NewState:
    """One order as the file tells it; None where it says nothing.

    key: the caller's id; of orders without one, the customer and the time until it is made.
    lines: ``LINE`` tuples, or None for an order that is only an amount.
    number: n-th occurrence of the customer and the time, where orders have no ids.
    """

    key: str
    customer_id: int
    ordered_at: str
    delivered_at: str | None
    location_id: int | None
    channel: str | None
    status: str | None
    currency: str | None
    cost: int | None
    amount: int
    lines: list[Row] | None
    rows: list[Row]
    is_spoiled: bool  # some row was refused, so what is missing may only be missing here
    number: int = 0
    kept_amount: int = 0  # of lines that stay for that reason

    @property
    def named(self) -> tuple[str, str]:
        """The column and cell that name it in the file."""
        return ("ordered_at", "") if self.number else ("order_id", self.key)


@dataclass(slots=True)
class LineChanges:
    """What makes one order's lines those of a file: ``LINE`` rows, and known ones as stored.

    changed: (the line as it was, the line as it is to be).
    """

    new: list[Row] = field(default_factory=list)
    changed: list[tuple[Row, Row]] = field(default_factory=list)
    gone: list[Row] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)

    def is_less_than(self, refunded: Mapping[int, GivenBack], named: Container[int]) -> bool:
        """Whether a line would become less than what was given back for it.

        named: lines that a refund names, also one that was taken back: they can't go.
        """
        if any(line[0] in named for line in self.gone):
            return True
        return any(
            row[2] < to_units(back.quantity) or row[6] < to_units(back.amount)
            for old, row in self.changed
            if (back := refunded.get(old[0]))
        )


@dataclass(slots=True)
class Writes:
    """Rows to write for one portion of orders."""

    orders: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    added_lines: list[Row] = field(default_factory=list)  # to known orders
    versions: list[Row] = field(default_factory=list)
    states: list[Row] = field(default_factory=list)
    changed_lines: list[Row] = field(default_factory=list)
    gone_lines: list[int] = field(default_factory=list)
    past_lines: list[Row] = field(default_factory=list)

    def add_lines(self, order_id: int, changes: LineChanges, stamp: str) -> None:
        """Add what corrects an order's lines at ``stamp``; what they were goes to the history."""
        self.added_lines += [(order_id, stamp, *row) for row in changes.new]
        self.changed_lines += [(*row[2:], stamp, old[0]) for old, row in changes.changed]
        self.gone_lines += [old[0] for old in changes.gone]
        for old in [*(old for old, _row in changes.changed), *changes.gone]:
            self.past_lines.append((order_id, old[8], stamp, *old[1:8]))


def later_than(known: str, stamp: str) -> str:
    """Return ``stamp`` or, where something was recorded meanwhile, the instant after that."""
    if stamp > known:
        return stamp
    return str(datetime.fromisoformat(known) + timedelta(microseconds=1))


def line_content(line: Row) -> Row:
    """A line without its occurrence and with a sortable cost."""
    return (line[0], *line[2:5], -1 if line[5] is None else line[5])


def known_lines(order_ids: list[int]) -> dict[int, list[Row]]:
    """Return ``KNOWN_LINE`` rows by order."""
    lines: dict[int, list[Row]] = {}
    names = ("order_id", *KNOWN_LINE)
    for row in fetch_rows(OrderLine, names, where="order_id", among=order_ids):
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
        (*HEAD, *STATE),
        writes.orders,
    )
    if writes.gone_lines:
        with connection.cursor() as cursor:
            cursor.executemany(
                "DELETE FROM crm_orderline WHERE id = %s",
                [(row_id,) for row_id in writes.gone_lines],
            )
    insert_rows(
        OrderLineVersion,
        ("id", "order_id", "recorded_from", "recorded_until", *LINE),
        writes.past_lines,
    )
    update_rows(OrderLine, (*LINE[2:], "recorded_at"), writes.changed_lines)
    # Those with reserved ids come first: the others get whatever id is next.
    insert_rows(OrderLine, ("id", "order_id", "recorded_at", *LINE), writes.added_lines)
    insert_rows(OrderLine, ("order_id", "recorded_at", *LINE), writes.lines)
    insert_rows(
        OrderVersion,
        ("id", "order_id", "recorded_from", "recorded_until", "actor", *STATE),
        writes.versions,
    )
    update_rows(Order, (*STATE, "revised_at"), writes.states)
    _keep_figures(writes)


def _keep_figures(writes: Writes) -> None:
    """Add new orders to their customers' totals; add up anew where an order changed."""
    home, cancelled = settings.KEEPWELL_CURRENCY, Order.Status.CANCELLED
    place = {name: number for number, name in enumerate((*HEAD, *STATE))}
    customer, status, at, amount, currency = (
        place[name] for name in ("customer_id", "status", "ordered_at", "amount", "currency")
    )
    add_orders(
        (row[customer], 1, row[amount] if row[currency] == home else 0, row[at])
        for row in writes.orders
        if row[status] != cancelled
    )
    refresh_figures({row[5] for row in writes.versions} | {row[0] for row in writes.states})
