"""How fast purchases earn points on PostgreSQL, against the same as bare SQL.

In batches: the sweep awards a million purchases; against one set-based ``INSERT … SELECT`` into
each of the same, indexed tables. Then the sweep looks at everything again and finds nothing to do,
and the same orders are handed in again by their ids. One by one: processes award a purchase each,
through the service; against the same locks, look-ups and writes as bare statements. Each runs on
a copy of one database with members and some earlier points, and all must have written the same.
Fails outside ``MOST_OF_BARE``, ``MOST_OF_REPLAY`` and ``LEAST_OF_BARE``.

    .venv/bin/python benchmarks/accrual.py [--orders N] [--singles N] [--processes N] [--profile F]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import psycopg

MOST_OF_BARE, MOST_OF_REPLAY, LEAST_OF_BARE = 4.0, 0.3, 0.3
DAYS, PENDING_DAYS = 60, 14
PEOPLE = """
INSERT INTO crm_customer (id, ref, external_id, kind, name, language, country, city, industry,
    source, stage, is_invented, recorded_at)
SELECT i, 'c' || lpad(to_hex(i), 11, '0'), 'C-' || i, 'person', '', '', '', '', '', '', 'lead',
    true, now()
FROM generate_series(1, %(customers)s) AS i
"""
ORDERS = """
INSERT INTO crm_order (ref, customer_id, entry, ordered_at, delivered_at, amount, currency, status,
    channel, recorded_at, revised_at)
SELECT 'o' || lpad(to_hex(i), 11, '0'), i %% %(customers)s + 1, 'live', at, at,
    (i::bigint * 7919) %% 20000 * 100, %(currency)s, 'delivered', '', now(), now()
FROM (
    SELECT i, now() - interval '61 days' + i * (interval '60 days' / %(last)s) AS at
    FROM generate_series(%(first)s, %(last)s) AS i
) AS made
"""
# The same rows as the service writes, by one statement for each table.
SET_BASED = """
CREATE TEMPORARY TABLE due AS
SELECT nextval(pg_get_serial_sequence('loyalty_pointstransaction', 'id')) AS id,
    nextval(pg_get_serial_sequence('loyalty_pointslot', 'id')) AS lot_id,
    substr(md5(random()::text), 1, 12) AS ref, o.id AS order_id, o.ref AS order_ref,
    o.customer_id, a.id AS account_id, o.delivered_at, o.amount, o.amount / 10000 AS points,
    from_day, CASE WHEN from_day <= now() THEN 'active' ELSE 'pending' END AS bucket
FROM crm_order AS o
JOIN loyalty_membership AS m ON m.customer_id = o.customer_id
JOIN loyalty_pointsaccount AS a ON a.membership_id = m.id
CROSS JOIN LATERAL (
    SELECT (date_trunc('day', o.delivered_at AT TIME ZONE %(zone)s) + interval '15 days')
        AT TIME ZONE %(zone)s AS from_day
) AS window_of
WHERE o.entry = 'live' AND o.status = 'delivered' AND o.delivered_at IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM loyalty_pointstransaction AS t
        WHERE t.source_key = 'earn:order:' || o.id || ':v1'
    )
ORDER BY o.id;
SELECT count(*) FROM (SELECT id FROM loyalty_pointsaccount ORDER BY id FOR UPDATE) AS locked;
INSERT INTO loyalty_pointstransaction (id, ref, account_id, kind, reason, points, source_key,
    request_hash, order_id, rule_version_id, actor, effective_at, recorded_at)
SELECT id, ref, account_id, 'earn', CASE WHEN points > 0 THEN 'purchase' ELSE 'too_small' END,
    points, 'earn:order:' || order_id || ':v1',
    encode(sha256(('earn' || order_id || customer_id)::bytea), 'hex'), order_id, %(version)s,
    'system', delivered_at, now()
FROM due;
INSERT INTO loyalty_pointslot (id, account_id, transaction_id, original, remaining, bucket,
    available_from)
SELECT lot_id, account_id, id, points, points, bucket, from_day FROM due WHERE points > 0;
INSERT INTO loyalty_pointsentry (transaction_id, account_id, lot_id, bucket, amount)
SELECT id, account_id, lot_id, bucket, points FROM due WHERE points > 0
UNION ALL SELECT id, NULL, NULL, 'issued', -points FROM due WHERE points > 0;
INSERT INTO loyalty_earnedline (transaction_id, rule_version_id, source, line, base, points)
SELECT id, %(version)s, 'order:' || order_id, '', amount, points FROM due WHERE points > 0;
UPDATE loyalty_pointsaccount AS a SET pending = a.pending + d.pending, active = a.active + d.active
FROM (
    SELECT account_id, coalesce(sum(points) FILTER (WHERE bucket = 'pending'), 0) AS pending,
        coalesce(sum(points) FILTER (WHERE bucket = 'active'), 0) AS active
    FROM due GROUP BY account_id
) AS d WHERE d.account_id = a.id;
INSERT INTO common_event (kind, customer_id, subject_kind, subject_ref, actor, occurred_at,
    recorded_at, codes)
SELECT 'points.earned', customer_id, 'points', ref, 'system', delivered_at, now(),
    jsonb_build_object('points', points, 'order', order_ref)
FROM due WHERE points > 0
"""
DUE = """
SELECT id FROM crm_order AS o WHERE NOT EXISTS (
    SELECT FROM loyalty_pointstransaction AS t WHERE t.order_id = o.id
) ORDER BY id
"""
WRITTEN = """
SELECT (SELECT count(*) || ' of ' || sum(points) FROM loyalty_pointstransaction),
    (SELECT count(*) || ' of ' || sum(remaining) FROM loyalty_pointslot),
    (SELECT count(*) || ' of ' || sum(amount) FROM loyalty_pointsentry),
    (SELECT count(*) || ' of ' || sum(base) FROM loyalty_earnedline),
    (SELECT sum(pending) || ' and ' || sum(active) FROM loyalty_pointsaccount),
    (SELECT count(*) FROM common_event WHERE kind = 'points.earned')
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--singles", type=int, default=8_000, help="awarded one by one; 0: none")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--profile", type=Path, help="write a profile of the batches here")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        name, *arguments = options.part
        print(json.dumps(PARTS[name](*arguments)))
        return 0
    from config.embedded.postgres import throw_away_server

    with throw_away_server() as url, tempfile.TemporaryDirectory() as folder:
        os.environ["KEEPWELL_DATA_DIR"] = folder
        is_met = _compare_batches(url, options.orders, str(options.profile or ""))
        if options.singles:
            is_met &= _compare_singles(url, options.singles, options.processes)
    return 0 if is_met else 1


def _compare_batches(url: str, orders: int, profile: str) -> bool:
    """Award many at once in three ways; say how long each took."""
    before = _database(url, "before_batches")
    _part(before, "prepare", orders, max(10, orders // 10))
    bare = _part(_database(url, "bare", before), "set_based")
    batch = _part(_database(url, "batches", before), "batches", profile)
    assert bare["written"] == batch["written"], (bare["written"], batch["written"])
    for name, seconds in (("set-based SQL", bare["seconds"]), ("batches", batch["seconds"])):
        print(f"{name}: {orders:,} orders, {seconds:.1f} s = {orders / seconds:,.0f}/s")
    print(f"    own processor time of the batches {batch['processor']:.1f} s")
    print(f"replay by the sweep {batch['replay']:.1f} s, of the same ids {batch['again']:.1f} s")
    of_bare = batch["seconds"] / bare["seconds"]
    of_replay = max(batch["replay"], batch["again"]) / bare["seconds"]
    print(f"batches {of_bare:.2f} x set-based SQL (at most {MOST_OF_BARE})")
    print(f"replay {of_replay:.2f} x set-based SQL (at most {MOST_OF_REPLAY})", flush=True)
    return of_bare <= MOST_OF_BARE and of_replay <= MOST_OF_REPLAY


def _compare_singles(url: str, orders: int, processes: int) -> bool:
    """Award one by one, in several processes, in two ways; say how many a second."""
    before = _database(url, "before_singles")
    _part(before, "prepare", orders, max(10, orders // 2))
    bare = _part(_database(url, "bare_singles", before), "singles", "bare", processes)
    service = _part(_database(url, "singles", before), "singles", "service", processes)
    assert bare["written"] == service["written"], (bare["written"], service["written"])
    for name, seconds in (("statements", bare["seconds"]), ("service", service["seconds"])):
        print(f"{name}: {orders:,} orders, {processes} processes, {orders / seconds:,.0f}/s")
    share = bare["seconds"] / service["seconds"]
    print(f"service {share:.2f} x bare statements (at least {LEAST_OF_BARE})", flush=True)
    return share >= LEAST_OF_BARE


def _database(url: str, name: str, like: str = "") -> str:
    """Make a database, empty or like another one; return its address."""
    with psycopg.connect(url, autocommit=True) as connection:
        template = f" TEMPLATE {like.rsplit('/', 1)[1]}" if like else ""
        connection.execute(f"CREATE DATABASE {name}{template}")
        connection.execute("CHECKPOINT")
    return f"{url.rsplit('/', 1)[0]}/{name}"


def _part(url: str, *arguments: Any) -> dict[str, Any]:
    """Do a part of it in a process of its own on one of the databases."""
    command = [sys.executable, __file__, "--part", *map(str, arguments)]
    environment = os.environ | {"DATABASE_URL": url}
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    told: dict[str, Any] = json.loads(answer.stdout)
    return told


def prepare(orders: str, customers: str) -> None:
    """Members, a programme of one point for each whole unit, and purchases that earned nothing.

    A tenth as many earned before: else PostgreSQL would plan for tables that are empty.
    """
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection, transaction

    from common.time import now
    from loyalty.services import ensure_programme
    from loyalty.services.members import enrol_customers

    call_command("migrate", verbosity=0)
    start = now() - timedelta(days=DAYS + 2)
    programme = ensure_programme(starts_at=start, happened_at=start, pending_days=PENDING_DAYS)
    told = {"customers": int(customers), "currency": settings.KEEPWELL_CURRENCY}
    earlier = max(1_000, int(orders) // 10)
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, told)
        cursor.execute(ORDERS, told | {"first": 1, "last": earlier})
    for first in range(1, int(customers) + 1, 5_000):
        joined = dict.fromkeys(range(first, min(first + 5_000, int(customers) + 1)), start)
        with transaction.atomic():
            enrol_customers(programme=programme, joined=joined, recorded_at=start)
    set_based()
    with connection.cursor() as cursor:
        cursor.execute(ORDERS, told | {"first": earlier + 1, "last": earlier + int(orders)})
        cursor.execute("VACUUM ANALYZE")


def set_based() -> dict[str, Any]:
    """Award everything by one statement for each table."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        version = _version(connection)
        cursor = psycopg.ClientCursor(connection)
        began = time.perf_counter()
        cursor.execute(SET_BASED, {"version": version, "zone": _zone()})
        connection.commit()
        return {"seconds": time.perf_counter() - began, "written": _written(connection)}


def batches(profile: str = "") -> dict[str, Any]:
    """Award everything by the sweep; then let it, and its batches, look at everything again."""
    import django

    django.setup()
    from django.db import connection

    from common.time import now
    from crm.models import Order
    from loyalty.models import PointsTransaction
    from loyalty.selectors import get_programme
    from loyalty.selectors.programme import terms_of
    from loyalty.services.accrual import award_batch
    from loyalty.services.sweeps import SERVER_BATCH, accrue_due

    connection.ensure_connection()
    orders = Order.objects.count() - PointsTransaction.objects.count()
    began, processor = time.perf_counter(), time.process_time()
    done = _profiled(lambda: accrue_due(now(), budget_seconds=1e9), profile)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    assert done == orders, (done, orders)
    with psycopg.connect(os.environ["DATABASE_URL"]) as bare:
        written = _written(bare)
    began = time.perf_counter()
    assert accrue_due(now(), everything=True, budget_seconds=1e9) == 0
    replay = time.perf_counter() - began
    began = time.perf_counter()
    programme = get_programme()
    terms = terms_of(programme)
    ids = list(Order.objects.order_by("pk").values_list("pk", flat=True))
    for first in range(0, len(ids), SERVER_BATCH):
        chunk = ids[first : first + SERVER_BATCH]
        assert not award_batch(programme=programme, order_ids=chunk, actor="system", terms=terms)
    again = time.perf_counter() - began
    return {
        "seconds": seconds,
        "processor": processor,
        "written": written,
        "replay": replay,
        "again": again,
    }


def singles(way: str, processes: str) -> dict[str, Any]:
    """Award one by one in several processes; each takes every n-th purchase."""
    context = get_context("spawn")
    count = int(processes)
    barrier = context.Barrier(count + 1, timeout=120)
    workers = [
        context.Process(target=WAYS[way], args=(barrier, number, count)) for number in range(count)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    seconds = time.perf_counter() - began
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        return {"seconds": seconds, "written": _written(connection)}


def award_by_service(barrier: Any, number: int, count: int) -> None:
    """Award a process's share through the service."""
    import django

    django.setup()
    from common.time import now
    from loyalty.selectors import get_programme
    from loyalty.selectors.due import due_orders
    from loyalty.selectors.programme import terms_of
    from loyalty.services.accrual import award_points

    programme = get_programme()
    terms = terms_of(programme)
    due = due_orders(programme).order_by("pk").values_list("pk", flat=True)
    ids = list(due)[number::count]
    barrier.wait()
    for order_id in ids:
        award_points(
            order_id=order_id,
            happened_at=now(),
            actor="system",
            programme=programme,
            terms=terms,
        )


def award_by_statements(barrier: Any, number: int, count: int) -> None:
    """Award a process's share as somebody would by hand: the same locks, look-ups and rows."""
    from benchmarks._statements import award

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        version, zone = _version(connection), _zone()
        rows = connection.execute(DUE).fetchall()
        connection.commit()
        barrier.wait()
        for (order_id,) in rows[number::count]:
            award(connection, order_id, version=version, zone=zone)


def _profiled(work: Callable[[], Any], path: str) -> Any:
    if not path:
        return work()
    import cProfile

    profiler = cProfile.Profile()
    answer = profiler.runcall(work)
    profiler.dump_stats(path)
    return answer


def _zone() -> str:
    return os.environ.get("KEEPWELL_TIMEZONE", "UTC")


def _version(connection: psycopg.Connection[Any]) -> int:
    [(version,)] = connection.execute("SELECT id FROM loyalty_ruleversion").fetchall()
    return int(version)


def _written(connection: psycopg.Connection[Any]) -> list[str]:
    return [str(value) for value in connection.execute(WRITTEN).fetchall()[0]]


PARTS: dict[str, Callable[..., Any]] = {
    "prepare": prepare,
    "set_based": set_based,
    "batches": batches,
    "singles": singles,
}
WAYS = {"service": award_by_service, "bare": award_by_statements}

if __name__ == "__main__":
    sys.exit(main())
