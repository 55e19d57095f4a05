"""Orders that are known already: what a file changes of them, and what can't change."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from common.money import to_units
from crm.imports.kinds import Counts, Kind
from crm.imports.order_checks import OF_LINES, line_amount
from crm.imports.order_rows import (
    LINE,
    STATE,
    LineChanges,
    NewState,
    Writes,
    known_lines,
    later_than,
    line_content,
)
from crm.imports.scratch import Row, Scratch
from crm.models import Order, OrderLine, OrderLineVersion, OrderVersion
from crm.selectors.refunds import lines_named_by_refunds, refunded_lines_of, refunded_of
from crm.services.order_lines import LineRefunded
from crm.services.orders import OrderCancelled, OrderRefunded

DELIVERED = Order.Status.DELIVERED
ZERO = Decimal(0)
TOLD = LINE[2:6]  # what a file tells of a line: quantity, price, discount, cost


class Corrections:
    """What one portion of a file makes of known orders."""

    def __init__(self, kind: Kind, known: Mapping[str, Row], scratch: Scratch, stamp: str) -> None:
        """known: id, external id, ``revised_at`` and ``STATE`` of locked orders, by external id."""
        self.kind, self.known, self.stamp = kind, known, stamp
        ids = [row[0] for row in known.values()]
        self.lines_by_order = known_lines(ids)
        self.refunded = refunded_of(ids)
        self.refunded_lines = refunded_lines_of(list(self.refunded))
        self.named_lines = lines_named_by_refunds(ids)
        self.spoiled = scratch.spoiled(list(known))
        mapping = kind.context.mapping
        self.takes_all = mapping.overwrite == "filled" and not {*mapping.kept} & {
            *OF_LINES,
            *TOLD,
            "amount",
        }

    def add(self, state: NewState, counts: Counts, writes: Writes) -> None:
        """Add what makes a known order what the file says; refuse what it can't become."""
        order_id, _key, revised_at, *before = self.known[state.key]
        state.is_spoiled |= state.key in self.spoiled
        old_lines = self.lines_by_order.get(order_id, [])
        if state.lines is None and old_lines:
            reason = _("This order has lines; its amount follows from them.")
            self.kind.refuse((bad[0], "amount", "", reason) for bad in state.rows)
            return
        old = tuple(before)
        until = later_than(revised_at, self.stamp)
        changes = self._changes_of_lines(state, old, old_lines) if state.lines else LineChanges()
        after = self._state_after(state, old)
        if not changes and after == old:
            counts.unchanged += 1
            self.kind.note(state.key, "unchanged")
            return
        why = _why_not(old, after, self.refunded.get(order_id, ZERO))
        if changes.is_less_than(self.refunded_lines, self.named_lines):
            why = LineRefunded.message
        if why:
            text = str(why)
            self.kind.refuse((bad[0], *state.named, text) for bad in state.rows)
            return
        writes.add_lines(order_id, changes, until)
        counts.updated += 1
        self.kind.note(state.key, "updated")
        writes.versions.append((order_id, revised_at, until, self.kind.context.actor, *before))
        writes.states.append((*after, until, order_id))
        self._keep_trail(order_id, (*old, revised_at), (*after, until), changes)

    def _keep_trail(self, order_id: int, before: Row, after: Row, changes: LineChanges) -> None:
        trail, owner = self.kind.trail, after[0]
        trail.compared(Order, order_id, (*STATE, "revised_at"), before, after, customer_id=owner)
        until = after[-1]
        for old, row in changes.changed:
            names = (*LINE, "recorded_at")
            trail.compared(OrderLine, old[0], names, old[1:9], (*row, until), customer_id=owner)
        for old in changes.gone:
            held = dict(zip((*LINE, "recorded_at"), old[1:9], strict=True))
            trail.removed(
                OrderLine, old[0], before={"order_id": order_id} | held, customer_id=owner
            )

    def number(self, writes: Writes) -> None:
        """Give database ids to the rows that are added to known orders, and note them."""
        owners = {row[-1]: row[0] for row in writes.states}
        for model, rows in (
            (OrderVersion, writes.versions),
            (OrderLineVersion, writes.past_lines),
            (OrderLine, writes.added_lines),
        ):
            ids = self.kind.new_ids(model, len(rows)) if rows else ()
            for place, row_id in enumerate(ids):
                owner = owners[rows[place][0]]
                self.kind.trail.added(model, row_id, customer_id=owner)
                rows[place] = (row_id, *rows[place])

    def _state_after(self, state: NewState, before: Row) -> Row:
        """Filled cells overwrite, where the mapping lets them.

        A delivery that was never told follows the order's time.
        """
        old = dict(zip(STATE, before, strict=True))

        def taken(name: str, told: Any) -> Any:
            return told if told is not None and self.kind.takes(name, old[name]) else old[name]

        status, ordered_at = taken("status", state.status), taken("ordered_at", state.ordered_at)
        delivered_at = state.delivered_at
        if delivered_at is not None and not self.kind.takes("delivered_at", old["delivered_at"]):
            delivered_at = None
        if status != DELIVERED:
            delivered_at = None
        else:
            if delivered_at is None:
                delivered_at = old["delivered_at"]
                if delivered_at is None:
                    is_live = self.kind.context.entry == Order.Entry.LIVE
                    delivered_at = self.stamp if is_live else ""
                if delivered_at == old["ordered_at"]:
                    delivered_at = ordered_at
            delivered_at = max(delivered_at, ordered_at)
        amount = state.amount + state.kept_amount
        return (
            taken("customer_id", state.customer_id),
            taken("location_id", state.location_id),
            taken("channel", state.channel),
            status,
            ordered_at,
            delivered_at,
            amount if state.lines else taken("amount", amount),
            taken("cost", state.cost),
            taken("currency", state.currency),
        )

    def _changes_of_lines(self, state: NewState, before: Row, old_lines: list[Row]) -> LineChanges:
        """Return what makes the order's lines those of the file.

        Lines of which a row was refused stay, and count in the amount.
        """
        if not self.takes_all:
            return self._taken_of_lines(state, before, old_lines)
        new_lines = state.lines or []
        changes = LineChanges()
        if "unit_cost" not in self.kind.present:
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

    def _taken_of_lines(self, state: NewState, before: Row, old_lines: list[Row]) -> LineChanges:
        """The same where some cells don't overwrite. Lines come and go only if the SKU may."""
        changes = LineChanges()
        amount = before[STATE.index("amount")]
        if not old_lines and not self.kind.takes("amount", amount):
            state.amount = amount
            return changes
        may_come = self.kind.takes("product_id", "" if not old_lines else "sku")
        by_place = {row[1:3]: row for row in old_lines}
        state.amount = 0
        for row in state.lines or []:
            old = by_place.pop(row[:2], None)
            if old is None:
                if may_come:
                    changes.new.append(row)
                    state.amount += row[6]
                continue
            quantity, price, discount, cost = self.kind.overwritten(TOLD, old[3:7], row[2:6])
            wanted = (*row[:2], quantity, price, discount, cost)
            wanted = (*wanted, line_amount(quantity, price, discount))
            if wanted != old[1:-1]:
                changes.changed.append((old, wanted))
            state.amount += wanted[6]
        for old in by_place.values():
            if may_come and not state.is_spoiled:
                changes.gone.append(old)
            else:
                state.amount += old[7]
        return changes


def _why_not(before: Row, after: Row, refunded: Decimal) -> str | Promise:
    """Return why an order can't change so, in the words of the service; else nothing."""
    status, amount = STATE.index("status"), STATE.index("amount")
    if before[status] == Order.Status.CANCELLED:
        return OrderCancelled.message
    is_less = after[status] == Order.Status.CANCELLED or after[amount] < to_units(refunded)
    return OrderRefunded.message if refunded and is_less else ""
