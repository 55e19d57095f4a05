"""Oracles of the loyalty programme."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from common.time import Period, local_date
from metrics.windows import Window, days_before
from tests.metrics.histories.facts import History, Scored

Sets = dict[str, set[int]]


class Programme:
    """A history as known at a moment."""

    def __init__(self, history: History, as_of: datetime, known_at: datetime) -> None:
        moment = min(as_of, known_at)
        self.as_of = as_of
        self.owed = [
            (Period.containing(local_date(row.month), "month").end, row)
            for row in history.liabilities
            if row.month < as_of and row.recorded_at <= known_at and row.currency == "USD"
        ]
        self.has_programme = bool(history.memberships)
        self.orders = history.counted(as_of, known_at)
        self.members = [
            (row, row.closed_at if row.closed_at and row.closed_at < moment else None)
            for row in history.happened(history.memberships, "joined_at", as_of, known_at)
        ]
        self.entries: list[Scored] = [
            row
            for row in history.happened(history.points, "effective_at", as_of, known_at)
            if row.lot_id is not None
        ]
        self.lots: dict[int, list[Scored]] = defaultdict(list)
        for entry in self.entries:
            self.lots[entry.lot_id or 0].append(entry)

    def enrolment(self, window: Window) -> Sets:
        if not self.has_programme:
            return {}
        before = {row.customer_id for row, _end in self.members if row.joined_at < window.start}
        joined = {
            row.customer_id
            for row, _end in self.members
            if window.start <= row.joined_at < window.until
        }
        bought = {
            order.customer_id
            for order in self.orders
            if order.customer_id is not None and window.start <= order.at < window.until
        }
        return {"numerator": joined - before, "denominator": (joined | bought) - before}

    def active(self, window: Window) -> Sets:
        members = {
            row.customer_id
            for row, end in self.members
            if row.joined_at < window.until and (end is None or end >= window.until)
        }
        since = days_before(window.until, 365)
        within = [row for row in self.entries if since <= row.effective_at < window.until]
        earned = {row.customer_id for row in within if row.kind == "earn" and row.amount > 0}
        redeemed = {row.customer_id for row in within if row.kind == "redeem"}
        return {
            "numerator": members & (earned | redeemed),
            "denominator": members,
            "earned": members & earned,
            "redeemed": members & redeemed,
        }

    def redemption(self, window: Window) -> tuple[int, int, Sets]:
        lots = [
            rows
            for rows in self.lots.values()
            if rows[0].issued_at and window.start <= rows[0].issued_at < window.until
        ]
        return _shares(lots, lots, _used)

    def breakage(self, window: Window) -> tuple[int, int, Sets]:
        by_month: dict[tuple[int, int], list[tuple[list[Scored], list[Scored]]]] = defaultdict(list)
        for rows in self.lots.values():
            seen = [row for row in rows if row.effective_at < window.until]
            if seen and rows[0].issued_at:
                day = local_date(rows[0].issued_at)
                by_month[day.year, day.month].append((seen, rows))
        over = [
            pair
            for pairs in by_month.values()
            if sum(row.amount for seen, _all in pairs for row in seen) <= 0
            for pair in pairs
        ]
        return _shares([seen for seen, _all in over], [every for _seen, every in over], _expired)

    def liability(self, window: Window) -> tuple[int, int, Sets]:
        """Of the month that ended last; while it isn't closed, the present has that before."""
        last = Period.containing(local_date(window.until), "month").start
        ends = [end for end, _row in self.owed if end <= window.until]
        if not ends or (max(ends) != last and window.until != self.as_of):
            return 0, 0, {}
        at = max(ends)
        points: dict[int, int] = defaultdict(int)
        for entry in self.entries:
            if entry.recorded_at < at or (entry.kind == "expire" and entry.effective_at <= at):
                points[entry.customer_id] += entry.amount
        rows = [row for end, row in self.owed if end == at]
        return (
            sum(row.amount for row in rows),
            sum(row.outstanding for row in rows),
            {"denominator": {who for who, left in points.items() if left > 0}},
        )


def _used(row: Scored) -> int:
    is_used = row.kind == "redeem" or (row.kind == "restore" and row.amount > 0)
    return -row.amount if is_used else 0


def _expired(row: Scored) -> int:
    return -row.amount if row.kind == "expire" else 0


def _shares(lots: list, whole: list, part) -> tuple[int, int, Sets]:
    of_members: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for rows, every in zip(lots, whole, strict=True):
        first = min(row.transaction_id for row in every)
        for row in rows:
            sums = of_members[row.customer_id]
            sums[0] += part(row)
            if row.transaction_id == first and row.amount > 0:
                sums[1] += row.amount
    sets = {
        "numerator": {who for who, sums in of_members.items() if sums[0] > 0},
        "denominator": {who for who, sums in of_members.items() if sums[1] > 0},
    }
    parts, issued = (sum(sums[place] for sums in of_members.values()) for place in (0, 1))
    return parts, issued, sets
