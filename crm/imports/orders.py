"""Import of orders: lines anywhere in the file become orders, corrected orders keep their past."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from common.money import to_units
from common.refs import new_refs
from common.validators import parse_currency
from crm.imports import columns as read
from crm.imports.bulk import fetch_rows
from crm.imports.columns import Column
from crm.imports.kinds import Checked, Counts, Kind, register_kind
from crm.imports.lookups import Lookup, customer_column, customer_lookup
from crm.imports.mapping import Mapping
from crm.imports.order_checks import (
    MOST,
    OF_LINES,
    careful_amounts,
    check_each,
    check_times,
    line_amount,
    line_amounts,
)
from crm.imports.order_rows import (
    STATE,
    LineChanges,
    Writes,
    known_lines,
    later_than,
    line_content,
    make_lines,
    write_orders,
)
from crm.imports.scratch import Row, Scratch
from crm.imports.sources import UnreadableFile
from crm.models import Location, Order, Product
from crm.selectors.refunds import refunded_lines_of, refunded_of
from crm.services.order_lines import LineRefunded
from crm.services.orders import OrderCancelled, OrderRefunded

DELIVERED = Order.Status.DELIVERED
ZERO = Decimal(0)


@dataclass(slots=True)
class NewState:
    """One order as the file tells it; None where it says nothing.

    lines: ``LINE`` tuples, or None for an order that is only an amount.
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
    kept_amount: int = 0  # of lines that stay for that reason


@register_kind
class Orders(Kind):
    """Orders by the caller's id, one row a line, or one row an order with its amount."""

    name = "orders"
    key = "order_id"
    order = 40
    derived: ClassVar = {"location_id": "location", "product_id": "sku", "amount": "order_id"}
    stored = (
        "customer_id",
        "ordered_at",
        "delivered_at",
        "location_id",
        "channel",
        "status",
        "currency",
        "cost",
        "product_id",
        "quantity",
        "unit_price",
        "discount",
        "unit_cost",
        "amount",
    )

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of orders."""
        return [
            Column("order_id", read.line(64), is_required=True),
            customer_column(mapping),
            Column("ordered_at", read.instant(mapping), is_required=True),
            Column("channel", read.line(40)),
            Column("location", read.line(64)),
            Column("currency", parse_currency),
            Column("status", read.choice(*Order.Status.values)),
            Column("delivered_at", read.instant(mapping)),
            Column("sku", read.line(64)),
            Column("quantity", read.amount(mapping)),
            Column("unit_price", read.amount(mapping)),
            Column("discount", read.amount(mapping)),
            Column("unit_cost", read.amount(mapping)),
            Column("amount", read.amount(mapping)),
            Column("cost", read.amount(mapping)),
        ]

    def check_header(self, names: Iterable[str]) -> None:
        """Learn which columns there are; either those of lines or an amount are needed."""
        super().check_header(names)
        if "amount" not in self.present and (missing := set(OF_LINES) - self.present):
            raise UnreadableFile(
                _("The file lacks columns: %(missing)s, or amount.")
                % {"missing": ", ".join(name for name in OF_LINES if name in missing)},
                missing=sorted(missing),
            )
        # Places after ordered_at of what an order's rows may tell, where the file tells it.
        self._told = [place for place, name in enumerate(self.stored[2:8]) if name in self.kept]
        self._customers = customer_lookup(self.context.mapping)
        self._products = Lookup(Product, "sku", _("There is no product with this SKU."))
        self._shops = Lookup(Location, "code", _("There is no shop with this code."))

    def complete(self, checked: Checked) -> None:
        """Look up codes; check that a row is a line or an amount, and compute the line's amount."""
        checked.resolve("customer_id", self._customers)
        checked.resolve("sku", self._products)
        checked.resolve("location", self._shops)
        columns = checked.columns
        nothing = [None] * len(checked.lines)
        columns["product_id"] = columns.get("sku", nothing)
        columns["location_id"] = columns.get("location", nothing)
        if "delivered_at" in columns:
            check_times(checked)
        if "amount" in columns or any(None in columns[name] for name in OF_LINES):
            check_each(checked)
        if not checked.suspects and "amount" not in columns:
            columns["amount"] = line_amounts(checked)
        else:
            careful_amounts(checked)

    def weight(self, rows: list[Row]) -> int:
        """An order and its lines."""
        return 2 + len(rows)

    def gather(self, key: str, rows: list[Row]) -> NewState | None:
        """Return the order its rows make; rows that contradict its first row are refused."""
        first, count = rows[0], len(rows)
        if count > 1:
            rows = self._agreeing(rows)
        lines: list[Row] | None = None
        if first[10] is None:
            amount = first[15]
        else:
            lines = make_lines(rows)
            amount = sum([row[6] for row in lines])
            if not -MOST <= amount <= MOST:
                reason = _("The order's amount is too large.")
                self.refuse((row[0], "order_id", key, reason) for row in rows)
                return None
        ordered_at, *told = first[3:10]
        if len(rows) > 1:
            ordered_at = min([row[3] for row in rows])
            for place in self._told:
                if told[place] is None:
                    told[place] = next(filter(None, [row[4 + place] for row in rows]), None)
        delivered_at, location_id, channel, status, currency, cost = told
        if cost is None and lines and None not in [row[5] for row in lines]:
            cost = sum(line_amount(row[2], row[5]) for row in lines)
        return NewState(
            key,
            first[2],
            ordered_at,
            delivered_at,
            location_id,
            channel,
            status,
            currency,
            cost,
            amount,
            lines,
            rows,
            len(rows) < count,
        )

    def _agreeing(self, rows: list[Row]) -> list[Row]:
        """Return the rows that can stand in one order with the first one; refuse the others."""
        first = rows[0]
        is_amount = first[10] is None
        if (
            not is_amount
            and None not in [row[10] for row in rows]
            and len({(row[2], row[8]) for row in rows}) == 1
        ):
            return rows
        currency = next((row[8] for row in rows if row[8] is not None), None)
        kept = []
        for row in rows:
            if row is first:
                kept.append(row)
            elif is_amount or row[10] is None:
                reason = _("Line %(line)s gives this order already, and an amount stands alone.")
                self.refuse([(row[0], "amount", "", reason % {"line": first[0]})])
            elif row[2] != first[2]:
                reason = _("Line %(line)s gives this order to another customer.")
                self.refuse([(row[0], "customer_id", "", reason % {"line": first[0]})])
            elif row[8] not in (None, currency):
                reason = _("This order has another currency on an earlier line.")
                self.refuse([(row[0], "currency", row[8], reason)])
            else:
                kept.append(row)
        return kept

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert new orders; correct changed ones, keeping the state they had."""
        known = {
            row[1]: row
            for row in fetch_rows(
                Order,
                ("id", "external_id", "revised_at", *STATE),
                where="external_id",
                among=[state.key for state in records],
                lock=True,
            )
        }
        writes = Writes()
        new = [state for state in records if state.key not in known]
        self._add_new(new, stamp, writes)
        counts = Counts(created=len(new))
        for state in new:
            self.note(state.key, "created")
        if known:
            self._add_changes(records, known, stamp, scratch, counts, writes)
        if not self.context.is_dry_run:
            write_orders(writes)
        return counts

    def _add_new(self, states: list[NewState], stamp: str, writes: Writes) -> None:
        entry = self.context.entry
        home_currency = settings.KEEPWELL_CURRENCY
        ids = self.new_ids(Order, len(states))
        refs = new_refs(len(states))
        for state, order_id, ref in zip(states, ids, refs, strict=True):
            status = state.status or DELIVERED
            delivered_at = (state.delivered_at or state.ordered_at) if status == DELIVERED else None
            writes.orders.append(
                (
                    order_id,
                    ref,
                    state.key,
                    entry,
                    stamp,
                    stamp,
                    state.customer_id,
                    state.location_id,
                    state.channel or "",
                    status,
                    state.ordered_at,
                    delivered_at,
                    state.amount,
                    state.cost,
                    state.currency or home_currency,
                )
            )
            if state.lines:
                head = (order_id, stamp)
                writes.lines += [head + row for row in state.lines]

    def _add_changes(
        self,
        records: list[NewState],
        known: dict[str, Row],
        stamp: str,
        scratch: Scratch,
        counts: Counts,
        writes: Writes,
    ) -> None:
        ids = [row[0] for row in known.values()]
        lines_by_order = known_lines(ids)
        refunded = refunded_of(ids)
        refunded_lines = refunded_lines_of(list(refunded))
        spoiled = scratch.spoiled(list(known))
        for state in records:
            if (row := known.get(state.key)) is None:
                continue
            state.is_spoiled |= state.key in spoiled
            order_id, _key, revised_at, *before = row
            old_lines = lines_by_order.get(order_id, [])
            if state.lines is None and old_lines:
                reason = _("This order has lines; its amount follows from them.")
                self.refuse((bad[0], "amount", "", reason) for bad in state.rows)
                continue
            old = tuple(before)
            until = later_than(revised_at, stamp)
            changes = LineChanges()
            if state.lines:
                changes = self._changes_of_lines(state, order_id, old_lines)
            after = self._state_after(state, old, stamp)
            if not changes and after == old:
                counts.unchanged += 1
                self.note(state.key, "unchanged")
                continue
            why = _why_not(old, after, refunded.get(order_id, ZERO))
            if changes.is_less_than(refunded_lines):
                why = LineRefunded.message
            if why:
                text = str(why)
                self.refuse((bad[0], "order_id", state.key, text) for bad in state.rows)
                continue
            writes.add_lines(order_id, changes, until)
            counts.updated += 1
            self.note(state.key, "updated")
            writes.versions.append((order_id, revised_at, until, self.context.actor, *before))
            writes.states.append((*after, until, order_id))

    def _state_after(self, state: NewState, before: Row, stamp: str) -> Row:
        """Filled cells overwrite; a delivery that was never told follows the order's time."""
        old = dict(zip(STATE, before, strict=True))
        status = state.status or old["status"]
        delivered_at = state.delivered_at
        if status != DELIVERED:
            delivered_at = None
        elif delivered_at is None:
            delivered_at = old["delivered_at"]
            if delivered_at is None:
                delivered_at = stamp if self.context.entry == Order.Entry.LIVE else ""
            if delivered_at == old["ordered_at"]:
                delivered_at = state.ordered_at
            delivered_at = max(delivered_at, state.ordered_at)
        return (
            state.customer_id,
            state.location_id or old["location_id"],
            state.channel or old["channel"],
            status,
            state.ordered_at,
            delivered_at,
            state.amount + state.kept_amount,
            old["cost"] if state.cost is None else state.cost,
            state.currency or old["currency"],
        )

    def _changes_of_lines(
        self, state: NewState, order_id: int, old_lines: list[Row]
    ) -> LineChanges:
        """Return what makes the order's lines those of the file.

        Lines of which a row was refused stay, and count in the amount.
        """
        new_lines = state.lines or []
        changes = LineChanges()
        if "unit_cost" not in self.present:
            costs = {row[1:3]: row[6] for row in old_lines}
            new_lines = [(*row[:5], costs.get(row[:2]), row[6]) for row in new_lines]
        by_place = {row[1:3]: row for row in old_lines}
        kept: set[Row] = set()
        if state.is_spoiled:
            kept = by_place.keys() - {row[:2] for row in new_lines}
            state.kept_amount = sum(by_place[place][7] for place in kept)
        old_content = sorted(line_content(row[1:]) for row in old_lines if row[1:3] not in kept)
        if sorted(map(line_content, new_lines)) == old_content:
            return changes
        for row in new_lines:
            old = by_place.pop(row[:2], None)
            if old is None:
                changes.new.append(row)
            elif old[1:-1] != row:
                changes.changed.append((old, row))
        changes.gone += [old for place, old in by_place.items() if place not in kept]
        return changes


def _why_not(before: Row, after: Row, refunded: Decimal) -> str | Promise:
    """Return why an order can't change so, in the words of the service; else nothing."""
    status, amount = STATE.index("status"), STATE.index("amount")
    if before[status] == Order.Status.CANCELLED:
        return OrderCancelled.message
    is_less = after[status] == Order.Status.CANCELLED or after[amount] < to_units(refunded)
    return OrderRefunded.message if refunded and is_less else ""
