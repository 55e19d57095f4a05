"""How fast points are awarded in batches, on the database of ``DATABASE_URL``.

Usage: ``python benchmarks/accrual.py [ORDERS] [CUSTOMERS]``. Give it a database of its own: the
rows stay there.
"""

import os
import sys
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

django.setup()

from django.core.management import call_command
from django.db import connection

from common.time import now
from crm.models import Customer, Order
from loyalty.selectors import verify_ledger
from loyalty.services import accrue_due, ensure_programme, release_due


def main(orders: int = 30_000, customers: int = 2_500) -> None:
    call_command("migrate", verbosity=0)
    start = now() - timedelta(days=60)
    Customer.objects.bulk_create(
        [Customer(name=f"Member {n}", recorded_at=start) for n in range(customers)],
        batch_size=1_000,
    )
    ids = list(Customer.objects.order_by("-pk").values_list("pk", flat=True)[:customers])
    rows = []
    for n in range(orders):
        ordered_at = start + timedelta(days=60) * n / orders
        rows.append(
            Order(
                customer_id=ids[n * 7919 % customers],
                entry=Order.Entry.LIVE,
                ordered_at=ordered_at,
                delivered_at=ordered_at,
                amount=Decimal(n % 20_000) / 100,
                currency="USD",
                recorded_at=now(),
                revised_at=now(),
            )
        )
    Order.objects.bulk_create(rows, batch_size=1_000)
    ensure_programme(starts_at=start, happened_at=now())

    report("accrual", orders, lambda: accrue_due(now(), budget_seconds=600))
    report("replay of everything", orders, lambda: accrue_due(now(), everything=True))
    report("idle sweep", 1, lambda: accrue_due(now()))
    later = now() + timedelta(days=30)
    report("release", None, lambda: release_due(later, budget_seconds=600))
    begun = time.perf_counter()
    found = verify_ledger()
    print(f"verify_ledger: {time.perf_counter() - begun:.2f} s, {len(found.drifts)} drifts")


def report(name: str, count: int | None, run) -> None:
    begun, begun_cpu = time.perf_counter(), time.process_time()
    done = run()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    rows = done if count is None else count
    print(
        f"{name}: {done} rows written, {seconds:.3f} s, {rows / seconds:,.0f}/s, "
        f"own processor time {cpu:.3f} s ({connection.vendor})"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
