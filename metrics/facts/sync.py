"""Bringing the fact store up to date: only the months that changed are written again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings

from metrics.facts import store
from metrics.facts.marks import UNDONE, marks
from metrics.facts.months import write_months
from metrics.facts.source import Source, database_name, open_source
from metrics.facts.store import FactFile, Manifest, Store
from metrics.facts.tables import (
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
        files |= write_months(source, since, files, generation)
    for table in SMALL_TABLES:
        if table in changed:
            answer = source.tables(select_table(table, source.dialect))
            chunks = (to_schema(rows, table) for rows in answer)
            files[table, ""] = store.write_file(table, "", generation, chunks)
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


def _last_folder() -> int:
    folder = store.root() / "generations"
    return max((int(path.name) for path in folder.glob("[0-9]*")), default=0)
