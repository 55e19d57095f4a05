"""Imports killed at random, and with the database restarted under them, lose and double nothing.

The result is compared with that of the same file imported without disturbance.
``KEEPWELL_FAULT_ROUNDS`` repeats it all; ``KEEPWELL_FAULT_SEED`` chooses the moments to strike.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.embedded.postgres import Cluster, PostgresMissing, cluster_of, folder_for
from tests.faults import importing
from tests.requirements import session_is_on_postgres

pytestmark = [pytest.mark.slow, pytest.mark.system]
ROUNDS = int(os.environ.get("KEEPWELL_FAULT_ROUNDS", "1"))
SEED = int(os.environ.get("KEEPWELL_FAULT_SEED", str(random.randrange(10**6))))  # noqa: S311
PATIENCE = 240.0  # seconds; two cores may be busy with other tests
ROUND = pytest.mark.parametrize("number", range(ROUNDS))
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload([importing.__name__])


@dataclass
class Server:
    """A PostgreSQL server as in earnest, but for what only matters when the machine fails."""

    cluster: Cluster
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            self.cluster.command({"fsync": "off"}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **self.cluster.identity(),
        )
        assert self.cluster.wait(60)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it in the midst of whatever it does; by SIGQUIT it has to recover afterwards."""
        assert self.process
        self.process.send_signal(how)
        self.process.wait(60)

    def copy_of(self, url: str) -> str:
        """Return the address of a new database that holds what another holds; or of an empty one.

        url: of the other; nobody may be connected to it.
        """
        name = f"world_{time.monotonic_ns()}"
        command = f"CREATE DATABASE {name}"
        if url:
            command += f" TEMPLATE {url.rsplit('/', 1)[1]}"
        with psycopg.connect(self.cluster.url, autocommit=True) as connection:
            connection.execute(command)
            # Else the copy's sequences would give out numbers again after a crash: what the
            # original logged ahead is not in the copy's log.
            connection.execute("CHECKPOINT")
        return self.cluster.url.rsplit("/", 1)[0] + f"/{name}"


@dataclass
class World:
    """One database and data folder, and the processes that work on them."""

    folder: Path
    url: str
    server: Server | None
    children: list[tuple[BaseProcess, Connection]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """The orders to import."""
        return self.folder / "orders.csv"

    def begin(self, work: Callable[..., Any], *arguments: Any) -> BaseProcess:
        """Start some work in a process of its own; return once it begins."""
        here, there = forks.Pipe(duplex=False)
        told = (self.folder, self.url, there, work, arguments)
        process = forks.Process(target=importing.at_work, args=told)
        process.start()
        there.close()
        self.children.append((process, here))
        assert here.poll(PATIENCE), "it does not begin"
        assert here.recv() == "begins"
        return process

    def end(self, process: BaseProcess) -> Any:
        """Wait for the end of the latest process; return what it answered."""
        process.join(PATIENCE)
        assert process.exitcode == 0, (self.folder / "errors").read_text()
        return self.children[-1][1].recv()

    def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Let some work be done; return its answer."""
        return self.end(self.begin(work, *arguments))

    def copied(self, folder: Path) -> World:
        """Return a world of its own with the same content."""
        shutil.copytree(self.folder, folder)
        if self.server:
            return World(folder, self.server.copy_of(self.url), self.server)
        return World(folder, f"sqlite:///{folder / 'db.sqlite3'}", None)

    def leave(self) -> None:
        """End whatever is at work still."""
        for process, pipe in self.children:
            process.kill()
            process.join()
            pipe.close()


@dataclass
class Calm:
    """What the import comes to when nothing happens to it, and the seconds it takes."""

    before: World
    content: dict[str, Any]
    seconds: float


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server | None]:
    if not session_is_on_postgres():
        yield None
        return
    folder = tmp_path_factory.mktemp("server")
    try:
        server = Server(cluster_of(folder))
    except PostgresMissing as error:
        pytest.skip(str(error))
    server.cluster.initialise()
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder_for(folder), ignore_errors=True)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, server: Server | None) -> Iterator[Calm]:
    folder = tmp_path_factory.mktemp("before")
    url = server.copy_of("") if server else f"sqlite:///{folder / 'db.sqlite3'}"
    before = World(folder, url, server)
    before.run(importing.prepare, folder)
    world = before.copied(tmp_path_factory.mktemp("calm") / "world")
    process = world.begin(importing.import_orders, world.file)
    began = time.monotonic()
    world.end(process)
    seconds = time.monotonic() - began
    yield Calm(before, world.run(importing.content), seconds)
    before.leave()
    world.leave()


NewWorld = Callable[[], World]


@pytest.fixture
def world(tmp_path: Path, calm: Calm) -> Iterator[NewWorld]:
    """A function that makes worlds as they are before the import; SQLite or PostgreSQL."""
    worlds: list[World] = []

    def make() -> World:
        worlds.append(calm.before.copied(tmp_path / f"world{len(worlds)}"))
        return worlds[-1]

    yield make
    for each in worlds:
        each.leave()


def chances(number: int) -> random.Random:
    """Moments to strike: the same by seed."""
    print(f"KEEPWELL_FAULT_SEED={SEED}")
    return random.Random(SEED + number)  # noqa: S311 - no secret


def test_the_file_is_one_of_every_kind_of_row(calm: Calm) -> None:
    rows, created, updated, unchanged, rejected = calm.content["counts"]
    assert rows == 3 * importing.ORDERS
    assert created > 1_000
    assert updated > 1_000
    assert unchanged == 0
    assert rejected > 100
    assert calm.content["rows_made"] == {
        "crm.Order": created,
        "crm.Customer": calm.content["customers"][0] - importing.CUSTOMERS,
        "crm.Product": 1,
    }
    assert calm.content["unfinished"] == []


@ROUND
def test_an_import_killed_at_ten_random_points_equals_an_undisturbed_one(
    world: NewWorld, calm: Calm, number: int
) -> None:
    chance, stormy, kills = chances(number), world(), 0
    while kills < 10:
        process = stormy.begin(importing.import_orders, stormy.file)
        process.join(chance.uniform(0, 0.8) * calm.seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
        else:  # it came to its end before the next kill
            stormy.end(process)
            assert stormy.run(importing.content) == calm.content
            stormy = world()

    stormy.run(importing.import_orders, stormy.file)

    assert stormy.run(importing.content) == calm.content


@ROUND
def test_a_killed_worker_s_upload_is_gone_on_with_by_the_next_sweep(
    world: NewWorld, calm: Calm, number: int
) -> None:
    chance, stormy = chances(number), world()
    stormy.run(importing.upload, stormy.file)
    for lease in (0, 2, 2):  # a killed worker's claim must end first
        process = stormy.begin(importing.sweep)
        process.join(lease + chance.uniform(0, 0.8) * calm.seconds)
        process.kill()
        process.join()

    stormy.run(importing.sweep)

    assert stormy.run(importing.content) == calm.content


@ROUND
@pytest.mark.postgres
def test_restarts_of_the_database_in_mid_import_change_nothing(
    world: NewWorld, calm: Calm, server: Server, number: int
) -> None:
    chance, stormy, restarts = chances(number), world(), 0
    process = stormy.begin(importing.import_orders, stormy.file)
    while restarts < 3:
        process.join(chance.uniform(0.1, 0.6) * calm.seconds)
        if process.exitcode is not None:
            stormy.end(process)
            assert stormy.run(importing.content) == calm.content
            stormy = world()
            process = stormy.begin(importing.import_orders, stormy.file)
            continue
        server.stop(signal.SIGINT if restarts == 1 else signal.SIGQUIT)
        time.sleep(0.5)
        server.start()
        restarts += 1

    stormy.end(process)

    assert stormy.run(importing.content) == calm.content


@ROUND
@pytest.mark.postgres
def test_an_upload_goes_on_by_itself_after_a_restart_of_the_database(
    world: NewWorld, calm: Calm, server: Server, number: int
) -> None:
    chance, stormy = chances(number), world()
    stormy.run(importing.upload, stormy.file)
    process = stormy.begin(importing.sweep)
    process.join(chance.uniform(0.2, 0.6) * calm.seconds)
    server.stop()
    server.start()

    stormy.end(process)

    assert stormy.run(importing.content) == calm.content
