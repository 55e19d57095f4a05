"""Imports killed at random, and with the database restarted under them, lose and double nothing.

The result is compared with that of the same files imported without disturbance.
``KEEPWELL_FAULT_SEED`` repeats a run.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from config.embedded.postgres import Cluster, cluster_of, folder_for

pytestmark = [pytest.mark.slow, pytest.mark.system]
ROOT = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("KEEPWELL_FAULT_SEED", str(random.randrange(10**6))))  # noqa: S311
KILLS = 10
ORDERS = 40_000

PREPARE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from common.time import now
from crm.services import record_customer
from tests.cast import make_product
for sku in "ABCDEFGH":
    make_product(sku=sku)
for number in range(40):
    record_customer(happened_at=now(), actor="system", external_id=f"c{number}")
from pathlib import Path
from crm.imports.files import import_file
import_file(kind="orders", path=Path("EARLIER"), mode="history", actor="system", happened_at=now())
"""

IMPORT = """
from pathlib import Path
from common.time import now
from crm.imports.files import import_file
from crm.imports.mapping import Mapping
print("go", flush=True)
import_file(kind="orders", path=Path("FILE"), mode="history", actor="system", happened_at=now(),
    mapping=Mapping(create_missing=True))
"""

UPLOAD = """
from common.time import now
from crm.imports.batches import imports_folder
from crm.models import ImportBatch
import shutil
shutil.copy("FILE", imports_folder() / "upload.csv")
ImportBatch.objects.create(kind="orders", mode="history", status="queued", file_name="orders.csv",
    file_digest="x", stored_as="upload.csv", mapping={"create_missing": True}, actor="system",
    started_at=now())
"""

# A killed worker's lease runs out after a minute; here, sooner.
SWEEP = """
import time
from datetime import timedelta
import crm.imports.batches, crm.imports.progress, crm.services.import_sweep
from common.time import now
from crm.models import ImportBatch
crm.imports.batches.LEASE = crm.imports.progress.LEASE = timedelta(seconds=2)
print("go", flush=True)
while ImportBatch.objects.filter(stored_as="upload.csv", status__in=["queued", "running"]):
    crm.services.import_sweep.sweep_imports(now())
    time.sleep(0.1)
"""

CONTENT = """
import hashlib, json
from django.db.models import F
from crm.models import *
def told(rows):
    found = sorted(map(str, rows))
    return len(found), hashlib.sha256("\\n".join(found).encode()).hexdigest()
last = ImportBatch.objects.filter(kind="orders").exclude(file_name="earlier.csv").get(status="done")
print(json.dumps({
    "customers": told(Customer.objects.values_list("external_id", "acquired_at", "stage")),
    "terms": told(SearchTerm.objects.values_list("customer__external_id", "kind", "term")),
    "figures": told(CustomerFigures.objects.values_list(
        "customer__external_id", "orders", "revenue", "last_order_at")),
    "products": told(Product.objects.values_list("sku", "name")),
    "orders": told(Order.objects.values_list(
        "external_id", "customer__external_id", "ordered_at", "delivered_at", "amount", "status")),
    "lines": told(OrderLine.objects.values_list("order__external_id", "product__sku",
        "occurrence", "quantity", "unit_price", "discount", "amount")),
    "versions": told(OrderVersion.objects.values_list("order__external_id", "amount")),
    "line_versions": told(OrderLineVersion.objects.values_list(
        "order__external_id", "product__sku", "occurrence", "quantity")),
    "counts": [last.rows_total, last.created, last.updated, last.unchanged, last.rejected],
    "rejects": told(last.rejects.values_list("line", "column", "value", "reason")),
    "undo": told(last.changes.values_list("table", "before__amount", "after__amount")),
    "rows_made": {table: sum(last_id - first_id + 1 for first_id, last_id in
        last.ranges.filter(table=table).values_list("first_id", "last_id"))
        for table in ("crm.Order", "crm.Customer", "crm.Product")},
    "unfinished": list(ImportBatch.objects.exclude(status="done").values_list("status", "error")),
}))
"""


@dataclass
class World:
    """One database and data folder, and processes that work on them."""

    folder: Path
    url: str
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, code: str) -> subprocess.Popen[str]:
        """Run code in a process of its own; returns when it says that it begins its work."""
        code = code.replace("FILE", str(self.folder / "orders.csv"))
        code = code.replace("EARLIER", str(self.folder / "earlier.csv"))
        process = subprocess.Popen(
            [sys.executable, "-c", f"import django\ndjango.setup()\n{code}"],
            cwd=ROOT,
            env=os.environ
            | {
                "DATABASE_URL": self.url,
                "KEEPWELL_DATA_DIR": str(self.folder),
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "SECRET_KEY": "x" * 40,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(process)
        return process

    def begin(self, code: str) -> subprocess.Popen[str]:
        """Start code, and wait until it says that it begins its work."""
        process = self.start(code)
        assert process.stdout
        assert process.stdout.readline() == "go\n", process.communicate()
        return process

    def run(self, code: str) -> str:
        """Run code to its end; return what it prints."""
        process = self.start(code)
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return out

    def content(self) -> dict[str, Any]:
        """All that the import may change, without ids, refs and times of recording."""
        found: dict[str, Any] = json.loads(self.run(CONTENT))
        return found

    def kill(self, process: subprocess.Popen[str]) -> bool:
        """Kill a process at once; whether it was at work still."""
        was_at_work = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return was_at_work


def write_files(folder: Path) -> None:
    """Orders of three lines each; some changed, far apart, refused, or of newcomers."""
    chance = random.Random(7)  # noqa: S311 - no secret
    head = "order_id,customer_id,ordered_at,sku,quantity,unit_price"

    def line(number: int, extra: int = 0) -> str:
        who = f"c{number % 40}" if number % 9 else f"new{number % 300}"
        day = f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}"
        sku = "ABCDEFGH"[(number + extra) % 8] if number % 501 else "NEW"
        sku = sku if number % 97 else "-" * 65
        return f"o{number:06},{who},{day},{sku},{1 + extra},{number % 90}.5"

    earlier = [line(number) for number in range(1, ORDERS, 7) if number % 9]
    rows = [line(number, extra) for number in range(ORDERS) for extra in range(3)]
    for _far in range(400):
        rows.insert(chance.randrange(len(rows)), rows.pop(chance.randrange(len(rows))))
    (folder / "earlier.csv").write_text("\n".join([head, *earlier]))
    (folder / "orders.csv").write_text("\n".join([head, *rows]))


@dataclass
class Server:
    """A PostgreSQL server with the settings it has in earnest."""

    cluster: Cluster
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            self.cluster.command(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **self.cluster.identity(),
        )
        assert self.cluster.wait(60)

    def stop_at_once(self) -> None:
        """Stop it in the midst of whatever it does; it recovers at the next start."""
        assert self.process
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def new_database(self, name: str) -> str:
        """Make an empty database and return its address."""
        import psycopg

        with psycopg.connect(self.cluster.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.cluster.url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    server = Server(cluster_of(folder))
    server.cluster.initialise()
    server.start()
    yield server
    server.stop_at_once()
    shutil.rmtree(folder_for(folder), ignore_errors=True)


NewWorld = Callable[[str], World]


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewWorld]:
    """``name -> world`` in which customers, products and earlier orders are known."""
    worlds: list[World] = []

    def make(name: str) -> World:
        folder = tmp_path / name
        folder.mkdir()
        url = f"sqlite:///{folder / 'db.sqlite3'}"
        if request.param == "postgres":
            server: Server = request.getfixturevalue("server")
            url = server.new_database(f"{name}_{time.monotonic_ns()}")
        worlds.append(made := World(folder, url))
        write_files(folder)
        made.run(PREPARE)
        return made

    yield make
    for each in worlds:
        for child in each.children:
            if child.poll() is None:
                child.kill()


def undisturbed(world: World) -> tuple[dict[str, Any], float]:
    """What the import comes to when nothing happens to it, and how long it takes."""
    process = world.begin(IMPORT)
    began = time.monotonic()
    _out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return world.content(), time.monotonic() - began


ON_BOTH = pytest.mark.parametrize("world", ["sqlite", "postgres"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("world", ["postgres"], indirect=True)


def moments(seconds: float) -> list[float]:
    """After how much work to strike: in the midst of checking, and ever further on in writing."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    print(f"KEEPWELL_FAULT_SEED={SEED}")
    checking = [chance.uniform(0, 0.35) * seconds for _kill in range(3)]
    return checking + [chance.uniform(0.02, 0.55) * seconds for _kill in range(KILLS - 3)]


@ON_BOTH
def test_an_import_killed_at_ten_random_points_equals_an_undisturbed_one(world: NewWorld) -> None:
    wanted, seconds = undisturbed(world("calm"))
    stormy = world("stormy")
    hits = 0
    for after in moments(seconds):
        process = stormy.begin(IMPORT)
        time.sleep(after / 2)
        hits += stormy.kill(process)

    stormy.run(IMPORT)

    assert hits >= 5, "it was done too soon to be killed ten times"
    assert wanted["counts"][0] == 3 * ORDERS
    assert all(wanted["counts"][1:3]), wanted["counts"]
    assert stormy.content() == wanted


@ON_BOTH
def test_a_killed_worker_s_upload_is_gone_on_with_by_the_next_sweep(world: NewWorld) -> None:
    wanted, seconds = undisturbed(world("calm"))
    stormy = world("stormy")
    stormy.run(UPLOAD)
    for after in moments(seconds)[::3]:
        process = stormy.begin(SWEEP)
        time.sleep(2 + after / 2)
        stormy.kill(process)

    stormy.run(SWEEP)

    assert stormy.content() == wanted


@ON_POSTGRES
def test_a_restart_of_the_database_in_mid_import_changes_nothing(
    world: NewWorld, server: Server
) -> None:
    wanted, seconds = undisturbed(world("calm"))
    stormy = world("stormy")
    process = stormy.begin(IMPORT)
    for share in (0.15, 0.3, 0.3):
        time.sleep(share * seconds)
        assert process.poll() is None
        server.stop_at_once()
        time.sleep(0.5)
        server.start()

    _out, errors = process.communicate(timeout=300)

    assert process.returncode == 0, errors
    assert stormy.content() == wanted


@ON_POSTGRES
def test_an_upload_goes_on_by_itself_after_a_restart_of_the_database(
    world: NewWorld, server: Server
) -> None:
    wanted, seconds = undisturbed(world("calm"))
    stormy = world("stormy")
    stormy.run(UPLOAD)
    process = stormy.begin(SWEEP)
    time.sleep(seconds / 2)
    server.stop_at_once()
    server.start()

    _out, errors = process.communicate(timeout=300)

    assert process.returncode == 0, errors
    assert stormy.content() == wanted
