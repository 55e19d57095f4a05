"""Import of money given back, order by order, by the rules of the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from common.money import from_units
from common.refs import new_refs
from crm.imports import columns as read
from crm.imports.bulk import insert_rows
from crm.imports.columns import Bad, Column, Stored
from crm.imports.events import LiveEvents
from crm.imports.kinds import Checked, Counts, Kind, register_kind
from crm.imports.lookups import Lookup
from crm.imports.mapping import Mapping
from crm.imports.refund_rows import REFUND, OrderMoney, Told, money_of
from crm.imports.scratch import Row, Scratch
from crm.models import Order, Product, Refund, RefundNote

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"


@dataclass(slots=True)
class _Writes:
    """New rows of one portion."""

    refunds: list[list[Any]] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)  # place among the refunds → words


@register_kind
class Refunds(Kind):
    """Refunds by the caller's id, gathered by order: what is left of one decides about its rows.

    A record is all that the file says of one order, so that a check without writing sees the same
    limits as the import. A changed refund is a new row in the old one's place; 0 takes it back.
    """

    name = "refunds"
    key = "order_id"
    order = 50
    derived: ClassVar = {"product_id": "sku"}
    stored = ("refund_id", "refunded_at", "amount", "product_id", "quantity", "reason")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of refunds."""
        return [
            Column("refund_id", read.line(64), is_required=True),
            Column("order_id", read.line(64), is_required=True),
            Column("refunded_at", read.instant(mapping), is_required=True),
            Column("amount", read.amount(mapping), is_required=True),
            Column("sku", read.line(64)),
            Column("quantity", _quantity(mapping)),
            Column("reason", read.line(255)),
        ]

    def complete(self, checked: Checked) -> None:
        """Look up orders and products; a quantity is of a product."""
        if not hasattr(self, "_orders"):
            self._orders = Lookup(Order, "external_id", _("There is no purchase with this id."))
            self._products = Lookup(Product, "sku", _("There is no product with this SKU."))
        columns = checked.columns
        for place, found in enumerate(self._orders.find(columns["order_id"])):
            if isinstance(found, Bad):
                checked.spoil("order_id", place, found)
        checked.resolve("sku", self._products)
        columns["product_id"] = columns.get("sku", [None] * len(checked.lines))
        for place, quantity in enumerate(columns.get("quantity", ())):
            if isinstance(quantity, int) and columns["product_id"][place] is None:
                checked.spoil("quantity", place, _("Say of which product."))

    def settle(self, scratch: Scratch) -> None:
        """Refuse a refund id that an earlier line gave to another purchase."""
        rows = scratch.connection.execute(
            "SELECT line.line, line.refund_id, first.line FROM line JOIN"
            " (SELECT refund_id, MIN(line) AS line FROM line GROUP BY refund_id"
            "  HAVING COUNT(DISTINCT key) > 1) AS first ON first.refund_id = line.refund_id"
            " JOIN line AS head ON head.line = first.line WHERE line.key <> head.key"
        ).fetchall()
        reason = _("Line %(line)s gives this refund to another purchase.")
        self.refuse(
            (number, "refund_id", refund_id, reason % {"line": first})
            for number, refund_id, first in rows
        )
        scratch.remove_lines(number for number, _refund_id, _first in rows)

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return an order's refunds; a second row of one that says anything else is refused."""
        told: dict[str, Told] = {}
        for row in rows:
            one = Told(row[0], *row[2:])
            first = told.setdefault(one.refund_id, one)
            if not first.is_same(one):
                reason = _("Line %(line)s says something else about this refund.")
                self.refuse([(row[0], "refund_id", row[2], reason % {"line": first.line})])
        return key, list(told.values())

    def weight(self, rows: list[Row]) -> int:
        """A refund with its words, and what is read of its order."""
        return 4 + 2 * len(rows)

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Add what was given back and was not known so; refuse what is more than was paid."""
        orders = money_of(
            [key for key, _told in records],
            [one.refund_id for _key, told in records for one in told],
        )
        counts, writes, events = Counts(), _Writes(), LiveEvents(self.context)
        for key, told in records:
            order = orders.get(key)
            outcomes = {UNCHANGED}
            if order is None:  # deleted since the check
                reason = _("There is no purchase with this id.")
                self.refuse((one.line, "order_id", key, reason) for one in told)
                continue
            # What lowers an amount makes room for what raises another.
            for one in sorted(told, key=order.step):
                outcome = self._take(one, order, stamp, writes, events)
                if outcome:
                    setattr(counts, outcome, getattr(counts, outcome) + 1)
                    outcomes.add(outcome)
            self.note(key, next(one for one in (CREATED, UPDATED, UNCHANGED) if one in outcomes))
        if not self.context.is_dry_run:
            self._write(writes)
            events.write()
        return counts

    def _take(
        self, one: Told, order: OrderMoney, stamp: str, writes: _Writes, events: LiveEvents
    ) -> str:
        """Return what becomes of one refund, or nothing if it is refused."""
        known = order.known(one.refund_id)
        if known is None:
            problem, row = order.new_refund(one)
        elif known.order_id != order.id:
            problem, row = ("refund_id", _("This refund is of another purchase.")), None
        else:
            names = ("quantity", "amount", "refunded_at", "reason")
            wanted: Any = self.overwritten(names, known.content, order.told_of(one))
            problem, row = order.corrected(known, one, wanted)
        if problem:
            name, reason = problem
            shown = {"refund_id": one.refund_id, "amount": str(from_units(one.amount))}
            self.refuse([(one.line, name, shown.get(name, ""), reason)])
            return ""
        if row is None:
            return UNCHANGED
        ref = new_refs(1)[0]
        if row.text:
            writes.notes[len(writes.refunds)] = row.text
        writes.refunds.append(
            [
                ref,
                one.refund_id,
                order.id,
                row.line_id,
                row.quantity,
                row.amount,
                order.currency,
                known.id if known else None,
                row.refunded_at,
                self.context.actor,
                stamp,
            ]
        )
        events.add(
            "refund.corrected" if known else "refund.recorded",
            subject=("refund", ref),
            customer_id=order.customer_id,
            codes={
                "amount": str(from_units(row.amount)),
                "currency": order.currency,
                "order": order.ref,
            },
        )
        return UPDATED if known else CREATED

    def _write(self, writes: _Writes) -> None:
        ids = self.new_ids(Refund, len(writes.refunds))
        insert_rows(
            Refund,
            ("id", *REFUND),
            [(row_id, *row) for row_id, row in zip(ids, writes.refunds, strict=True)],
        )
        insert_rows(
            RefundNote,
            ("refund_id", "text"),
            [(ids[place], text) for place, text in writes.notes.items()],
        )
        self.trail.made(Refund, ids)


def _quantity(mapping: Mapping) -> Callable[[str], Stored]:
    amount = read.amount(mapping)

    def parse(text: str) -> Stored:
        quantity = amount(text)
        if not quantity:
            raise ValidationError(_("Give back more than nothing."), code="quantity")
        return quantity

    return parse
