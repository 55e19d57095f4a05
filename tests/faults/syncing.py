"""What processes do to a fact store: fill the database, sync, and tell what both hold.

Forked from the server of :mod:`tests.faults.importing`.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management import call_command

from common.time import now
from crm.models import Customer, Order, OrderLine
from crm.services import change_order
from metrics.facts import store, sync
from metrics.facts.source import open_source
from metrics.facts.tables import TABLES, select_table, to_schema
from tests.cast import ACTOR, make_product

CUSTOMERS, ORDERS, MONTHS = 50, 3_000, 24
FIRST = datetime(2024, 1, 3, tzinfo=UTC)


def prepare(folder: Path) -> None:
    """Make the tables, customers, and orders over two years."""
    call_command("migrate", verbosity=0)
    make_product(sku="A")
    recorded = {"recorded_at": now()}
    Customer.objects.bulk_create(Customer(**recorded) for _number in range(CUSTOMERS))
    add_orders(ORDERS)


def add_orders(count: int, seed: int = 0) -> None:
    """Record more orders of a line each, in any month."""
    customers = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    moment = now()
    orders = Order.objects.bulk_create(
        Order(
            customer_id=customers[number % CUSTOMERS],
            entry=Order.Entry.HISTORY,
            ordered_at=(at := FIRST + timedelta(days=(number * 37 + seed) % (MONTHS * 30))),
            delivered_at=at,
            amount=Decimal(number + seed),
            currency="USD",
            recorded_at=moment,
            revised_at=moment,
        )
        for number in range(count)
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            product_id=1,
            quantity=Decimal(1),
            unit_price=order.amount,
            amount=order.amount,
            recorded_at=moment,
        )
        for order in orders
    )


def change(seed: int) -> None:
    """Record some orders, and move some to another month."""
    add_orders(100, seed)
    for order in Order.objects.filter(pk__gt=seed)[:10]:
        at = FIRST + timedelta(days=(order.pk * 41 + seed) % (MONTHS * 30))
        change_order(
            order_id=order.pk, happened_at=now(), actor=ACTOR, ordered_at=at, delivered_at=at
        )


def sync_facts() -> bool:
    """Sync as a large store would be; whether everything was read anew."""
    sync.REBUILD_BELOW = 0
    return sync.sync_facts(now=now()).full


def kept() -> dict[str, str] | None:
    """What the store holds, as a reader sees it; None without a store."""
    with store.reading():
        manifest = store.read_manifest()
        if manifest is None:
            return None
        found = store.Store(manifest)
        return {name: _digest(found.read(name)) for name in TABLES}


def recorded() -> dict[str, str]:
    """What it should hold."""
    with open_source() as source:
        return {
            name: _digest(to_schema(source.arrow(select_table(name, source.dialect)), name))
            for name in TABLES
        }


def left_over() -> list[str]:
    """Files that neither the present store nor its readers have any use for."""
    manifest = store.read_manifest()
    assert manifest
    wanted = {file.path for file in manifest.files} | set(manifest.unused)
    root = store.root()
    files = (path for path in root.rglob("*.*") if path.suffix in (".parquet", ".arrow"))
    return [name for path in files if (name := str(path.relative_to(root))) not in wanted]


def _digest(table: Any) -> str:
    rows = sorted(map(str, table.to_pylist()))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
