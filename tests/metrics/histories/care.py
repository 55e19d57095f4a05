"""Oracles of complaints, standards and requests to leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby

from metrics.windows import Window
from tests.metrics.histories.facts import AskedToLeave, Bought, History

Sets = dict[str, set[int]]
RIPE = timedelta(days=90)


class Care:
    """A history as known at a moment. product_id: only complaints about it and orders with it."""

    def __init__(
        self, history: History, as_of: datetime, known_at: datetime, product_id: int | None = None
    ) -> None:
        self.history, self.as_of, self.known_at = history, as_of, known_at
        self.orders = history.counted(as_of, known_at)
        with_it = {
            line.order_id
            for line, _order in history.counted_lines(as_of, known_at)
            if line.product_id == product_id
        }
        self.delivered = [
            order for order in self.orders if product_id is None or order.order_id in with_it
        ]
        self.complaints = [
            row
            for row in history.happened(history.complaints, "at", as_of, known_at)
            if (row.dropped_at is None or known_at < row.dropped_at)
            and product_id in (None, row.product_id)
        ]

    def opened(self, window: Window) -> tuple[int, int, Sets]:
        rows = [row for row in self.complaints if window.start <= row.at < window.until]
        return len(rows), 0, {"numerator": _known(rows)}

    def per_1000(self, window: Window) -> tuple[int, int, Sets]:
        opened, _nothing, sets = self.opened(window)
        delivered = self._delivered_in(window)
        return opened, len(delivered), {**sets, "denominator": _known(delivered)}

    def rate(self, window: Window) -> Sets:
        delivered = [order for order in self._delivered_in(window) if order.customer_id is not None]
        complained = [
            order
            for order in delivered
            for row in self.complaints
            if row.customer_id == order.customer_id
            and order.delivered_at
            and order.delivered_at <= row.at < order.delivered_at + RIPE
        ]
        return {"numerator": _known(complained), "denominator": _known(delivered)}

    def _delivered_in(self, window: Window) -> list[Bought]:
        return [
            order
            for order in self.delivered
            if order.delivered_at and window.start <= order.delivered_at < window.until
        ]

    def standards(self, window: Window) -> tuple[int, int, Sets]:
        moment = min(self.as_of, self.known_at)
        kept, due = [], []
        for run in self.history.of_persons(self.history.runs, self.known_at):
            if not (run.started_at < moment and window.start <= run.due_at < window.until):
                continue
            due.append(run)
            is_done = all(
                step.status == "done"
                and step.recorded_at is not None
                and step.recorded_at <= self.known_at
                and step.done_at is not None
                and step.done_at < self.as_of
                for step in self.history.run_steps
                if step.run_id == run.run_id and step.is_required
            )
            has_ended = run.ended_at is not None and run.ended_at < moment
            if run.status == "completed" and has_ended and run.ended_at <= run.due_at and is_done:
                kept.append(run)
        return len(kept), len(due), {"numerator": _known(kept), "denominator": _known(due)}

    def saved(self, window: Window) -> Sets:
        requests = self.history.states(
            self.history.cancel_requests, "requested_at", self.as_of, self.known_at
        )
        requests.sort(key=lambda row: (row.customer_id, row.requested_at, row.request_id))
        sets: Sets = {}
        for who, rows in groupby(requests, key=lambda row: row.customer_id):
            latest: tuple[datetime, str] | None = None
            for began_at, outcome in self._attempts(list(rows)):
                if not window.start <= began_at < window.until:
                    continue
                if began_at + RIPE > window.observed:
                    sets.setdefault("pending", set()).add(who)
                else:
                    latest = began_at, outcome
            if latest is None:
                continue
            began_at, outcome = latest
            sets.setdefault("denominator", set()).add(who)
            if outcome == "stayed":
                sets.setdefault("numerator", set()).add(who)
            if outcome == "open":
                sets.setdefault("undecided", set()).add(who)
            if any(
                order.customer_id == who and began_at <= order.at < began_at + RIPE
                for order in self.orders
            ):
                sets.setdefault("bought_since", set()).add(who)
        return sets

    def _attempts(self, rows: list[AskedToLeave]) -> list[tuple[datetime, str]]:
        attempts: list[tuple[datetime, str]] = []
        before: datetime | None = None
        for row in rows:
            is_decided = row.decided_at is not None and row.decided_at < self.as_of
            outcome = row.outcome if is_decided else "open"
            if before is not None and row.requested_at < before + RIPE:
                attempts[-1] = (attempts[-1][0], outcome)
            else:
                attempts.append((row.requested_at, outcome))
            before = row.requested_at
        return attempts


def _known(rows: list) -> set[int]:
    return {row.customer_id for row in rows if row.customer_id is not None}
