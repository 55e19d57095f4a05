"""Import of points from an earlier programme; and what the orders of a file will earn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from common.money import from_units
from common.time import now, start_of_day
from common.validators import parse_integer
from crm.imports import columns as read
from crm.imports.bulk import fetch_rows
from crm.imports.columns import Column, Stored, stored_instant
from crm.imports.foresight import Consequences, register_watcher
from crm.imports.forgotten import forgotten
from crm.imports.kinds import Checked, Context, Counts, Kind, register_kind
from crm.imports.lookups import customer_column, customer_lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.imports.sources import UnreadableFile
from crm.models import ImportBatch, Order
from loyalty.models import PointsTransaction
from loyalty.selectors.earning import ANOTHER_PURCHASE, earning_of
from loyalty.selectors.programme import find_programme, get_programme, terms_of
from loyalty.services.opening import MOST_POINTS, Opening, open_balances, opened_balances

LIVE = ImportBatch.Mode.LIVE


@register_kind
class PointsBalances(Kind):
    """Balances by customer, one row a lot. Each customer's is opened once and never corrected."""

    name = "points_balances"
    key = "member"
    order = 140
    stored = ("points", "expires_at")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of points."""
        return [
            customer_column(mapping),
            Column("points", _whole_points(mapping), is_required=True),
            Column("expires_at", _end_of_day(mapping)),
        ]

    def check_header(self, names: Any) -> None:
        """Learn which columns there are.

        :raises UnreadableFile: a required one is missing, or there is no programme yet.
        """
        super().check_header(names)
        if find_programme() is None:
            raise UnreadableFile(_("Open the loyalty programme first, then bring its points in."))
        self._customers = customer_lookup(self.context.mapping)
        self._now = stored_instant(now())

    def complete(self, checked: Checked) -> None:
        """Look up customers; points that have lapsed by now are refused."""
        checked.resolve("customer_id", self._customers)
        columns = checked.columns
        columns["member"] = [
            str(cell) if isinstance(cell, int) else cell for cell in columns["customer_id"]
        ]
        for place, expires_at in enumerate(columns.get("expires_at", ())):
            if isinstance(expires_at, str) and expires_at <= self._now:
                checked.spoil("expires_at", place, _("These points have lapsed already."))

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return the balance its rows make; two rows can't lapse on the same day."""
        seen: dict[str | None, int] = {}
        for row in rows:
            if row[3] in seen:
                reason = _("Line %(line)s gives points of this customer until the same day.")
                self._refuse_all(rows, "expires_at", reason % {"line": seen[row[3]]})
                return None
            seen[row[3]] = row[0]
        lots = sorted(((row[3], row[2]) for row in rows), key=lambda lot: lot[0] or "9")
        return key, Opening(tuple((_moment(text), points) for text, points in lots)), rows

    def weight(self, rows: list[Row]) -> int:
        """A member, a card, an account; a transaction, a lot and two entries a row."""
        return 6 + 4 * len(rows)

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Open the balances of customers who have none; refuse another one for those who have."""
        counts = Counts()
        keys = [key for key, _opening, _rows in records]
        spoiled = scratch.spoiled(keys)
        stand = opened_balances([int(key) for key in keys])
        openings: dict[int, Opening] = {}
        for key, opening, rows in records:
            before = stand.get(int(key))
            if key in spoiled:
                reason = _("Another row of this customer was refused; a balance is opened whole.")
                self._refuse_all(rows, "points", reason)
            elif before is None or before.is_reversed:
                openings[int(key)] = opening
            elif before.request_hash != opening.request_hash:
                reason = _("This customer's balance was opened before, with other points.")
                self._refuse_all(rows, "points", reason)
            else:
                counts.unchanged += 1
                self.note(key, "unchanged")
        lines = {int(key): rows for key, _opening, rows in records}
        self._open(openings, lines, counts)
        return counts

    def _open(
        self, openings: dict[int, Opening], lines: dict[int, list[Row]], counts: Counts
    ) -> None:
        opened = set(openings)
        if openings and not self.context.is_dry_run:
            ids = open_balances(
                programme=get_programme(),
                openings=openings,
                actor=self.context.actor,
                event="points.opened" if self.context.entry == LIVE else "",
            )
            self.trail.made(PointsTransaction, ids)
            opened &= opened_balances(openings).keys()
            for customer_id in openings.keys() - opened:  # erased after the rows were checked
                rows = lines[customer_id]
                self.refuse((row[0], "customer_id", "", forgotten().reason) for row in rows)
        counts.created += len(opened)
        for customer_id in opened:
            self.note(str(customer_id), "created")

    def _refuse_all(self, rows: Sequence[Row], column: str, reason: str) -> None:
        self.refuse((row[0], column, "", reason) for row in rows)


class _BroughtAlong:
    """The points of a file of balances: they are given whatever the mode."""

    def __init__(self, context: Context) -> None:
        self._points = 0

    def add(self, records: list[Any]) -> None:
        """Count those of customers whose balance was not opened yet."""
        stand = opened_balances([int(key) for key, _opening, _rows in records])
        for key, opening, _rows in records:
            before = stand.get(int(key))
            if before is None or before.is_reversed:
                self._points += opening.points

    def found(self, mode: str) -> Consequences:
        """Return the points."""
        return Consequences(points=self._points)


class _WillEarn:
    """The points that the orders of a file would earn under the programme's terms.

    Without what depends on the buyer or on what is bought: that is known only once they are in.
    """

    def __init__(self, context: Context) -> None:
        programme = find_programme()
        self._terms = terms_of(programme) if programme else None
        self._new, self._delivered = 0, 0

    def add(self, records: list[Any]) -> None:
        """Count new orders, and known live ones that the file says are delivered."""
        if self._terms is None:
            return
        rows = fetch_rows(
            Order,
            ("external_id", "entry", "status"),
            where="external_id",
            among=[state.key for state in records],
        )
        known = {row[0]: row[1:] for row in rows}
        for state in records:
            entry, status = known.get(state.key, (None, None))
            if entry is None:
                self._new += self._earned(state)
            elif entry == Order.Entry.LIVE and status == Order.Status.PLACED and state.status:
                self._delivered += self._earned(state)

    def _earned(self, state: Any) -> int:
        terms = self._terms
        ordered_at = _moment(state.ordered_at)
        if terms is None or ordered_at is None or ordered_at < terms.starts_at:
            return 0
        if (state.status or Order.Status.DELIVERED) != Order.Status.DELIVERED:
            return 0
        return earning_of(
            terms,
            amount=from_units(state.amount),
            currency=state.currency or terms.currency,
            ordered_at=ordered_at,
            delivered_at=_moment(state.delivered_at) or ordered_at,
            member=ANOTHER_PURCHASE,
        ).points

    def found(self, mode: str) -> Consequences:
        """Return the points that would be awarded."""
        return Consequences(points=self._delivered + (self._new if mode == LIVE else 0))


register_watcher("points_balances", _BroughtAlong)
register_watcher("orders", _WillEarn)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _whole_points(mapping: Mapping) -> Callable[[str], Stored]:
    return lambda text: parse_integer(mapping.number(text), lowest=0, highest=MOST_POINTS)


def _end_of_day(mapping: Mapping) -> Callable[[str], Stored]:
    """The last local day on which points can be used, as the instant at which it ends."""
    parse_day = read.day(mapping)

    def parse(text: str) -> Stored:
        last = date.fromisoformat(str(parse_day(text)))
        return stored_instant(start_of_day(last + timedelta(days=1)))

    return parse
