"""Three years of a made-up trade, the same every time, as fact store and as tables.

People come at any time and leave at any time; who buys often is left to a gamma distribution, as in
the models of repeat buying. A few purchases are cancelled, in another currency, of nobody known, or
were written down otherwise at first; a few customers were merged; some money was given back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from common.time import Period
from metrics.facts import store
from metrics.facts.columns import LINKS, ORDER_STATES, arrow_schema
from metrics.facts.store import Manifest, Store

FIRST_MONTH, MONTHS = Period.containing(date(2023, 1, 1), "month"), 36
AS_OF = FIRST_MONTH.shifted(MONTHS).start
SECOND = 1_000_000
DAY = 86_400 * SECOND
STATUSES, CURRENCIES = ("delivered", "placed", "cancelled"), ("USD", "EUR")
SHARE_UNKNOWN, SHARE_CANCELLED, SHARE_PLACED, SHARE_FOREIGN = 0.05, 0.02, 0.01, 0.02
SHARE_REVISED, SHARE_REFUNDED, SHARE_MERGED = 0.02, 0.03, 0.0005


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@dataclass
class Trade:
    """Columns of orders in the order of their ids (1, 2, …), and of what else there is.

    customer_id: 0 where nobody is known.  Times in microseconds UTC, money in 1/10,000.
    was_amount: what was written at first, of the orders at ``revised``.
    """

    customer_id: Any
    ordered_at: Any
    amount: Any
    status: Any
    currency: Any
    recorded_at: Any
    revised: Any
    was_amount: Any
    refunds: dict[str, Any]
    links: dict[str, Any]
    customers: int

    @property
    def cost(self) -> Any:
        """What the goods cost; -1 where nobody knows."""
        known = np.arange(len(self.amount)) % 20 != 0
        return np.where(known, self.amount * 6 // 10, -1)


def trade(orders: int, customers: int, *, seed: int = 1) -> Trade:
    """Make up a trade; customers: at most a quarter of the orders."""
    random = np.random.default_rng(seed)
    begin, end = micros(FIRST_MONTH.start), micros(AS_OF)
    weights = random.gamma(0.6, size=customers)
    extra = random.multinomial(orders - customers, weights / weights.sum())
    who = np.repeat(np.arange(customers), extra + 1)
    span = end - begin
    arrival = random.integers(0, span * 97 // 100, customers)
    stay = np.minimum(random.exponential(span / 2, customers).astype(np.int64) + DAY, span)
    stay = np.minimum(stay, span - arrival)
    part = random.random(orders)
    part[np.concatenate([[0], np.cumsum(extra + 1)[:-1]])] = 0
    when = arrival[who] + (part * stay[who]).astype(np.int64)
    when = begin + when // SECOND * SECOND
    by_time = np.argsort(when, kind="stable")
    who, when = who[by_time] + 1, when[by_time]
    who[random.random(orders) < SHARE_UNKNOWN] = 0
    amount = np.maximum(random.lognormal(3.2, 0.9, orders) * 100, 0).astype(np.int64) * 100
    chance = random.random(orders)
    status = np.select([chance < SHARE_CANCELLED, chance > 1 - SHARE_PLACED], [2, 1], 0)
    revised = np.flatnonzero(random.random(orders) < SHARE_REVISED)
    returned = np.flatnonzero(random.random(orders) < SHARE_REFUNDED)
    back = when[returned] + random.integers(DAY, 40 * DAY, len(returned))
    returned, back = returned[back < end], back[back < end]
    merged = random.permutation(customers)[: int(customers * SHARE_MERGED) * 2] + 1
    return Trade(
        customer_id=who,
        ordered_at=when,
        amount=amount,
        status=status.astype(np.int8),
        currency=(random.random(orders) < SHARE_FOREIGN).astype(np.int8),
        recorded_at=when + random.integers(0, 3_600, orders) * SECOND,
        revised=revised,
        was_amount=amount[revised] + 10_000,
        refunds={
            "order_id": returned + 1,
            "amount": (amount[returned] * random.choice([0.25, 1, 1.1], len(returned))).astype(
                np.int64
            ),
            "currency": None,
            "refunded_at": back,
        },
        links={"record_id": merged[::2], "person_id": merged[1::2]},
        customers=customers,
    )


def write_store(made: Trade) -> Store:
    """Write a trade as a fact store, as a sync would have left it, and return it."""
    from django.conf import settings

    files = [store.write_file(ORDER_STATES, month, 1, rows) for month, rows in _months(made)]
    epoch = np.full(len(made.links["record_id"]), micros(FIRST_MONTH.start))
    small: dict[str, dict[str, Any]] = {
        LINKS: {**made.links, "linked_at": epoch},
        "customers": {"customer_id": np.arange(made.customers) + 1},
        "refunds": {
            "refund_id": np.arange(len(made.refunds["order_id"])) + 1,
            **made.refunds,
            "currency": names(CURRENCIES, made.currency[made.refunds["order_id"] - 1]),
            "recorded_at": made.refunds["refunded_at"],
        },
    }
    for name, columns in small.items():
        size = len(next(iter(columns.values())))
        files.append(store.write_file(name, "", 1, table(name, columns, size)))
    manifest = Manifest(
        generation=1,
        database="made up",
        timezone=settings.KEEPWELL_TIMEZONE,
        synced_at=AS_OF.isoformat(),
        marks={},
        files=tuple(files),
    )
    store.write_manifest(manifest)
    return Store(manifest)


def names(words: tuple[str, ...], codes: Any) -> Any:
    """Return codes as an Arrow column of words."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words))


def table(name: str, columns: dict[str, Any], size: int) -> Any:
    """Return columns as an Arrow table of facts; those that are not given are null."""
    arrays = []
    for field in (schema := arrow_schema(name)):
        column = columns.get(field.name)
        if column is None:
            arrays.append(pa.nulls(size, field.type))
        elif isinstance(column, np.ndarray) and pa.types.is_timestamp(field.type):
            arrays.append(pa.array(column.astype("datetime64[us]")))
        else:
            arrays.append(column if isinstance(column, pa.Array) else pa.array(column, field.type))
    return pa.table(arrays, schema=schema)


def _months(made: Trade) -> Iterator[tuple[str, Any]]:
    edges = np.searchsorted(
        made.ordered_at,
        [micros(FIRST_MONTH.shifted(step).start) for step in range(MONTHS + 1)],
    )
    is_revised = np.zeros(len(made.amount), dtype=bool)
    is_revised[made.revised] = True
    was = np.zeros(len(made.amount), dtype=np.int64)
    was[made.revised] = made.was_amount
    cost = made.cost
    for step in range(MONTHS):
        rows = np.arange(edges[step], edges[step + 1])
        old = rows[is_revised[rows]]
        place = np.concatenate([rows, old])
        is_old = np.arange(len(place)) >= len(rows)
        who = made.customer_id[place]
        sort_id = np.where(who == 0, np.iinfo(np.int64).max, who)
        order = np.lexsort((~is_old, place, made.ordered_at[place], sort_id))
        place, is_old, who = place[order], is_old[order], who[order]
        amount = np.where(is_old, was[place], made.amount[place])
        recorded, revised = made.recorded_at[place], is_revised[place]
        spent = cost[place]
        columns: dict[str, Any] = {
            "customer_id": pa.array(who, mask=who == 0),
            "order_id": place + 1,
            "ordered_at": made.ordered_at[place],
            "delivered_at": made.ordered_at[place] + 2 * DAY,
            "valid_from": np.where(revised & ~is_old, recorded + 3_600 * SECOND, recorded),
            "valid_until": pa.array(
                (recorded + 3_600 * SECOND).astype("datetime64[us]"), mask=~is_old
            ),
            "status": names(STATUSES, made.status[place]),
            "amount": amount,
            "cost": pa.array(spent, mask=spent < 0),
            "currency": names(CURRENCIES, made.currency[place]),
        }
        yield str(FIRST_MONTH.shifted(step)), table(ORDER_STATES, columns, len(place))
