"""Import of orders: lines anywhere in the file become orders, corrected orders keep their past."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext as _

from common.refs import new_refs
from common.validators import parse_currency
from crm.imports import columns as read
from crm.imports.bulk import fetch_rows
from crm.imports.columns import Column
from crm.imports.kinds import Checked, Counts, Kind, register_kind
from crm.imports.lookups import Lookup, customer_column, customer_lookup
from crm.imports.mapping import Mapping
from crm.imports.newcomers import CUSTOMER, PRODUCT, Newcomers
from crm.imports.order_checks import (
    MOST,
    OF_LINES,
    careful_amounts,
    check_each,
    check_times,
    line_amount,
    line_amounts,
)
from crm.imports.order_corrections import Corrections
from crm.imports.order_rows import STATE, NewState, Writes, make_lines, write_orders
from crm.imports.scratch import Row, Scratch
from crm.imports.sources import UnreadableFile
from crm.models import Customer, Location, Order, Product

DELIVERED = Order.Status.DELIVERED
_NO_DIGIT = re.compile(r"\D")


@register_kind
class Orders(Kind):
    """Orders by the caller's id, one row a line, or one row an order with its amount."""

    name = "orders"
    key = "order_id"
    order = 40
    derived: ClassVar = {"location_id": "location", "product_id": "sku"}
    stored: tuple[str, ...] = (
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
        if mapping.create_missing:
            self.stored = (*type(self).stored, "product_name")
        return [
            Column("order_id", read.line(64), is_required=not mapping.number_orders),
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
            Column("product_name", read.line()),  # of products that are made with the orders
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
        mapping = self.context.mapping
        self._is_numbered = mapping.number_orders and "order_id" not in self.present
        self._newcomers: Newcomers | None = None
        if mapping.create_missing:
            self._newcomers = Newcomers(self, self._customers, self._products)

    @property
    def kept(self) -> tuple[str, ...]:
        """What the file fills; the amount of a line is computed, if it is not told."""
        filled = {"amount", *super().kept}
        return tuple(name for name in self.stored if name in filled)

    def complete(self, checked: Checked) -> None:
        """Look up codes; check that a row is a line or an amount, and compute the line's amount."""
        columns = checked.columns
        names = columns["customer_id"], columns.get("sku", ())
        checked.resolve("customer_id", self._customers)
        checked.resolve("sku", self._products)
        checked.resolve("location", self._shops)
        if self._newcomers:
            self._newcomers.number(CUSTOMER, checked, "customer_id", names[0])
            if "sku" in columns:
                self._newcomers.number(PRODUCT, checked, "sku", names[1])
        nothing = [None] * len(checked.lines)
        columns["product_id"] = columns.get("sku", nothing)
        columns["location_id"] = columns.get("location", nothing)
        if self._is_numbered:
            columns["order_id"] = [
                f"{customer} {at}"
                for customer, at in zip(columns["customer_id"], columns["ordered_at"], strict=True)
            ]
        if "delivered_at" in columns:
            check_times(checked)
        if "amount" in columns or any(None in columns[name] for name in OF_LINES):
            check_each(checked)
        if not checked.suspects and "amount" not in columns:
            columns["amount"] = line_amounts(checked)
        else:
            careful_amounts(checked)

    def settle(self, scratch: Scratch) -> None:
        """See who is to be made."""
        if self._newcomers:
            self._newcomers.settle(scratch)

    def weight(self, rows: list[Row]) -> int:
        """An order and its lines; a customer who is made takes some more."""
        made = 5 if rows[0][2] < 0 else 0
        return made + (3 * len(rows) if self._is_numbered else 2 + len(rows))

    def gather(self, key: str, rows: list[Row]) -> NewState | list[NewState] | None:
        """Return the order its rows make; rows that contradict its first row are refused.

        Where orders have no ids, every row is an order.
        """
        if not self._is_numbered:
            return self._gathered(key, rows)
        found = (self._gathered(key, [row], number) for number, row in enumerate(rows, start=1))
        return [state for state in found if state]

    def _gathered(self, key: str, rows: list[Row], number: int = 0) -> NewState | None:
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
                named = ("ordered_at", "") if number else ("order_id", key)
                self.refuse((row[0], *named, reason) for row in rows)
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
            number,
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
        if self._newcomers:
            records = self._newcomers.make(records, stamp, scratch)
        if self._is_numbered:
            _give_ids(records)
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
        new = [state for state in records if state.key not in known] if known else records
        self._add_new(new, stamp, writes)
        counts = Counts(created=len(new))
        for state in new:
            self.note(state.key, "created")
        if known:
            corrections = Corrections(self, known, scratch, stamp)
            for state in records:
                if state.key in known:
                    corrections.add(state, counts, writes)
            corrections.number(writes)
        if not self.context.is_dry_run:
            write_orders(writes)
        return counts

    def _add_new(self, states: list[NewState], stamp: str, writes: Writes) -> None:
        entry = self.context.entry
        home_currency = settings.KEEPWELL_CURRENCY
        ids = self.new_ids(Order, len(states))
        self.trail.made(Order, ids)
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


def _give_ids(states: list[NewState]) -> None:
    """Give orders without ids such that the same file makes the same ones again.

    Of the customer's ref, the time, and the occurrence; a customer who is not made yet (in a dry
    run) has no orders either.
    """
    asked = {state.customer_id for state in states if state.customer_id > 0}
    refs = dict(fetch_rows(Customer, ("id", "ref"), where="id", among=asked))
    for state in states:
        ref = refs.get(state.customer_id, state.customer_id)
        at = _NO_DIGIT.sub("", state.ordered_at)
        state.key = f"{ref}-{at}-{state.number}"
