"""The made-up trade in the product's tables on PostgreSQL, read out of it and counted in it."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv
from _figures_data import CURRENCIES, SECOND, STATUSES, Trade, names, trade
from _figures_rivals import COLUMNS, in_postgres, read_answers
from _figures_suite import AS_OF, by_kernels, question, read
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from metrics.facts.sync import sync_facts

CHUNK = 500_000
HOUR = 3_600 * SECOND


def compare(orders: int, customers: int) -> dict[str, float]:
    """Fill the database; seconds of the SQL, and of reading the facts out and the kernels."""
    call_command("migrate", verbosity=0)
    fill(trade(orders, customers))
    with tempfile.TemporaryDirectory() as folder, override_settings(KEEPWELL_DATA_DIR=folder):
        began = time.perf_counter()
        store = sync_facts(now=AS_OF, full=True).store
        synced = time.perf_counter()
        asked = question(store)
        answer = by_kernels(read(store), asked)
        ended = time.perf_counter()
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"] or None,
        port=settings["PORT"] or None,
        user=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
        dbname=settings["NAME"],
    ) as run:
        sql_began = time.perf_counter()
        rows, sums = in_postgres(run, asked)
        sql_ended = time.perf_counter()
    customers_found = read_answers(asked, rows, {})
    for name in ("retention", "revenue", "cohorts", "repeat"):
        assert getattr(customers_found, name) == getattr(answer, name), name
    columns = [answer.customers[name] for name in COLUMNS if name not in ("first", "last")]
    columns[-1] = np.where(columns[-1] == np.iinfo(np.int64).min, 0, columns[-1])
    assert sums == [int(column.sum(dtype=np.int64)) for column in columns]
    found = {
        "sql": sql_ended - sql_began,
        "ours": ended - began,
        "reading out": synced - began,
    }
    words = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.items())
    print(f"PostgreSQL: {words}", file=sys.stderr)
    return found


def fill(made: Trade) -> None:
    """Copy a trade into the tables, ids as they are in it."""
    size = len(made.amount)
    ids = np.arange(size) + 1
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
        _customers(cursor, made)
        for low in range(0, size, CHUNK):
            rows = slice(low, low + CHUNK)
            _copy(cursor, "crm_order", _orders(made, ids[rows], rows))
        _versions(cursor, made)
        _refunds(cursor, made)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("ANALYZE")


def _customers(cursor: Any, made: Trade) -> None:
    cursor.execute(
        "INSERT INTO crm_customer (id, ref, kind, name, language, country, city, industry, source, "
        "stage, is_invented, recorded_at) SELECT i, 'c' || i, 'person', 'Person ' || i, 'en', '', "
        "'', '', '', 'lead', false, '2023-01-01Z' FROM generate_series(1, %s) AS i",
        [made.customers],
    )
    links = {
        "record_id": made.links["record_id"],
        "person_id": made.links["person_id"],
        "merge_id": np.ones(len(made.links["record_id"]), dtype=np.int64),
        "linked_at": _instants(np.full(len(made.links["record_id"]), made.ordered_at[0])),
    }
    _copy(cursor, "crm_identitylink", links)


def _orders(made: Trade, ids: Any, rows: slice) -> dict[str, Any]:
    count = len(ids)
    later = np.zeros(len(made.amount), dtype=np.int64)
    later[made.revised] = HOUR
    return {
        "id": ids,
        "ref": pa.array(ids).cast(pa.string()),
        **_state(made, np.arange(len(made.amount))[rows]),
        "amount": made.amount[rows],
        "entry": pa.array(["history"] * count),
        "recorded_at": _instants(made.recorded_at[rows]),
        "revised_at": _instants(made.recorded_at[rows] + later[rows]),
    }


def _state(made: Trade, places: Any) -> dict[str, Any]:
    customers, cost = made.customer_id[places], made.cost[places]
    return {
        "customer_id": pa.array(customers, mask=customers == 0),
        "channel": pa.array([""] * len(places)),
        "status": names(STATUSES, made.status[places]).cast(pa.string()),
        "ordered_at": _instants(made.ordered_at[places]),
        "cost": pa.array(cost, mask=cost < 0),
        "currency": names(CURRENCIES, made.currency[places]).cast(pa.string()),
    }


def _versions(cursor: Any, made: Trade) -> None:
    places = made.revised
    rows = {
        "order_id": places + 1,
        **_state(made, places),
        "amount": made.was_amount,
        "recorded_from": _instants(made.recorded_at[places]),
        "recorded_until": _instants(made.recorded_at[places] + HOUR),
        "actor": pa.array(["system"] * len(places)),
    }
    _copy(cursor, "crm_orderversion", rows)


def _refunds(cursor: Any, made: Trade) -> None:
    order_ids = made.refunds["order_id"]
    rows = {
        "ref": pa.array(np.arange(len(order_ids))).cast(pa.string()),
        "order_id": order_ids,
        "amount": made.refunds["amount"],
        "currency": names(CURRENCIES, made.currency[order_ids - 1]).cast(pa.string()),
        "actor": pa.array(["system"] * len(order_ids)),
        "is_simulated": pa.array([False] * len(order_ids)),
        "refunded_at": _instants(made.refunds["refunded_at"]),
        "recorded_at": _instants(made.refunds["refunded_at"]),
    }
    _copy(cursor, "crm_refund", rows)


def _instants(values: Any) -> Any:
    return pa.array(values.astype("datetime64[us]")).cast(pa.timestamp("us", "UTC"))


def _copy(cursor: Any, table: str, columns: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    without_head = pyarrow.csv.WriteOptions(include_header=False)
    pyarrow.csv.write_csv(pa.table(columns), buffer, without_head)
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)") as copy:
        copy.write(buffer.getbuffer())
