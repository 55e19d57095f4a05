"""Oracle of what members buy more than customers like them."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from math import floor

from common.time import Period, local_date
from metrics.windows import Window
from tests.metrics.histories.facts import History

DAYS = timedelta(days=90)


class Lift:
    """A history as known at a moment."""

    def __init__(self, history: History, as_of: datetime, known_at: datetime) -> None:
        self.as_of = as_of
        self.orders = [
            order for order in history.counted(as_of, known_at) if order.customer_id is not None
        ]
        self.joined: dict[int, datetime] = {}
        for row in history.happened(history.memberships, "joined_at", as_of, known_at):
            known = self.joined.get(row.customer_id, row.joined_at)
            self.joined[row.customer_id] = min(known, row.joined_at)
        self.has_programme = bool(history.memberships)

    def lift(self, window: Window) -> tuple[int, int, dict[str, set[int]]]:
        sets: dict[str, set[int]] = defaultdict(set)
        total = 0
        for month in self._months(window) if self.has_programme else ():
            joiners: dict[tuple[int, bool], list[int]] = defaultdict(list)
            others: dict[tuple[int, bool], list[int]] = defaultdict(list)
            for who in {order.customer_id or 0 for order in self.orders}:
                mine = [order for order in self.orders if order.customer_id == who]
                before = [o.at for o in mine if month.start - DAYS <= o.at < month.start]
                if not before:
                    continue
                kind = (min(3, len(before)), max(before) >= month.start - timedelta(days=30))
                at = self.joined.get(who)
                if at is not None and month.start <= at < month.end:
                    joiners[kind].append(who)
                elif at is None or at >= month.end + DAYS:
                    others[kind].append(who)
            for kind, people in joiners.items():
                alike = others[kind]
                sets["compared"] |= set(alike)
                sets["denominator" if alike else "unmatched"] |= set(people)
                if alike:
                    mean = sum(self._change(who, month) for who in alike) / len(alike)
                    total += sum(self._change(who, month) - floor(mean + 0.5) for who in people)
        return total, len(sets["denominator"]), sets

    def _months(self, window: Window) -> list[Period]:
        if not self.orders:
            return []
        month = Period.containing(local_date(min(order.at for order in self.orders)), "month")
        found = []
        while month.start < self.as_of:
            is_ripe = month.end + DAYS <= window.observed
            if window.start <= month.start and month.end <= window.until and is_ripe:
                found.append(month)
            month = month.shifted(1)
        return found

    def _change(self, who: int, month: Period) -> int:
        def spent(since: datetime, until: datetime) -> int:
            return sum(
                order.amount
                for order in self.orders
                if order.customer_id == who
                and order.currency == "USD"
                and since <= order.at < until
            )

        return spent(month.end, month.end + DAYS) - spent(month.start - DAYS, month.start)
