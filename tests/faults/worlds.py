"""Databases of their own, and processes that work on them and may be killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.embedded.postgres import Cluster, PostgresMissing, cluster_of, folder_for
from tests.faults import banking, importing
from tests.requirements import session_is_on_postgres

SEED = int(os.environ.get("KEEPWELL_FAULT_SEED", str(random.randrange(10**6))))  # noqa: S311
PATIENCE = 240.0  # seconds; two cores may be busy with other tests
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload([importing.__name__, banking.__name__])


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
        pipe, answer = self.children[-1][1], None
        if pipe.poll(PATIENCE):
            with suppress(EOFError):  # it ended without
                answer = pipe.recv()  # before the end: of more than a pipe takes, the end waits
        process.join(PATIENCE)
        assert process.exitcode == 0, (self.folder / "errors").read_text()
        return answer

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
