"""How fast orders come in, against a bare ``sqlite3`` ``executemany`` of the same rows.

Both fill the same tables with the same indexes, on SQLite, in one run: first the import (reading,
checking, looking up, sorting, comparing, short transactions), then the bare inserts into an empty
copy. Fails below ``LEAST``. ``--lines N`` measures the first N lines only.

    KEEPWELL_DATA_DIR=$(mktemp -d) .venv/bin/python benchmarks/import_rate.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.pop("DATABASE_URL", None)

LEAST = 0.2
TABLES = ("crm_order", "crm_orderline")
PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=0)
    wanted = parser.parse_args().lines

    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    database = Path(settings.DATABASES["default"]["NAME"])
    _import("locations", "products", "customers")
    connection.close()
    empty = database.with_name("bare.sqlite3")
    shutil.copy(database, empty)

    imported = _import("orders", lines=wanted)
    connection.close()
    if not wanted:
        _compare_with_the_books(database)
    lines, bare = _bare(database, empty)
    ratio = bare / imported
    print(f"{lines:,} lines: import {imported:.1f} s = {lines / imported:,.0f}/s")
    print(f"bare executemany {bare:.1f} s = {lines / bare:,.0f}/s")
    print(f"ratio {ratio:.2f} (at least {LEAST})")
    return 0 if ratio >= LEAST else 1


def _import(*kinds: str, lines: int = 0) -> float:
    """Import parts of the demo data as they are; return the seconds it took."""
    from common.time import now
    from config.demo import completejourney
    from config.demo.dataset import DemoPlan
    from crm.imports.batches import ImportPlan
    from crm.imports.engine import import_source

    plan = DemoPlan(
        "completejourney",
        seed=1,
        days=0,
        keep_dates=True,
        last_day="2017-12-31",
        live_from=now(),
    )
    dataset = completejourney.open_dataset(plan)
    started = time.perf_counter()
    for kind in kinds:
        source = dataset.orders(None, None) if kind == "orders" else getattr(dataset, kind)
        import_source(
            source=_first(source, lines) if lines else source,
            plan=ImportPlan(kind, "history", "system", "benchmark", plan.digest(kind), now()),
            is_invented=True,
        )
    return time.perf_counter() - started


def _compare_with_the_books(database: Path) -> None:
    """All purchases are there, to the cent, in the year in which they were made."""
    connection = sqlite3.connect(database)
    found = connection.execute(
        "SELECT COUNT(*), COUNT(DISTINCT customer_id), SUM(amount), MIN(ordered_at),"
        " MAX(ordered_at) FROM crm_order"
    ).fetchone()
    # 2017 in America/New_York, as UTC.
    year = ("2017-01-01 11:53:26", "2018-01-01 04:01:20")
    assert found == (155_848, 2_469, 45_960_395_800, *year), found
    (total,) = connection.execute("SELECT SUM(amount) FROM crm_orderline").fetchone()
    assert total == found[2], total
    connection.close()


def _first(source: Any, lines: int) -> Any:
    from crm.imports.sources import Source

    def chunks(refuse: Any) -> Any:
        count = 0
        for chunk in source.chunks(refuse):
            if count >= lines:
                return
            count += len(chunk.lines)
            yield chunk

    return Source(source.header, chunks)


def _bare(database: Path, empty: Path) -> tuple[int, float]:
    """Insert what was imported into the empty copy; return the number of lines and seconds."""
    full = sqlite3.connect(database)
    rows = {table: full.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}  # noqa: S608
    full.close()
    connection = sqlite3.connect(empty)
    connection.executescript(PRAGMAS)
    started = time.perf_counter()
    for table in TABLES:
        places = ", ".join("?" * len(rows[table][0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows[table])  # noqa: S608
    connection.commit()
    seconds = time.perf_counter() - started
    connection.close()
    return len(rows["crm_orderline"]), seconds


if __name__ == "__main__":
    sys.exit(main())
