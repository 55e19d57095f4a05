"""How quickly the pages of figures answer: 36 months of every figure for 20 groups of customers.

A run's rows are made up and written by the product's own services, on a PostgreSQL with a million
customers; then every page of figures and the API are asked, with the session's checks, queries and
templates. A page misses its budget with more than 12 queries or a 95th percentile over 100 ms.

    .venv/bin/python -m config.embedded.postgres .venv/bin/python benchmarks/dashboards.py

``--customers N`` sets how many customers there are; a database already filled is taken as it is.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from customer_pages import MOST_MS, MOST_QUERIES, grow, measure_pages, member_of
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts.models import Role
from common.time import Period, local_date, now
from metrics.figures import Figure
from metrics.kpis import KPIS
from metrics.kpis.base import Kpi
from metrics.maps import MAPS
from metrics.models import CohortCell, MapCell, RecomputeRun, SliceSet
from metrics.services.writing import SetKeeper, write_sliced, write_snapshots
from metrics.urls import urlpatterns
from metrics.windows import Window, windows_kept

MONTHS = 36
GROUPS = 20
SETS = 40  # different sets of people; each stands behind many figures


def main() -> int:
    """Fill, ask, compare; 1 when a page misses its budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=2_000_000)
    wanted = parser.parse_args()
    if connection.vendor != "postgresql":
        print("This needs PostgreSQL; see the first lines of the file.")
        return 2
    call_command("migrate", verbosity=0)
    if not RecomputeRun.objects.exists():
        grow(wanted.customers, wanted.orders)
        fill(wanted.customers)
    client = Client()
    client.force_login(member_of(Role.ADMIN))
    return report(measure_pages(client, pages(), rounds=60))


def fill(customers: int) -> None:
    """Write one run with everything in it."""
    started = time.perf_counter()
    moment = now()
    run = RecomputeRun.objects.create(
        status=RecomputeRun.Status.DONE,
        actor="system",
        as_of=moment,
        known_at=moment,
        requested_at=moment,
        finished_at=moment,
        first_day=local_date(moment) - timedelta(days=MONTHS * 30),
        last_day=local_date(moment),
    )
    chance = np.random.default_rng(1)
    everybody = np.arange(1, customers + 1)
    sets = [everybody[chance.random(customers) < share] for share in np.linspace(0.01, 0.6, SETS)]
    keys = SetKeeper().keep(sets)
    groups = [f"location=S{number}" for number in range(1, GROUPS + 1)]
    SliceSet.objects.bulk_create(
        SliceSet(run=run, dimension=name, label=name, size=len(sets[place]), members_id=keys[place])
        for place, name in enumerate(groups)
    )
    windows = windows_kept(
        first_day=run.first_day, last_day=run.last_day, as_of=moment, known_at=moment
    )
    rows = 0
    for kpi in KPIS.values():
        rows += write_snapshots(run, kpi, _of_everybody(kpi, windows, keys))
        rows += write_sliced(run, _of_groups(kpi, windows, groups))
    months = [window.name for window in windows if window.unit == "month"][-MONTHS:]
    CohortCell.objects.bulk_create(
        CohortCell(
            run=run,
            cohort=months[row],
            offset=offset,
            amount=Decimal(1000),
            profit=Decimal(300),
            members_id=keys[(row + offset) % SETS],
        )
        for row in range(len(months))
        for offset in range(len(months) - row)
    )
    MapCell.objects.bulk_create(
        MapCell(run=run, map=name, x=x, y=y, customers=9, amount=Decimal(5), members_id=keys[x + y])
        for name in MAPS
        for x in range(1, 6)
        for y in range(1, 6)
    )
    run.figures = rows
    run.save()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(f"{rows:,} figures written in {time.perf_counter() - started:.0f} s", flush=True)


def _of_everybody(kpi: Kpi, windows: list[Window], keys: list[int]) -> Iterator[Any]:
    left_out = "trailing" if kpi.per == "as_of" else "all"
    for place, window in enumerate(one for one in windows if one.unit != left_out):
        names = enumerate(kpi.sets)
        yield _figure(kpi, window, ""), window, [(n, keys[(place + i) % SETS]) for i, n in names]


def _of_groups(kpi: Kpi, windows: list[Window], groups: list[str]) -> Iterator[Any]:
    left_out = "trailing" if kpi.per == "as_of" else "all"
    for window in windows:
        if window.unit not in (left_out, "week"):
            for name in groups:
                yield _figure(kpi, window, name), window


def _figure(kpi: Kpi, window: Window, dimension: str) -> Figure:
    over, under = random.randint(400, 700), random.randint(800, 1000)  # noqa: S311
    value = Decimal(over * kpi.factor) / under
    return Figure(
        kpi=kpi,
        period=window.name,
        unit=window.unit,
        value=value.quantize(Decimal("0.000001")),
        numerator=Decimal(over) if kpi.numerator_is_money else over,
        denominator=Decimal(under) if kpi.denominator_is_money else under,
        low=(value * Decimal("0.9")).quantize(Decimal("0.000001")),
        high=(value * Decimal("1.1")).quantize(Decimal("0.000001")),
        is_complete=window.is_over,
        flags=[],
        dimension=dimension,
    )


def pages() -> dict[str, list[str]]:
    """Return page → the addresses it is asked by: every page of figures, and the API."""
    quarter = str(Period.containing(date.today(), "quarter").shifted(-1))  # noqa: DTZ011
    month = str(Period.containing(date.today(), "month").shifted(-1))  # noqa: DTZ011
    found = {}
    for pattern in urlpatterns:
        try:
            address = reverse(f"metrics:{pattern.name}")
        except NoReverseMatch:
            continue
        parts = address.split("/")
        if parts[1] == "metrics" and not {"recompute", "people", "tasks"} & set(parts):
            found[address] = [address]
            found[f"{address} of a shop"] = [f"{address}?segment=location=S7"]
    found |= {
        "one figure": [f"/metrics/{key}/" for key in KPIS],
        "one figure by month": [f"/metrics/{key}/?unit=month" for key in KPIS],
        "people of a figure": [
            f"/metrics/retention_rate/people/?period={quarter}&set=lost&after={after}"
            for after in (0, 300_000, 900_000)
        ],
        "people of a figure, of a shop": [
            f"/metrics/retention_rate/people/?period={quarter}&set=lost&segment=location=S7"
        ],
        "people of a cohort": [f"/metrics/cohorts/people/?cohort={month}&offset=0"],
        "cohorts, revenue": ["/metrics/cohorts/?show=revenue&all=on"],
        "home": ["/"],
        "API, the latest of all": ["/api/v1/kpis/"],
        "API, one figure": [f"/api/v1/kpis/?key={key}" for key in KPIS],
        "API, one figure by shop": [f"/api/v1/kpis/?key={key}&dimension=location" for key in KPIS],
        "API, one period of a shop": [f"/api/v1/kpis/?period={month}&segment=location=S7"],
        "API, cohorts": ["/api/v1/cohorts/"],
    }
    return found


def report(found: dict[str, tuple[float, float, int]]) -> int:
    """Print the table; 1 when a page misses its budget."""
    missed = 0
    print(f"{'page':42}{'queries':>8}{'median':>9}{'p95':>9}")
    for name, (median, p95, queries) in found.items():
        bad = queries > MOST_QUERIES or p95 > MOST_MS
        missed += bad
        print(f"{name:42}{queries:8}{median:7.0f}ms{p95:7.0f}ms{'   MISSED' if bad else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
