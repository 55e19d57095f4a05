"""How quickly staff pages answer with a million customers and ten million purchases, on PostgreSQL.

First a small world (10,000 customers, 100,000 purchases), then it grows to the large one; the same
pages are asked in both. Server time is that of the whole request in one process: middleware,
queries, template. A page misses its budget with more than 12 queries, a 95th percentile over
100 ms, or twice the small world's (times below 10 ms are not compared).

    .venv/bin/python -m config.embedded.postgres .venv/bin/python benchmarks/customer_pages.py

``--customers N`` and ``--orders N`` set the large world; one already filled is taken as it is.
"""

from __future__ import annotations

import argparse
import gc
import html
import logging
import os
import re
import statistics
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("ALLOWED_HOSTS", "testserver,localhost,127.0.0.1")
os.environ.setdefault("KEEPWELL_REQUIRE_TOTP", "off")  # the sign-in is not what is measured

import django

django.setup()
logging.disable(logging.WARNING)

from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Role, User
from accounts.services import create_user
from common.append_only import triggers_lifted

SMALL = 10_000, 100_000
BUSY = 1  # the customer with 50,000 timeline entries
BUSY_ENTRIES = 50_000
MOST_QUERIES = 12
MOST_MS = 100.0
MOST_GROWTH = 2.0
LEAST_COMPARED_MS = 10.0
ROUNDS = 40

HTMX = {"HX-Request": "true"}  # tabs are asked for like this

FIRST_NAMES = (
    "Alma Bruno Carla Dmitri Elena Farid Greta Hugo Irina Jonas Katya Liam Mei Nina Oskar Paula "
    "Quentin Rosa Sven Tamara Ulla Viktor Wei Xenia Yusuf Zoe Anton Bella Cyril Dora"
)
LAST_NAMES = (
    "Adler Bergmann Castro Dietrich Egorova Fischer Gruber Hansen Ivanov Jansen Kowalski Lindqvist "
    "Moreau Novak Olsen Petrova Quispe Rossi Sokolov Tanaka Ueda Vasquez Weber Xu Yamada Zhang "
    "Almeida Brandt Costa Duarte Eriksen Fontaine Garcia Hoffmann Ito Jimenez Kim Lopez Mazur Nagy"
)

# %(first)s < id <= %(last)s. Everything follows from the id, so that two runs fill the same world.
CUSTOMERS = """
INSERT INTO crm_customer (id, ref, external_id, kind, name, language, country, city, industry,
    source, acquired_at, stage, location_id, is_invented, recorded_at)
SELECT i, 'c' || lpad(to_hex(i), 11, '0'), 'C-' || i, 'person',
    split_part(%(names)s, ' ', (1 + (i * 7919) %% 30)::int) || ' '
        || split_part(%(surnames)s, ' ', (1 + (i * 104729) %% 40)::int),
    'en', (ARRAY['DE', 'FR', 'IT', 'ES'])[1 + i %% 4], 'City ' || i %% 500, '', 'web',
    now() - make_interval(days => (1100 - i %% 1000)::int),
    (ARRAY['repeat', 'repeat', 'first', 'loyal', 'lead', 'at_risk', 'lost'])[1 + (i * 31) %% 7],
    1 + i %% 20, true, now() - make_interval(secs => (10000000 - i)::int)
FROM generate_series(%(first)s::bigint + 1, %(last)s::bigint) AS i
"""
CONTACTS = """
INSERT INTO crm_contactpoint (customer_id, kind, value, normalized, is_primary, recorded_at)
SELECT i, point.kind, value, value, true, now()
FROM generate_series(%(first)s::bigint + 1, %(last)s::bigint) AS i,
    LATERAL (VALUES ('email', 'person' || i || '@customers.example'),
                    ('phone', '+4930' || lpad(i::text, 8, '0'))) AS point (kind, value)
"""
TERMS = """
INSERT INTO crm_searchterm (customer_id, kind, term)
SELECT crm_customer.id, word.kind, word.term FROM crm_customer,
    LATERAL (VALUES ('name', lower(name)), ('id', lower(external_id)),
        ('email', 'person' || id || '@customers.example'),
        ('phone', '4930' || lpad(id::text, 8, '0'))) AS word (kind, term)
WHERE id > %(first)s AND id <= %(last)s
"""
TAGGED = """
INSERT INTO crm_customertag (customer_id, tag_id)
SELECT id, 1 + id %% 9 FROM crm_customer WHERE id > %(first)s AND id <= %(last)s AND id %% 3 = 0
UNION ALL
SELECT id, 10 FROM crm_customer WHERE id > %(first)s AND id <= %(last)s AND id %% 5000 = 0
"""
CONSENTS = """
INSERT INTO crm_consentevent (customer_id, purpose, channel, is_granted, source, text_version,
    actor, occurred_at, recorded_at)
SELECT i, 'marketing', 'email', i %% 3 > 0, 'import', '', 'system', now(), now()
FROM generate_series(%(first)s::bigint + 1, %(last)s::bigint) AS i WHERE i %% 2 = 0
"""
CONSENT_STATES = """
INSERT INTO crm_consentstate (customer_id, purpose, channel, is_granted, since)
SELECT customer_id, purpose, channel, is_granted, occurred_at FROM crm_consentevent
WHERE customer_id > %(first)s AND customer_id <= %(last)s
"""
RECORDED = """
INSERT INTO common_event
    (kind, customer_id, subject_kind, subject_ref, actor, occurred_at, recorded_at, codes)
SELECT 'customer.recorded', id, 'customer', ref, 'system', recorded_at, recorded_at, '{}'
FROM crm_customer WHERE id > %(first)s AND id <= %(last)s
"""
ORDERS = """
INSERT INTO crm_order (ref, external_id, customer_id, location_id, channel, status, ordered_at,
    delivered_at, amount, currency, entry, recorded_at, revised_at)
SELECT 'o' || lpad(to_hex(i), 11, '0'), 'O-' || i,
    1 + (i * 611953) %% %(people)s, 1 + i %% 20, 'shop',
    CASE WHEN i %% 997 = 0 THEN 'cancelled' WHEN i %% 499 = 0 THEN 'placed' ELSE 'delivered' END,
    at, CASE WHEN i %% 499 = 0 THEN NULL ELSE at END,
    100000 + (i * 7919) %% 900000, 'EUR', 'history', now(), now()
FROM generate_series(%(first)s::bigint + 1, %(last)s::bigint) AS i,
    LATERAL (SELECT now() - make_interval(secs => (i * 48271 %% 94608000)::int) AS at) AS moment
"""
BUSY_ORDERS = """
INSERT INTO crm_order (ref, external_id, customer_id, location_id, channel, status, ordered_at,
    delivered_at, amount, currency, entry, recorded_at, revised_at)
SELECT 'b' || i, 'B-' || i, %(busy)s, 1, 'shop', 'delivered', at, at, 120000, 'EUR', 'history',
    now(), now()
FROM generate_series(1, %(entries)s / 2) AS i,
    LATERAL (SELECT now() - make_interval(mins => i * 20) AS at) AS moment
"""
BUSY_EVENTS = """
INSERT INTO common_event
    (kind, customer_id, subject_kind, subject_ref, actor, occurred_at, recorded_at, codes)
SELECT 'customer.changed', %(busy)s, 'customer', 'c00000000001', 'user:1',
    now() - make_interval(mins => i * 20 + 7), now(), '{"fields": ["city"]}'
FROM generate_series(1, %(entries)s / 2) AS i
"""
FIGURES = """
INSERT INTO crm_customerfigures
    (customer_id, orders, revenue, last_order_at, last_contact_at, last_seen_at)
SELECT c.id, count(o.id), coalesce(sum(o.amount), 0), max(o.ordered_at), NULL, max(o.ordered_at)
FROM crm_customer c LEFT JOIN crm_order o ON o.customer_id = c.id AND o.status <> 'cancelled'
GROUP BY c.id
"""


def main() -> int:
    """Fill, measure, compare; 1 when a page misses its budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=10_000_000)
    wanted = parser.parse_args()
    if connection.vendor != "postgresql":
        print("This needs PostgreSQL; see the first lines of the file.")
        return 2
    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(member_of(Role.MANAGER))
    if _count("crm_customer") < wanted.customers:
        grow(*SMALL)
        small = measure(client, SMALL[0])
        grow(wanted.customers, wanted.orders)
    else:
        small = {}
    return report(small, measure(client, wanted.customers))


def grow(customers: int, orders: int) -> None:
    """Add customers and their purchases until there are so many, and settle the statistics."""
    started = time.perf_counter()
    have, ordered = _count("crm_customer"), _count("crm_order")
    with triggers_lifted(), connection.cursor() as cursor:
        if not have:
            _run(
                cursor,
                "INSERT INTO crm_location (id, code, name, timezone, recorded_at) "
                "SELECT i, 'S' || i, 'Shop ' || i, '', now() FROM generate_series(1, 20) AS i",
            )
            _run(
                cursor,
                "INSERT INTO crm_tag (id, name) "
                "SELECT i, 'Tag ' || i FROM generate_series(1, 10) AS i",
            )
        new = {"first": have, "last": customers, "names": FIRST_NAMES, "surnames": LAST_NAMES}
        for sql in (CUSTOMERS, CONTACTS, TERMS, TAGGED, CONSENTS, CONSENT_STATES, RECORDED):
            _run(cursor, sql, new)
        if not have:
            for sql in (BUSY_ORDERS, BUSY_EVENTS):
                _run(cursor, sql, {"busy": BUSY, "entries": BUSY_ENTRIES})
        _run(cursor, ORDERS, {"first": ordered, "last": orders, "people": customers})
        _run(cursor, "DELETE FROM crm_customerfigures")
        _run(cursor, FIGURES)
        for table in ("customer", "location", "tag"):
            highest = f"(SELECT max(id) FROM crm_{table})"  # noqa: S608 - our own names
            _run(cursor, f"SELECT setval(pg_get_serial_sequence('crm_{table}', 'id'), {highest})")
        _run(cursor, "VACUUM ANALYZE")
    print(
        f"filled {customers:,} customers, {orders:,} purchases "
        f"in {time.perf_counter() - started:.0f} s",
        flush=True,
    )


def measure(client: Client, customers: int) -> dict[str, tuple[float, float, int]]:
    """Return page → (median ms, 95th percentile ms, most queries)."""
    return measure_pages(client, pages(client, customers))


def measure_pages(
    client: Client, wanted: dict[str, list[str]], rounds: int = ROUNDS
) -> dict[str, tuple[float, float, int]]:
    """Ask pages by their addresses in turn; see :func:`measure`."""
    found = {}
    import_module("config.urls")
    gc.collect()
    gc.freeze()  # as the web server does, see config/gunicorn.py
    for name, urls in wanted.items():
        asked = [urls[number % len(urls)] for number in range(rounds)]
        queries = 0
        for url in dict.fromkeys(asked):  # also warms up
            with CaptureQueriesContext(connection) as captured:
                answer = client.get(url, headers=_headers(url))
            assert answer.status_code == 200, f"{url}: {answer.status_code}"
            queries = max(queries, len(captured))
        times = []
        for url in asked:
            started = time.perf_counter()
            client.get(url, headers=_headers(url))
            times.append((time.perf_counter() - started) * 1000)
        p95 = statistics.quantiles(times, n=20)[-1]
        found[name] = statistics.median(times), p95, queries
    return found


def pages(client: Client, customers: int) -> dict[str, list[str]]:
    """Return page → the addresses it is asked by."""
    some = [_ref(1 + step * (customers // 12)) for step in range(1, 12)]
    filters = [
        "stage=lost",
        "tag=10",  # one in 5,000
        "shop=S7",
        "stage=at_risk&shop=S3&tag=4",
        "consent=marketing:yes",
        "consent=surveys:yes",  # nobody
        "seen=within-30",
        "seen=not-365",
        "seen=never",
        "value_from=1500&value_to=1510",
        "country=IT",
        "source=radio",  # nobody
        "stage=lost&consent=marketing:no&seen=not-90",
    ]
    sorts = ["sort=name", "sort=-value", "sort=-seen", "sort=-value&stage=lost&tag=10"]
    searches = ["Tanaka", "greta hoff", "4930000", "person77", "C-99", "sokol", "zzzz nobody"]
    return {
        "customers": ["/customers/"],
        "customers, filtered": [f"/customers/?{query}" for query in filters],
        "customers, sorted": [f"/customers/?{query}" for query in sorts],
        "search": [f"/customers/?q={text}" for text in searches],
        "customer": [f"/customers/{ref}/" for ref in some],
        "customer, its pieces": [
            f"/customers/{ref}/{piece}/"
            for ref in (*some, _ref(BUSY))
            for piece in ("summary", "details", "panels")
        ],
        "customer with 50,000 entries": [f"/customers/{_ref(BUSY)}/"],
        "timeline, first page": [f"/customers/{_ref(BUSY)}/timeline/"],
        "timeline, last page": [last_page(client, f"/customers/{_ref(BUSY)}/timeline/")],
        "purchases": ["/orders/"],
        "purchases, filtered": ["/orders/?status=cancelled", "/orders/?shop=S7"],
        "inbox": ["/inbox/"],
        "tasks": ["/tasks/"],
        "home": ["/"],
    }


def _headers(url: str) -> dict[str, str]:
    return HTMX if url.count("/") > 3 and url.startswith("/customers/") else {}


def last_page(client: Client, url: str) -> str:
    """Follow “Earlier” to the end and return the last page's address."""
    while True:
        page = client.get(url, headers=_headers(url)).text
        earlier = re.findall(r'hx-get="([^"]+cursor=[^"]+)"', page)
        if not earlier:
            return url
        url = html.unescape(earlier[-1])


def _ref(customer_id: int) -> str:
    return f"c{customer_id:011x}"


def member_of(role: Role) -> User:
    found = User.objects.filter(email=f"{role}@bench.example").first()
    return found or create_user(email=f"{role}@bench.example", role=role, name="Mara")


def _count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
        return int(cursor.fetchone()[0])


def _run(cursor: Any, sql: str, given: dict[str, Any] | None = None) -> None:
    cursor.execute(sql, given)


def report(small: dict[str, Any], large: dict[str, Any]) -> int:
    """Print the table; 1 when a page misses its budget."""
    missed = 0
    print(f"{'page':34}{'queries':>8}{'median':>9}{'p95':>9}{'small p95':>11}")
    for name, (median, p95, queries) in large.items():
        before = small.get(name, (0, 0, 0))[1]
        growth = p95 / max(before, LEAST_COMPARED_MS) if before else 0
        bad = queries > MOST_QUERIES or p95 > MOST_MS or growth >= MOST_GROWTH
        missed += bad
        print(
            f"{name:34}{queries:8}{median:7.0f}ms{p95:7.0f}ms{before:9.0f}ms"
            f"{'   MISSED' if bad else ''}",
            flush=True,
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
