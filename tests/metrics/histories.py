"""Made-up histories: written straight into a fact store, and counted by plain Python.

The oracles know nothing of arrays, ibis or DuckDB; they loop over rows with DEFINITIONS in hand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from django.conf import settings

from metrics.facts import store
from metrics.facts.store import Manifest, Store
from metrics.facts.tables import SMALL_TABLES, TABLES, arrow_schema
from metrics.windows import Window

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Bought:
    customer_id: int | None
    at: datetime
    amount: int = 10_000
    status: str = "delivered"
    currency: str = "USD"
    delivered_at: datetime | None = None
    order_id: int = 0
    valid_from: datetime = LONG_AGO
    valid_until: datetime | None = None


@dataclass(frozen=True)
class Answered:
    customer_id: int | None
    at: datetime
    score: int
    recorded_at: datetime = LONG_AGO
    voided_at: datetime | None = None


@dataclass(frozen=True)
class Complained:
    customer_id: int | None
    at: datetime
    recorded_at: datetime = LONG_AGO
    dropped_at: datetime | None = None
    product_id: int | None = None


@dataclass(frozen=True)
class Linked:
    record_id: int
    person_id: int
    linked_at: datetime = LONG_AGO
    until: datetime | None = None


@dataclass
class History:
    orders: list[Bought] = field(default_factory=list)
    responses: list[Answered] = field(default_factory=list)
    complaints: list[Complained] = field(default_factory=list)
    links: list[Linked] = field(default_factory=list)

    def of_persons(self, rows: Iterable[Any], known_at: datetime) -> list[Any]:
        """The rows with the person in the place of each record that was merged then."""
        persons = {
            link.record_id: link.person_id
            for link in self.links
            if link.linked_at <= known_at and (link.until is None or known_at < link.until)
        }
        return [
            replace(row, customer_id=persons.get(row.customer_id, row.customer_id)) for row in rows
        ]

    def counted(self, as_of: datetime, known_at: datetime) -> list[Bought]:
        """Orders that count, whoever made them."""
        return [
            o
            for o in self.of_persons(self.orders, known_at)
            if o.status != "cancelled"
            and o.at < as_of
            and o.valid_from <= known_at
            and (o.valid_until is None or known_at < o.valid_until)
        ]


def store_of(history: History) -> Store:
    """Write a history as a fact store and return it."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for number, order in enumerate(history.orders, start=1):
        rows["order_states"].append(
            {
                "customer_id": order.customer_id,
                "order_id": order.order_id or number,
                "ordered_at": _naive(order.at),
                "delivered_at": _naive(order.delivered_at),
                "valid_from": _naive(order.valid_from),
                "valid_until": _naive(order.valid_until),
                "status": order.status,
                "amount": order.amount,
                "currency": order.currency,
            }
        )
    for number, answer in enumerate(history.responses, start=1):
        rows["responses"].append(
            {
                "response_id": number,
                "customer_id": answer.customer_id,
                "kind": "nps",
                "score": answer.score,
                "answered_at": _naive(answer.at),
                "recorded_at": _naive(answer.recorded_at),
                "voided_at": _naive(answer.voided_at),
                "is_simulated": False,
            }
        )
    for number, complaint in enumerate(history.complaints, start=1):
        rows["complaints"].append(
            {
                "complaint_id": number,
                "customer_id": complaint.customer_id,
                "product_id": complaint.product_id,
                "category": "",
                "opened_at": _naive(complaint.at),
                "recorded_at": _naive(complaint.recorded_at),
                "dropped_at": _naive(complaint.dropped_at),
                "is_simulated": False,
            }
        )
    for link in history.links:
        rows["links"].append(
            {
                "record_id": link.record_id,
                "person_id": link.person_id,
                "linked_at": _naive(link.linked_at),
                "until": _naive(link.until),
            }
        )
    previous = store.read_manifest()
    generation = previous.generation + 1 if previous else 1
    files = tuple(
        store.write_file(
            name,
            "" if name in SMALL_TABLES else "2000-01",
            generation,
            _table(name, rows[name]),
        )
        for name in TABLES
    )
    manifest = Manifest(
        generation=generation,
        database="made up",
        timezone=settings.KEEPWELL_TIMEZONE,
        synced_at=LONG_AGO.isoformat(),
        marks={},
        files=files,
    )
    store.write_manifest(manifest)
    return Store(manifest)


def _table(name: str, rows: list[dict[str, Any]]) -> Any:
    schema = arrow_schema(name)
    return pa.table(
        [
            pa.array(
                [row.get(f.name) for row in rows],
                pa.string() if pa.types.is_dictionary(f.type) else f.type,
            ).cast(f.type)
            for f in schema
        ],
        schema=schema,
    )


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


# --- Oracles ------------------------------------------------------------------------------------
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
