"""Figures counted by plain Python: loops over rows, with the definitions in hand.

They know nothing of arrays, ibis or DuckDB.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from metrics.windows import Window
from tests.metrics.histories.facts import Bought, History

Sets = dict[str, set[int]]


def _times(orders: Iterable[Bought]) -> dict[int, list[datetime]]:
    times: dict[int, list[datetime]] = defaultdict(list)
    for order in orders:
        if order.customer_id is not None:
            times[order.customer_id].append(order.at)
    return {customer: sorted(moments) for customer, moments in times.items()}


def retention_sets(orders: list[Bought], window: Window) -> Sets:
    """S, E, N and what follows."""
    start, end, new = set(), set(), set()
    for customer, moments in _times(orders).items():
        if any(window.look_start <= t < window.start for t in moments):
            start.add(customer)
        if any(window.look_until <= t < window.until for t in moments):
            end.add(customer)
            if window.start <= moments[0] < window.until:
                new.add(customer)
    return {"start": start, "end": end, "new": new}


def retention(orders: list[Bought], window: Window) -> Sets:
    s = retention_sets(orders, window)
    return {
        "numerator": s["start"] & s["end"],
        "denominator": s["start"],
        "lost": s["start"] - s["end"],
        "new": s["new"],
        "won_back": s["end"] - s["start"] - s["new"],
        "end": s["end"],
    }


def source_form(orders: list[Bought], window: Window) -> Sets:
    s = retention_sets(orders, window)
    return {
        "numerator": s["end"] - s["new"],
        "denominator": s["start"],
        "won_back": s["end"] - s["start"] - s["new"],
        "new": s["new"],
        "end": s["end"],
    }


def churn(orders: list[Bought], window: Window) -> Sets:
    s = retention_sets(orders, window)
    return {"numerator": s["start"] - s["end"], "denominator": s["start"]}


def repeat_90d(orders: list[Bought], window: Window) -> Sets:
    step = timedelta(days=90)
    mature = {c: ts for c, ts in _times(orders).items() if ts[0] + step <= window.until}
    again = {c for c, ts in mature.items() if any(ts[0] < t < ts[0] + step for t in ts)}
    return {"numerator": again, "denominator": set(mature)}


def repeat_lifetime(orders: list[Bought], window: Window) -> Sets:
    counts = {c: sum(t < window.until for t in ts) for c, ts in _times(orders).items()}
    return {
        "numerator": {c for c, n in counts.items() if n >= 2},
        "denominator": {c for c, n in counts.items() if n >= 1},
    }


SET_ORACLES = {
    "retention_rate": retention,
    "retention_rate_source": source_form,
    "churn_rate": churn,
    "repeat_purchase_rate_90d": repeat_90d,
    "repeat_purchase_rate_lifetime": repeat_lifetime,
}


def order_value(orders: list[Bought], window: Window) -> tuple[int, int]:
    inside = [o for o in orders if window.start <= o.at < window.until and o.currency == "USD"]
    return sum(o.amount for o in inside), len(inside)


def complaint_sets(history: History, window: Window, as_of: datetime, known_at: datetime) -> Sets:
    received, complained = set(), set()
    counted = [
        c
        for c in history.of_persons(history.complaints, known_at)
        if c.customer_id is not None
        and c.at < as_of
        and c.recorded_at <= known_at
        and (c.dropped_at is None or known_at < c.dropped_at)
    ]
    for order in history.counted(as_of, known_at):
        got = order.delivered_at
        if order.customer_id is None or got is None or not window.start <= got < window.until:
            continue
        received.add(order.customer_id)
        for complaint in counted:
            if complaint.customer_id == order.customer_id and got <= complaint.at < got + timedelta(
                days=90
            ):
                complained.add(order.customer_id)
    return {"numerator": complained, "denominator": received}


def net_score(
    history: History, window: Window, as_of: datetime, known_at: datetime
) -> tuple[int, int]:
    latest: dict[object, tuple[datetime, int, int]] = {}
    for number, answer in enumerate(history.of_persons(history.responses, known_at)):
        if (
            window.start <= answer.at < min(window.until, as_of)
            and answer.recorded_at <= known_at
            and (answer.voided_at is None or known_at < answer.voided_at)
        ):
            person: object = answer.customer_id or f"nobody {number}"
            entry = (answer.at, number, answer.score)
            latest[person] = max(latest.get(person, entry), entry)
    scores = [score for _at, _number, score in latest.values()]
    return sum(s >= 9 for s in scores) - sum(s <= 6 for s in scores), len(scores)


def cohort_cells(
    orders: list[Bought], months: list[Window]
) -> dict[tuple[int, int], tuple[set[int], int]]:
    def place(moment: datetime) -> int | None:
        for index, month in enumerate(months):
            if month.start <= moment < month.until:
                return index
        return None

    first = {customer: moments[0] for customer, moments in _times(orders).items()}
    cells: dict[tuple[int, int], tuple[set[int], int]] = {}
    for order in orders:
        if order.customer_id is None:
            continue
        row, column = place(first[order.customer_id]), place(order.at)
        if row is None or column is None:
            continue
        members, amount = cells.get((row, column), (set(), 0))
        extra = order.amount if order.currency == "USD" else 0
        cells[row, column] = (members | {order.customer_id}, amount + extra)
    return cells
