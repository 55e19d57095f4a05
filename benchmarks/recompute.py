"""How long a worker's whole recompute takes: facts read out, every figure, groups, sets and rows.

A made-up trade of three years (``_figures_data.py``) is copied into a PostgreSQL of its own, its
customers with one of eight sources and one of twelve countries. Then ``recompute`` does what the
worker does: once from nothing, and again after 1,000 new purchases. Each in a process of its own.

    .venv/bin/python benchmarks/recompute.py --orders 1000000

Without options a million orders of 100,000 customers; ``--orders 10000000`` takes half an hour.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("KEEPWELL_TIMEZONE", "Europe/Berlin")
os.environ["KEEPWELL_CURRENCY"] = "USD"

A_MILLION = 1_000_000
MOST_SECONDS = {A_MILLION: 60.0, 10 * A_MILLION: 600.0}  # by orders
MOST_MB = 3_000
NEW_ORDERS = 1_000
SOURCES, COUNTRIES = 8, 12
SLOWEST = 8
MB = 1024  # ru_maxrss is in KB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=A_MILLION)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](options.orders)))
        return 0
    from config.embedded.postgres import throw_away_server

    with (
        tempfile.TemporaryDirectory(prefix="keepwell-recompute-") as folder,
        throw_away_server() as url,
    ):
        os.environ["KEEPWELL_DATA_DIR"], os.environ["DATABASE_URL"] = folder, url
        return measure(options.orders)


def measure(orders: int) -> int:
    print(f"{orders:,} orders, {orders // 10:,} customers, {os.cpu_count()} cores")
    run("fill", orders)
    missed = False
    for words, part in (("everything from nothing", "whole"), ("after new purchases", "again")):
        found = run(part, orders)
        budget = MOST_SECONDS[A_MILLION if orders <= A_MILLION else 10 * A_MILLION]
        is_held = found["seconds"] <= budget and found["mb"] <= MOST_MB
        missed = missed or not is_held
        print(
            f"{words:<24} {found['seconds']:7.1f} s (≤ {budget:g}), {found['mb']:6.0f} MB "
            f"(≤ {MOST_MB}), {found['figures']:,} figures{'' if is_held else '  MISSED'}"
        )
        parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in found["parts"])
        print(f"{'':<24} of which {parts}; load {found['load']:.1f}")
    print("missed" if missed else "all budgets held")
    return int(missed)


def run(part: str, orders: int) -> Any:
    """Carry a part out in a process of its own."""
    command = [sys.executable, __file__, "--part", part, "--orders", str(orders)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# --- Parts, each in its own process ---------------------------------------------------------------
def set_up() -> None:
    import django

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    django.setup()
    logging.disable(logging.INFO)


def fill(orders: int) -> None:
    set_up()
    from _figures_data import trade
    from _figures_database import fill as copy
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    copy(trade(orders, orders // 10))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE crm_customer SET source = 'S' || id %% %s, country = 'C' || id %% %s",
            [SOURCES, COUNTRIES],
        )
        cursor.execute("ANALYZE")


def whole(orders: int) -> dict[str, Any]:
    return recomputed(timedelta(0), full=True)


def again(orders: int) -> dict[str, Any]:
    set_up()
    from _figures_data import AS_OF
    from django.db import connection

    with connection.cursor() as cursor:
        # The last purchases are made once more, a little later, under new names.
        cursor.execute(
            "INSERT INTO crm_order (id, ref, customer_id, channel, status, ordered_at, amount, "
            "cost, currency, entry, recorded_at, revised_at) "
            "SELECT id + %s, 'new' || id, customer_id, channel, "
            "status, %s, amount, cost, currency, entry, %s, %s FROM crm_order "
            "WHERE customer_id IS NOT NULL ORDER BY id DESC LIMIT %s",
            [orders, *[AS_OF + timedelta(minutes=1)] * 3, NEW_ORDERS],
        )
    return recomputed(timedelta(hours=1), full=False)


def recomputed(later: timedelta, *, full: bool) -> dict[str, Any]:
    """Do what the worker does, and tell what took longest: its phases, and figures."""
    set_up()
    from _figures_data import AS_OF

    from metrics.compute import Computation
    from metrics.services import runs, snapshots

    spent: dict[str, float] = {}

    def timed(name: str, work: Any) -> Any:
        def done(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*args, **options)
            finally:
                key = f"{name} {args[1].key}" if name == "figure" else name
                spent[key] = spent.get(key, 0) + time.perf_counter() - began

        return done

    # A module's own names, so nothing of the product changes.
    Computation.measures = timed("figure", Computation.measures)  # type: ignore[method-assign]
    for name in ("sync_facts", "write_snapshots", "write_sliced", "_write_cohorts", "_write_maps"):
        setattr(snapshots, name, timed(name.strip("_"), getattr(snapshots, name)))
    began = time.perf_counter()
    done = runs.recompute(now=AS_OF + later, full=full)
    seconds = time.perf_counter() - began
    longest = sorted(spent.items(), key=lambda item: -item[1])
    return {
        "seconds": seconds,
        "figures": done.figures,
        "parts": longest[:SLOWEST],
        "load": os.getloadavg()[0],
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB,
    }


PARTS = {"fill": fill, "whole": whole, "again": again}

if __name__ == "__main__":
    sys.exit(main())
