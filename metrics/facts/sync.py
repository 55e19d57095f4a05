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
from metrics.facts.marks import UNDONE, marks
from metrics.facts.source import Source, database_name, open_source
from metrics.facts.store import FactFile, Manifest, Store
from metrics.facts.tables import (
    LINE_STATES,
    MONTHLY_TABLES,
    ORDER_STATES,
    SMALL_TABLES,
    TABLES,
    select_table,
    to_schema,
)

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

    Checked against the database afterwards: the number of rows of every table, and the sum of their
    money. If they differ (rows were deleted, or changed behind the product's back), everything is
    read anew. So it is once an import was undone: orders that it corrected are again as they were
    long ago.
    """
    with store.writing():
        before = None if full else _usable_manifest()
        with open_source() as source:
            found = {name: source.row(sql) for name, sql in marks().items()}
            after = None
            is_undone = before is not None and before.marks.get(UNDONE) != found[UNDONE]
            if before and not is_undone and found[ORDER_STATES][0] >= REBUILD_BELOW:
                if before.marks == found:
                    return Synced(Store(before), months=0, full=False)
                after = _update(source, found, now, before)
            is_full = after is None
            after = after or _write(source, found, now, None)
        store.write_manifest(after)
        store.drop_unused(after)
        folder = f"/{after.generation:08}/"
        months = sum(f.table == ORDER_STATES and folder in f.path for f in after.files)
        log.info("facts_synced", orders=found[ORDER_STATES][0], months=months, full=is_full)
        return Synced(Store(after), months=months, full=is_full)


def _usable_manifest() -> Manifest | None:
    manifest = store.read_manifest()
    if manifest is None or manifest.database != database_name():
        return None
    return manifest if manifest.timezone == settings.KEEPWELL_TIMEZONE else None


def _update(
    source: Source, found: dict[str, list[Any]], now: datetime, before: Manifest
) -> Manifest | None:
    """Write what changed; None when the old files can't be read or the result disagrees."""
    import pyarrow as pa

    try:
        after = _write(source, found, now, before)
    except (OSError, pa.ArrowException) as error:
        log.warning("facts_unreadable", error=type(error).__name__)
        return None
    for table in TABLES:
        if after.checksum_of(table) != found[table][:2]:
            files, database = after.checksum_of(table), found[table]
            log.warning("facts_differ", table=table, files=files, database=database)
            return None
    return after


def _write(
    source: Source, found: dict[str, list[Any]], now: datetime, before: Manifest | None
) -> Manifest:
    """Write what changed since ``before``, or everything, and return the manifest of it all."""
    previous = store.read_manifest()
    generation = max(previous.generation if previous else 0, _last_folder()) + 1
    files: dict[tuple[str, str], FactFile] = {
        (file.table, file.part): file for file in (before.files if before else ())
    }
    changed = [t for t in TABLES if before is None or before.marks.get(t) != found[t]]
    if set(changed) & set(MONTHLY_TABLES):
        since = Store(before).synced_at - OVERLAP if before else None
        files |= _write_months(source, since, files, generation)
    for table in SMALL_TABLES:
        if table in changed:
            rows = to_schema(source.arrow(select_table(table, source.dialect)), table)
            counts = {"present": rows.num_rows, "amount": _sum(table, rows)}
            files[table, ""] = store.write_file(table, "", generation, rows, **counts)
    kept = {file.path for file in files.values()}
    return Manifest(
        generation=generation,
        database=database_name(),
        timezone=settings.KEEPWELL_TIMEZONE,
        synced_at=now.isoformat(),
        marks=found,
        files=tuple(files.values()),
        unused=tuple(f.path for f in previous.files if f.path not in kept) if previous else (),
    )


def _write_months(
    source: Source,
    since: datetime | None,
    files: dict[tuple[str, str], FactFile],
    generation: int,
) -> dict[tuple[str, str], FactFile]:
    """Write the months of orders revised since then, and of their lines; return their files.

    A line stands in the month of its order's present state; where the order was before, its lines
    are taken out.
    """
    import pyarrow.compute as pc

    states, lines = (
        to_schema(source.arrow(select_table(table, source.dialect, since)), table)
        for table in MONTHLY_TABLES
    )
    written = {}
    of_month = dict(_by_month(states, states.column("ordered_at")))
    for month, rows in of_month.items():
        old = files.get((ORDER_STATES, month))
        written[ORDER_STATES, month] = _write_month(
            ORDER_STATES, month, rows, old, states, generation
        )
    present = states.filter(pc.is_null(states.column("valid_until")))
    lines_of_month = dict(_by_month(lines, _times_of(lines.column("order_id"), present)))
    for month in of_month:
        old = files.get((LINE_STATES, month))
        if old or month in lines_of_month:
            rows = lines_of_month.get(month, lines.slice(0, 0))
            written[LINE_STATES, month] = _write_month(
                LINE_STATES, month, rows, old, states, generation
            )
    return written


def _times_of(order_ids: Any, present: Any) -> Any:
    """Return when each order was made."""
    import numpy as np
    import pyarrow as pa

    keys = present.column("order_id").to_numpy()
    order = np.argsort(keys)
    places = order[np.searchsorted(keys, order_ids.to_numpy(), sorter=order)]
    return pa.chunked_array([present.column("ordered_at").to_numpy()[places]])


_SORTED_BY = {
    ORDER_STATES: ("customer_id", "ordered_at", "order_id", "valid_from"),
    LINE_STATES: ("order_id", "product_id", "occurrence", "valid_from"),
}


def _write_month(
    table: str, month: str, rows: Any, old: FactFile | None, changed: Any, generation: int
) -> FactFile:
    """Write a month: its old rows but those of changed orders, and the changed ones' rows in it."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if old:
        kept = pq.ParquetFile(store.root() / old.path).read()
        is_changed = pc.is_in(kept.column("order_id"), changed.column("order_id").unique())
        rows = pa.concat_tables([kept.filter(pc.invert(is_changed)), rows]).unify_dictionaries()
    rows = rows.sort_by([(name, "ascending") for name in _SORTED_BY[table]])
    present = rows.filter(pc.is_null(rows.column("valid_until")))
    counts = {"present": present.num_rows, "amount": _sum(table, present)}
    return store.write_file(table, month, generation, rows, **counts)


def _sum(table: str, rows: Any) -> int:
    """Return the sum of a table's money, or of the points members have; 0 where it has none."""
    import pyarrow.compute as pc

    if table == "points":
        rows = rows.filter(pc.is_valid(rows.column("lot_id")))
    name = {"customers": "acquisition_cost"}.get(table, "amount")
    return (pc.sum(rows.column(name)).as_py() or 0) if name in rows.column_names else 0


def _by_month(rows: Any, times: Any) -> Iterator[tuple[str, Any]]:
    """Split rows by the local month in which the order was made."""
    import numpy as np

    if not rows.num_rows:
        return
    micros = times.to_numpy().astype("datetime64[us]").astype("int64")
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
            yield str(month), rows.take(order[edges[at] : edges[at + 1]])


def _months(first: date, last: date) -> Iterator[Period]:
    month = Period.containing(first, "month")
    while month.first_day <= last:
        yield month
        month = month.shifted(1)


def _last_folder() -> int:
    folder = store.root() / "generations"
    return max((int(path.name) for path in folder.glob("[0-9]*")), default=0)
