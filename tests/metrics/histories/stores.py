"""Made-up histories written straight into a fact store."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from django.conf import settings

from metrics.facts import store
from metrics.facts.columns import COLUMNS, MONTHLY_TABLES, TABLES, arrow_schema
from metrics.facts.store import Manifest, Store
from tests.metrics.histories.facts import LONG_AGO, History

RENAMED = {
    "order_states": {"ordered_at": "at"},
    "responses": {"answered_at": "at"},
    "complaints": {"opened_at": "at"},
}
LISTS = {"order_states": "orders", "line_states": "lines"}
KEYS = {  # filled with the place in the list, from 1, where it has none
    "order_states": "order_id",
    "refunds": "refund_id",
    "leads": "lead_id",
    "offers": "offer_id",
    "cancel_requests": "request_id",
    "runs": "run_id",
    "interactions": "interaction_id",
    "invitations": "invitation_id",
    "responses": "response_id",
    "complaints": "complaint_id",
    "points": "entry_id",
}


def rows_of(history: History) -> dict[str, Any]:
    """Return the history as the Arrow tables that a store has."""
    return {name: _table(name, getattr(history, LISTS.get(name, name))) for name in TABLES}


def store_of(history: History) -> Store:
    """Write a history as a fact store and return it."""
    previous = store.read_manifest()
    generation = previous.generation + 1 if previous else 1
    files = tuple(
        store.write_file(name, "2000-01" if name in MONTHLY_TABLES else "", generation, rows)
        for name, rows in rows_of(history).items()
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


def _table(name: str, facts: list[Any]) -> Any:
    schema = arrow_schema(name)
    known = {field.name for field in fields(facts[0])} if facts else set()
    columns = []
    for (column, kind), field in zip(COLUMNS[name], schema, strict=True):
        source = RENAMED.get(name, {}).get(column, column)
        values = [
            _plain(getattr(fact, source)) if source in known else _absent(kind) for fact in facts
        ]
        if KEYS.get(name) == column:
            values = [value or place for place, value in enumerate(values, start=1)]
        plain = pa.string() if pa.types.is_dictionary(field.type) else field.type
        columns.append(pa.array(values, plain).cast(field.type))
    return pa.table(columns, schema=schema)


def _absent(kind: str) -> Any:
    return {"flag": False, "count": 0, "code": ""}.get(kind)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
