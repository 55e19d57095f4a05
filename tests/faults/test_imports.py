"""Imports killed at random, and with the database restarted under them, lose and double nothing.

The result is compared with that of the same file imported without disturbance.
``KEEPWELL_FAULT_ROUNDS`` repeats it all; ``KEEPWELL_FAULT_SEED`` chooses the moments to strike.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults import importing
from tests.faults.worlds import SEED, Server, World, server

__all__ = ["server"]
pytestmark = [pytest.mark.slow, pytest.mark.system]
ROUNDS = int(os.environ.get("KEEPWELL_FAULT_ROUNDS", "1"))
ROUND = pytest.mark.parametrize("number", range(ROUNDS))


@dataclass
class Calm:
    """What the import comes to when nothing happens to it, and the seconds it takes."""

    before: World
    content: dict[str, Any]
    seconds: float


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
        else:
            stormy.end(process)
        if stormy.run(importing.is_through):  # before the next kill, or a moment before this one
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
