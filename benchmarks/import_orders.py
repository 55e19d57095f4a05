"""How fast a million rows of orders come in on PostgreSQL, against ``bulk_create`` and ``COPY``.

A file of purchases (about three lines each; customers and products are known) is imported as a
process of its own does it: read, validated, matched, compared, customers' totals kept, in short
transactions. Then the same orders and lines go into the same, emptied tables with all their
indexes and constraints: by a bare ``COPY`` of prepared blocks (text or binary, whichever is
faster), and by Django's ``bulk_create`` of objects made from values already read (in the best of
some batch sizes). Fails below ``LEAST_OF_BULK_CREATE`` or ``LEAST_OF_COPY``, or when the importing
process's memory grew by ``MOST_MEGABYTES`` over idle.

    .venv/bin/python benchmarks/import_orders.py
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

LEAST_OF_BULK_CREATE, LEAST_OF_COPY, MOST_MEGABYTES = 2.0, 0.2, 150
CUSTOMERS, PRODUCTS = 100_000, 5_000
BATCH_SIZES = (500, 1_000, 2_000, 5_000)
TABLES = ("crm_order", "crm_orderline")
EMPTY = "TRUNCATE crm_order, crm_orderline RESTART IDENTITY CASCADE"
PEOPLE = """
INSERT INTO crm_customer (id, ref, external_id, kind, name, language, country, city, industry,
    source, stage, is_invented, recorded_at)
SELECT i, 'c' || lpad(to_hex(i), 11, '0'), 'C-' || i, 'person', '', '', '', '', '', '', 'lead',
    true, now()
FROM generate_series(1, %s) AS i ON CONFLICT DO NOTHING;
INSERT INTO crm_customerfigures (customer_id, orders, revenue) SELECT id, 0, 0 FROM crm_customer
ON CONFLICT DO NOTHING
"""
GOODS = """
INSERT INTO crm_product (id, ref, sku, name, category, kind, price, currency, recorded_at)
SELECT i, 'p' || lpad(to_hex(i), 11, '0'), 'SKU-' || i, 'Product ' || i, '', 'other', 99900, 'USD',
    now()
FROM generate_series(1, %s) AS i ON CONFLICT DO NOTHING
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--import-only", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--profile", type=Path, help="write a profile of the import here")
    options = parser.parse_args()
    if options.import_only:
        return _import(options.import_only, options.profile)
    from config.embedded.postgres import throw_away_server

    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        return _compare(options.rows, options.profile)
    with throw_away_server() as url:
        os.environ["DATABASE_URL"] = url
        return _compare(options.rows, options.profile)


def _compare(rows: int, profile: Path | None) -> int:
    with tempfile.TemporaryDirectory(prefix="keepwell-benchmark-") as folder:
        os.environ["KEEPWELL_DATA_DIR"] = folder
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(PEOPLE, [CUSTOMERS])
            cursor.execute(GOODS, [PRODUCTS])
            cursor.execute("VACUUM ANALYZE")
        path = Path(folder) / "orders.csv"
        orders = _write_file(path, rows)
        size = path.stat().st_size
        print(f"{rows:,} rows, {orders:,} orders, {size / 1e6:,.0f} MB", flush=True)

        _emptied()
        command = [sys.executable, __file__, "--import-only", str(path)]
        command += ["--profile", str(profile)] if profile else []
        answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ)
        imported = json.loads(answer.stdout)
        assert _counts() == (orders, rows), _counts()
        _say("import", rows, imported["seconds"])
        print(f"    check {imported['check']:.1f} s, memory +{imported['megabytes']:.0f} MB")

        _keep_autovacuum_out()
        copied = min(_copy(form, Path(folder)) for form in ("text", "binary"))
        assert _counts() == (orders, rows), _counts()
        _say("bare COPY", rows, copied)
        batch_size, created = _bulk_create()
        assert _counts() == (orders, rows), _counts()
        _say(f"bulk_create, {batch_size:,} at once", rows, created)

    of_created, of_copied = created / imported["seconds"], copied / imported["seconds"]
    print(f"{of_created:.2f} x bulk_create (at least {LEAST_OF_BULK_CREATE})")
    print(f"{of_copied:.2f} x COPY (at least {LEAST_OF_COPY})")
    print(f"memory +{imported['megabytes']:.0f} MB (less than {MOST_MEGABYTES})")
    is_met = (
        of_created >= LEAST_OF_BULK_CREATE
        and of_copied >= LEAST_OF_COPY
        and imported["megabytes"] < MOST_MEGABYTES
    )
    return 0 if is_met else 1


def _say(what: str, rows: int, seconds: float) -> None:
    print(f"{what}: {seconds:.1f} s = {rows / seconds:,.0f} rows/s", flush=True)


def _write_file(path: Path, rows: int) -> int:
    """Write purchases of two years in the order in which they were made; return how many."""
    chance = random.Random(1)  # noqa: S311 - the same file every time
    prices = [f"{chance.randint(99, 19999) / 100:.2f}" for _product in range(PRODUCTS)]
    channels = ["web", "web", "web", "store", "phone"]
    begin, step = 1_672_531_200, 63_000_000 / rows
    number = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = "order_id,customer_id,ordered_at,channel,sku,quantity,unit_price,discount"
        writer.writerow(names.split(","))
        left = rows
        while left:
            number += 1
            lines = min(left, chance.choice((1, 1, 2, 2, 3, 3, 4, 8)))
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin + (rows - left) * step))
            head = (
                f"2023-{number:07}",
                f"C-{int(CUSTOMERS * chance.random() ** 2) + 1}",
                at,
                chance.choice(channels),
            )
            for _line in range(lines):
                product = int(PRODUCTS * chance.random() ** 2)
                discount = "0" if chance.random() < 0.8 else f"{chance.randint(1, 99) / 100:.2f}"
                quantity = chance.choice((1, 1, 1, 2, 3))
                writer.writerow((*head, f"SKU-{product + 1}", quantity, prices[product], discount))
            left -= lines
    return number


def _import(path: Path, profile: Path | None) -> int:
    """Import the file in this process; print seconds and by how much its memory grew."""
    import django

    django.setup()
    from django.db import connection

    from common.time import now
    from crm.imports.engine import Run
    from crm.imports.files import import_file

    connection.ensure_connection()
    idle = _megabytes("VmRSS")
    check, checked = Run.check, []

    def timed(*arguments: Any) -> None:
        began = time.perf_counter()
        check(*arguments)
        checked.append(time.perf_counter() - began)

    Run.check = timed  # type: ignore[method-assign]

    def work() -> None:
        import_file(kind="orders", path=path, mode="history", actor="system", happened_at=now())

    started = time.perf_counter()
    if profile:
        import cProfile

        profiler = cProfile.Profile()
        profiler.runcall(work)
        profiler.dump_stats(profile)
    else:
        work()
    seconds = time.perf_counter() - started
    grown = _megabytes("VmHWM") - idle
    print(json.dumps({"seconds": seconds, "check": sum(checked), "megabytes": grown}))
    return 0


def _megabytes(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise RuntimeError(name)


def _counts() -> tuple[int, ...]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT COUNT(*) FROM crm_order), (SELECT COUNT(*) FROM crm_orderline)"
        )
        return tuple(cursor.fetchone())


def _emptied() -> None:
    from django.db import connection

    from common.append_only import triggers_lifted

    with triggers_lifted(), connection.cursor() as cursor:
        cursor.execute(EMPTY)
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def _keep_autovacuum_out() -> None:
    """Don't let statistics be gathered while rows wait for their commit.

    Tables that seem empty then make each check of a foreign key read a whole index: minutes for a
    million rows. The import, in its short transactions, runs with autovacuum as everybody has it.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")


def _copy(form: str, folder: Path) -> float:
    """Copy both tables out, empty them, copy them in again; return the seconds of the latter."""
    from django.db import connection, transaction

    connection.ensure_connection()
    for table in TABLES:
        with connection.cursor() as cursor, (folder / f"{table}.{form}").open("wb") as file:
            rows = f"SELECT * FROM {table} ORDER BY id"  # noqa: S608 - names of ours
            command = f"COPY ({rows}) TO STDOUT (FORMAT {form})"
            with cursor.cursor.copy(command) as copy:
                for block in copy:
                    file.write(block)
    _emptied()
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        for table in TABLES:
            command = f"COPY {table} FROM STDIN (FORMAT {form})"
            with (
                (folder / f"{table}.{form}").open("rb") as file,
                cursor.cursor.copy(command) as copy,
            ):
                while block := file.read(1 << 18):
                    copy.write(block)
    return time.perf_counter() - started


def _bulk_create() -> tuple[int, float]:
    """Make what the tables hold anew through the ORM; return the best batch size and seconds."""
    from crm.models import Order, OrderLine

    values: list[tuple[Any, list[dict[str, Any]]]] = [
        (model, list(model.objects.order_by("pk").values())) for model in (Order, OrderLine)
    ]
    few = [
        (model, [row for row in rows if row.get("order_id", row["id"]) <= 20_000])
        for model, rows in values
    ]
    pace = {size: _timed(lambda size=size: _create(few, size)) for size in BATCH_SIZES}
    best = min(pace, key=lambda size: pace[size])
    return best, _timed(lambda: _create(values, best))


def _timed(work: Callable[[], None]) -> float:
    _emptied()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _create(values: list[tuple[Any, list[dict[str, Any]]]], batch_size: int) -> None:
    """A transaction each: a single one of a million rows takes PostgreSQL far longer."""
    for model, rows in values:
        for portion in _portions(rows, 20 * batch_size):
            model.objects.bulk_create([model(**row) for row in portion], batch_size=batch_size)


def _portions(rows: list[Any], size: int) -> Iterator[list[Any]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


if __name__ == "__main__":
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, line_buffering=True)
    sys.exit(main())
