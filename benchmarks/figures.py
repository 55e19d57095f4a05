"""How fast facts are read and figures recomputed, on the database of ``DATABASE_URL``.

Usage: ``python benchmarks/figures.py [ORDERS] [CUSTOMERS]``. Give it a database and a data folder
of its own: the rows stay there.
"""

import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

django.setup()
logging.disable(logging.INFO)

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from common.refs import new_ref
from common.time import now
from crm.models import Customer, Order
from metrics.compute import computing
from metrics.facts.sync import sync_facts
from metrics.kpis import KPIS
from metrics.services import recompute
from metrics.windows import windows_kept

DAYS = 3 * 365
CHUNK = 20_000


def load(orders: int, customers: int) -> None:
    """Fill the tables: who buys often is left to a power law, as in real shops."""
    import numpy as np

    random = np.random.default_rng(1)
    start = now() - timedelta(days=DAYS)
    recorded = now() - timedelta(days=1)
    Customer.objects.bulk_create(
        [Customer(name=f"Person {n}", recorded_at=recorded) for n in range(customers)],
        batch_size=1_000,
    )
    ids = np.array(Customer.objects.order_by("-pk").values_list("pk", flat=True)[:customers])
    who = ids[np.minimum((random.pareto(1.2, orders) * customers / 20).astype(int), customers - 1)]
    when = np.sort(random.integers(0, DAYS * 86_400, orders))
    adapt = connection.ops.adapt_datetimefield_value
    known = adapt(timezone.localtime(recorded))
    sql = (
        "INSERT INTO crm_order (ref, customer_id, channel, status, ordered_at, delivered_at, "
        "amount, currency, entry, recorded_at, revised_at) "
        "VALUES (%s, %s, '', 'delivered', %s, %s, %s, 'USD', 'history', %s, %s)"
    )
    for at in range(0, orders, CHUNK):
        rows = []
        for place in range(at, min(at + CHUNK, orders)):
            moment = adapt(start + timedelta(seconds=int(when[place])))
            amount = int(random.integers(1, 2_000_000))
            rows.append((new_ref(), int(who[place]), moment, moment, amount, known, known))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(sql, rows)


def report(name: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = work()
    print(f"{name:<46} {time.perf_counter() - began:8.2f} s")
    return result


def definitions_only() -> None:
    moment = now()
    store = sync_facts(now=moment).store
    cut = {"as_of": moment, "known_at": moment}
    with computing(store, engine="ibis-duckdb", **cut) as computation:
        first, last = computation.fact_days
        windows = windows_kept(first_day=first, last_day=last, **cut)
        for kpi in KPIS.values():
            computation.figures(kpi, windows)


def main(orders: int = 155_848, customers: int = 2_469) -> None:
    call_command("migrate", verbosity=0)
    print(f"{connection.vendor}, {orders:,} orders, {customers:,} customers, {DAYS} days")
    report("(load)", lambda: load(orders, customers))
    report("libraries, then facts read whole", lambda: sync_facts(now=now(), full=True))
    report("facts read whole", lambda: sync_facts(now=now(), full=True))
    report("recompute, libraries loaded on the way", lambda: recompute(now=now()))
    moment = now()
    Order.objects.bulk_create(
        [
            Order(
                customer_id=Customer.objects.order_by("-pk").values_list("pk", flat=True)[0],
                entry="live",
                ordered_at=moment,
                delivered_at=moment,
                amount=n,
                currency="USD",
                recorded_at=moment,
                revised_at=moment,
            )
            for n in range(1_000)
        ]
    )
    synced = report("1,000 new orders brought in", lambda: sync_facts(now=now()))
    print(f"{'':<4}months written again: {synced.months}, whole: {synced.full}")
    report("recompute, nothing new to load", lambda: recompute(now=now()))
    report("the same figures by their definitions", definitions_only)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory':<46} {peak:8.0f} MB")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
