"""Bringing the fact store up to date: only the months that changed are written again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings

from common.time import Period, local_date
from metrics.facts import store
from metrics.facts.source import Source, database_name, open_source
from metrics.facts.store import FactFile, Manifest, Store
from metrics.facts.tables import ORDER_STATES, SMALL_TABLES, UNDONE, to_schema

log = structlog.get_logger(__name__)
OVERLAP = timedelta(hours=1)  # a transaction may commit long after the instant it recorded
REBUILD_BELOW = 50_000  # orders; so few are read whole in no time


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync did. months: how many were written; full: whether everything was read anew."""

    store: Store
    months: int
    full: bool


def sync_facts(*, now: datetime, full: bool = False) -> Synced:
    """Make the store agree with the database and return it.

    now: aware UTC, kept as the time of reading; the next sync reads what was recorded from an
        hour before it on.  full: read everything anew.

    Checked against the database afterwards: number of orders and sum of their amounts. If they
    differ (rows were deleted, or changed behind the product's back), everything is read anew. So
    it is once an import was undone: orders that it corrected are again as they were long ago.
    """
    with store.writing():
        before = None if full else _usable_manifest()
        with open_source() as source:
            marks = {name: source.row(sql) for name, sql in source.dialect.marks().items()}
            after = None
            is_undone = before is not None and before.marks.get(UNDONE) != marks[UNDONE]
            if before and not is_undone and marks[ORDER_STATES][0] >= REBUILD_BELOW:
                if before.marks == marks:
                    return Synced(Store(before), months=0, full=False)
                after = _update(source, marks, now, before)
            is_full = after is None
            after = after or _write(source, marks, now, None)
        store.write_manifest(after)
        store.drop_unused(after)
        folder = f"/{after.generation:08}/"
        months = sum(f.table == ORDER_STATES and folder in f.path for f in after.files)
        log.info("facts_synced", orders=marks[ORDER_STATES][0], months=months, full=is_full)
        return Synced(Store(after), months=months, full=is_full)


def _usable_manifest() -> Manifest | None:
    manifest = store.read_manifest()
    if manifest is None or manifest.database != database_name():
        return None
    return manifest if manifest.timezone == settings.KEEPWELL_TIMEZONE else None


def _update(
    source: Source, marks: dict[str, list[Any]], now: datetime, before: Manifest
) -> Manifest | None:
    """Write what changed; None when the old files can't be read or the result disagrees."""
    import pyarrow as pa

    try:
        after = _write(source, marks, now, before)
    except (OSError, pa.ArrowException) as error:
        log.warning("facts_unreadable", error=type(error).__name__)
        return None
    if after.checksum != marks[ORDER_STATES][:2]:
        log.warning("facts_differ", files=after.checksum, database=marks[ORDER_STATES])
        return None
    return after


def _write(
    source: Source, marks: dict[str, list[Any]], now: datetime, before: Manifest | None
) -> Manifest:
    """Write what changed since ``before``, or everything, and return the manifest of it all."""
    previous = store.read_manifest()
    generation = max(previous.generation if previous else 0, _last_folder()) + 1
    files: dict[tuple[str, str], FactFile] = {
        (file.table, file.part): file for file in (before.files if before else ())
    }
    if before is None or before.marks[ORDER_STATES] != marks[ORDER_STATES]:
        since = Store(before).synced_at - OVERLAP if before else None
        states = to_schema(source.arrow(source.dialect.order_states(since)), ORDER_STATES)
        for month, rows in _by_month(states):
            old = files.get((ORDER_STATES, month))
            files[ORDER_STATES, month] = _write_month(month, rows, old, states, generation)
    for table in SMALL_TABLES:
        if before is None or before.marks[table] != marks[table]:
            rows = to_schema(source.arrow(source.dialect.small(table)), table)
            files[table, ""] = store.write_file(table, "", generation, rows)
    kept = {file.path for file in files.values()}
    return Manifest(
        generation=generation,
        database=database_name(),
        timezone=settings.KEEPWELL_TIMEZONE,
        synced_at=now.isoformat(),
        marks=marks,
        files=tuple(files.values()),
        unused=tuple(f.path for f in previous.files if f.path not in kept) if previous else (),
    )


def _write_month(
    month: str, rows: Any, old: FactFile | None, changed: Any, generation: int
) -> FactFile:
    """Write a month: its old rows but those of changed orders, and the changed ones' rows in it."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if old:
        kept = pq.ParquetFile(store.root() / old.path).read()
        is_changed = pc.is_in(kept.column("order_id"), changed.column("order_id").unique())
        rows = pa.concat_tables([kept.filter(pc.invert(is_changed)), rows]).unify_dictionaries()
    rows = rows.sort_by(
        [(name, "ascending") for name in ("customer_id", "ordered_at", "order_id", "valid_from")]
    )
    present = rows.filter(pc.is_null(rows.column("valid_until")))
    amount = pc.sum(present.column("amount")).as_py() or 0
    return store.write_file(
        ORDER_STATES, month, generation, rows, present=present.num_rows, amount=amount
    )


def _by_month(states: Any) -> Iterator[tuple[str, Any]]:
    """Split rows by the local month in which the order was made."""
    import numpy as np

    if not states.num_rows:
        return
    micros = states.column("ordered_at").to_numpy().astype("int64")
    first, last = (
        local_date(datetime.fromtimestamp(int(edge) / 1_000_000, UTC))
        for edge in (micros.min(), micros.max())
    )
    months = list(_months(first, last))
    starts = np.array([int(m.start.timestamp()) * 1_000_000 for m in months], dtype="int64")
    index = np.searchsorted(starts, micros, side="right") - 1
    order = np.argsort(index, kind="stable")
    edges = np.searchsorted(index[order], np.arange(len(months) + 1))
    for at, month in enumerate(months):
        if edges[at] < edges[at + 1]:
            yield str(month), states.take(order[edges[at] : edges[at + 1]])


def _months(first: date, last: date) -> Iterator[Period]:
    month = Period.containing(first, "month")
    while month.first_day <= last:
        yield month
        month = month.shifted(1)


def _last_folder() -> int:
    folder = store.root() / "generations"
    return max((int(path.name) for path in folder.glob("[0-9]*")), default=0)
