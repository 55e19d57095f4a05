"""What processes do to a database of their own: prepare it, import, sweep, and tell what it holds.

They are forked from a server that has loaded the product already, so that one is at work at once.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import django
from django.apps import apps

if not apps.ready:  # in the server that forks: as the product runs, not as tests do
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ.setdefault("SECRET_KEY", "x" * 40)
    django.setup()

from django.conf import settings
from django.core.management import call_command
from django.db import close_old_connections, connections
from django.db.models import QuerySet

from common.time import now
from config.environment import read_environment
from crm import models
from crm.imports import batches, progress
from crm.imports.engine import LOST_CONNECTION
from crm.imports.files import import_file
from crm.imports.mapping import Mapping
from crm.services import import_sweep, record_customer
from tests.cast import make_product

ORDERS = 12_000
CUSTOMERS = 40
SKUS = "ABCDEFGH"


def at_work(
    folder: Path, url: str, answers: Connection, work: Callable[..., Any], arguments: Iterable[Any]
) -> None:
    """Do some work in one world; say when it begins, and what came of it."""
    sys.stderr = (folder / "errors").open("a")
    os.environ |= {"DATABASE_URL": url, "KEEPWELL_DATA_DIR": str(folder)}
    environment = read_environment()
    settings.KEEPWELL_DATA_DIR = environment.data_dir
    told = {"default": environment.database}
    connections.settings["default"] = connections.configure_settings(told)["default"]
    del connections["default"]
    answers.send("begins")
    answers.send(work(*arguments))
    connections.close_all()


def write_files(folder: Path) -> None:
    """Orders of three lines each; some changed, far apart, refused, or of newcomers."""
    chance = random.Random(7)  # noqa: S311 - no secret
    head = "order_id,customer_id,ordered_at,sku,quantity,unit_price"

    def line(number: int, extra: int = 0) -> str:
        who = f"c{number % CUSTOMERS}" if number % 9 else f"new{number % 300}"
        day = f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}"
        sku = SKUS[(number + extra) % 8] if number % 501 else "NEW"
        sku = sku if number % 97 else "-" * 65
        return f"o{number:06},{who},{day},{sku},{1 + extra},{number % 90}.5"

    earlier = [line(number) for number in range(1, ORDERS, 7) if number % 9 and number % 501]
    rows = [line(number, extra) for number in range(ORDERS) for extra in range(3)]
    for _far in range(400):
        rows.insert(chance.randrange(len(rows)), rows.pop(chance.randrange(len(rows))))
    (folder / "earlier.csv").write_text("\n".join([head, *earlier]))
    (folder / "orders.csv").write_text("\n".join([head, *rows]))


def prepare(folder: Path) -> None:
    """Make the tables; customers, products and some of the orders are known already."""
    call_command("migrate", verbosity=0)
    for sku in SKUS:
        make_product(sku=sku)
    for number in range(CUSTOMERS):
        record_customer(happened_at=now(), actor="system", external_id=f"c{number}")
    write_files(folder)
    import_orders(folder / "earlier.csv")


def import_orders(path: Path) -> None:
    """Import a file as the command does."""
    import_file(
        kind="orders",
        path=path,
        mode="history",
        actor="system",
        happened_at=now(),
        mapping=Mapping(create_missing=True),
    )


def upload(path: Path) -> None:
    """Let a file wait for the sweep, as the wizard does."""
    shutil.copy(path, batches.imports_folder() / "upload.csv")
    models.ImportBatch.objects.create(
        kind="orders",
        mode="history",
        status="queued",
        file_name="orders.csv",
        file_digest="x",
        stored_as="upload.csv",
        mapping={"create_missing": True},
        actor="system",
        started_at=now(),
    )


def sweep() -> None:
    """Sweep until the upload is through. A killed worker's claim ends in seconds, not a minute."""
    batches.LEASE = progress.LEASE = import_sweep.LEASE = timedelta(seconds=2)
    waiting = models.ImportBatch.objects.filter(
        stored_as="upload.csv", status__in=["queued", "running"]
    )
    is_waiting = True
    while is_waiting:
        with suppress(*LOST_CONNECTION):  # in a worker, this sweep would fail and the next begin
            import_sweep.sweep_imports(now())
            is_waiting = waiting.exists()
        close_old_connections()
        time.sleep(0.1)


def finished() -> QuerySet[models.ImportBatch]:
    """Imports of the file that came to their end; one more would be an import of the same again."""
    return models.ImportBatch.objects.exclude(file_name="earlier.csv").filter(status="done")


def is_through() -> bool:
    """Whether the file is imported; even if the process that did it ended by force after that."""
    return finished().exists()


def content() -> dict[str, Any]:
    """All that the import may change, without ids, refs and times of recording."""
    batch = finished().get()
    customer, order, sku = "customer__external_id", "order__external_id", "product__sku"
    rows: dict[str, Iterable[Any]] = {
        "customers": models.Customer.objects.values_list("external_id", "acquired_at", "stage"),
        "terms": models.SearchTerm.objects.values_list(customer, "kind", "term"),
        "figures": models.CustomerFigures.objects.values_list(
            customer, "orders", "revenue", "last_order_at"
        ),
        "products": models.Product.objects.values_list("sku", "name"),
        "orders": models.Order.objects.values_list(
            "external_id", customer, "ordered_at", "delivered_at", "amount", "status", "entry"
        ),
        "lines": models.OrderLine.objects.values_list(
            order, sku, "occurrence", "quantity", "unit_price", "discount", "amount"
        ),
        "versions": models.OrderVersion.objects.values_list(order, "amount"),
        "line_versions": models.OrderLineVersion.objects.values_list(
            order, sku, "occurrence", "quantity"
        ),
        "rejects": batch.rejects.values_list("line", "column", "value", "reason"),
        "undo": batch.changes.values_list("table", "before__amount", "after__amount"),
    }
    made = batch.ranges.values_list("table", "first_id", "last_id")
    tables = ("crm.Order", "crm.Customer", "crm.Product")
    others = models.ImportBatch.objects.exclude(status="done")
    return {
        **{name: _digest(found) for name, found in rows.items()},
        "counts": [batch.rows_total, batch.created, batch.updated, batch.unchanged, batch.rejected],
        "rows_made": {
            table: sum(last - first + 1 for name, first, last in made if name == table)
            for table in tables
        },
        "unfinished": list(others.values_list("status", "error")),
    }


def _digest(rows: Iterable[Any]) -> tuple[int, str]:
    found = sorted(map(str, rows))
    return len(found), hashlib.sha256("\n".join(found).encode()).hexdigest()
