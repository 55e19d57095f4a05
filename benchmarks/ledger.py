"""Whether balances take as long after 100,000 entries as after ten, and writers wait their turn.

On PostgreSQL, members with journals of different lengths, half of whose lots are used up, are asked
for their balance in turn, again and again. Fails when the longest journal makes it slower than the
shortest by more than ``MOST_SLOWER``. Then ``verify_ledger`` adds it all up again, for its time.

On an SQLite file, several processes do operations of every kind as fast as they can (the bank test
of ``tests/faults``). Fails when one in a hundred takes longer than ``SLOWEST``.

    .venv/bin/python benchmarks/ledger.py [--entries N ...] [--rounds N]
        [--processes N ...] [--operations N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

MOST_SLOWER = 0.2
SLOWEST = 0.25  # seconds, of 99 in 100 operations on SQLite
OTHERS = 200  # members with ten entries each beside them
# Ten points earned for every lot; every second one used up: three entries for each lot.
HISTORY = """
CREATE TEMPORARY TABLE made AS
SELECT i, nextval(pg_get_serial_sequence('loyalty_pointstransaction', 'id')) AS id,
    nextval(pg_get_serial_sequence('loyalty_pointslot', 'id')) AS lot_id,
    nextval(pg_get_serial_sequence('loyalty_pointstransaction', 'id')) AS used_id,
    now() - interval '300 days' + i * interval '1 minute' AS at, i %% 2 = 0 AS is_used
FROM generate_series(1, %(lots)s) AS i;
INSERT INTO loyalty_pointstransaction (id, ref, account_id, kind, reason, points, source_key,
    request_hash, actor, effective_at, recorded_at)
SELECT id, substr(md5(random()::text), 1, 12), %(account)s, 'earn', 'purchase', 10,
    'earn:bench:' || id, '', 'system', at, at FROM made
UNION ALL
SELECT used_id, substr(md5(random()::text), 1, 12), %(account)s, 'redeem', 'purchase', -10,
    'used:bench:' || id, '', 'system', at, at FROM made WHERE is_used;
INSERT INTO loyalty_earnedline (transaction_id, rule_version_id, source, line, points)
SELECT id, (SELECT min(id) FROM loyalty_ruleversion), 'bench:' || id, '', 10 FROM made;
INSERT INTO loyalty_pointslot (id, account_id, transaction_id, original, remaining, bucket,
    available_from)
SELECT lot_id, %(account)s, id, 10, CASE WHEN is_used THEN 0 ELSE 10 END, 'active', at FROM made;
INSERT INTO loyalty_pointsentry (transaction_id, account_id, lot_id, bucket, amount)
SELECT id, %(account)s, lot_id, 'active', 10 FROM made
UNION ALL SELECT id, NULL, NULL, 'issued', -10 FROM made
UNION ALL SELECT used_id, %(account)s, lot_id, 'active', -10 FROM made WHERE is_used
UNION ALL SELECT used_id, NULL, NULL, 'redeemed', 10 FROM made WHERE is_used;
UPDATE loyalty_pointsaccount SET active = (
    SELECT coalesce(sum(10), 0) FROM made WHERE NOT is_used
) WHERE id = %(account)s;
DROP TABLE made
"""


def main() -> int:
    """Ask for balances on PostgreSQL, let processes write on SQLite; return 1 on a miss."""
    parser = argparse.ArgumentParser(description=__doc__)
    lengths = [10, 100, 1_000, 10_000, 100_000]
    parser.add_argument("--entries", type=int, nargs="+", default=lengths)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--operations", type=int, default=5_000)
    options = parser.parse_args()
    from config.embedded.postgres import throw_away_server

    with throw_away_server() as url, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DATABASE_URL": url, "KEEPWELL_DATA_DIR": folder}
        missed = _measure(sorted(options.entries), options.rounds)
        for processes in options.processes:
            missed |= _write(Path(folder) / f"of-{processes}", options.operations, processes)
        return missed


def lots_of(entries: int) -> int:
    """Return of how many lots, every second one used up, a journal of about that length is."""
    return (entries + 2) // 3


def _measure(lengths: list[int], rounds: int) -> int:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from common.time import now
    from crm.models import Customer
    from loyalty.models import PointsEntry
    from loyalty.selectors import balance_of, verify_ledger
    from loyalty.services import ensure_programme
    from loyalty.services.members import enrol_customers

    call_command("migrate", verbosity=0)
    start = now() - timedelta(days=301)
    programme = ensure_programme(starts_at=start, happened_at=start)
    sizes = lengths + [10] * OTHERS
    people = [Customer(name=f"Member {n}", recorded_at=start) for n in range(len(sizes))]
    Customer.objects.bulk_create(people, batch_size=1_000)
    joined = dict.fromkeys((one.pk for one in people), start)
    with transaction.atomic():
        accounts = enrol_customers(programme=programme, joined=joined, recorded_at=start)
        with connection.cursor() as cursor:
            for one, size in zip(people, sizes, strict=True):
                cursor.execute(HISTORY, {"account": accounts[one.pk], "lots": lots_of(size)})
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")

    took: dict[int, list[float]] = {size: [] for size in lengths}
    for _round in range(rounds):
        for one, size in zip(people, lengths, strict=False):
            began = time.perf_counter()
            balance = balance_of(one.pk, now())
            took[size].append(time.perf_counter() - began)
            lots = lots_of(size)
            assert balance.available == 10 * (lots - lots // 2), (size, balance)
    medians = {size: statistics.median(found) for size, found in took.items()}
    for size, seconds in medians.items():
        print(f"balance after {size:,} entries: {1000 * seconds:.2f} ms")
    slower = medians[lengths[-1]] / medians[lengths[0]] - 1
    print(f"the longest takes {slower:+.0%} (at most {MOST_SLOWER:+.0%})", flush=True)
    began = time.perf_counter()
    drifts = list(verify_ledger().drifts)
    entries = PointsEntry.objects.count()
    print(f"verify_ledger: {entries:,} entries, {time.perf_counter() - began:.1f} s")
    assert not drifts, drifts[:3]
    return 0 if slower <= MOST_SLOWER else 1


def _write(folder: Path, operations: int, processes: int) -> int:
    """Let processes write to one SQLite file at once, and say how long operations took."""
    from tests.faults.test_ledger import undisturbed
    from tests.faults.worlds import World

    folder.mkdir()
    world = World(folder, f"sqlite:///{folder / 'db.sqlite3'}", None)
    try:
        day = undisturbed(world, operations, processes)
    finally:
        world.leave()
    half = day.seconds[len(day.seconds) // 2]
    told = f"half within {1000 * half:.0f} ms, 99 in 100 within {1000 * day.slowest():.0f} ms"
    print(f"{processes} processes on SQLite: {told} (at most {1000 * SLOWEST:.0f} ms)", flush=True)
    return int(day.slowest() > SLOWEST)


if __name__ == "__main__":
    sys.exit(main())
