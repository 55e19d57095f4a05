"""A sync of facts killed at random leaves the store before it or the one after it, and readable.

``KEEPWELL_FAULT_ROUNDS`` repeats it all; ``KEEPWELL_FAULT_SEED`` chooses the moments to strike.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import syncing
from tests.faults.worlds import SEED, Server, World, server

__all__ = ["server"]
pytestmark = [pytest.mark.slow, pytest.mark.system]
ROUNDS = int(os.environ.get("KEEPWELL_FAULT_ROUNDS", "1"))
STRIKES = 4


@pytest.fixture
def calm(tmp_path: Path, server: Server | None) -> Iterator[World]:
    """Two years of orders, and no store yet."""
    folder = tmp_path / "world"
    folder.mkdir()
    url = server.copy_of("") if server else f"sqlite:///{folder / 'db.sqlite3'}"
    made = World(folder, url, server)
    made.run(syncing.prepare, folder)
    yield made
    made.leave()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_sync_killed_at_any_moment_leaves_a_whole_store(calm: World, number: int) -> None:
    print(f"KEEPWELL_FAULT_SEED={SEED}")
    chance = random.Random(SEED + number)  # noqa: S311 - no secret
    began = time.monotonic()
    assert calm.run(syncing.sync_facts)
    seconds = time.monotonic() - began
    after = calm.run(syncing.kept)
    assert after == calm.run(syncing.recorded)
    killed = 0
    for strike in range(STRIKES):
        before = after
        calm.run(syncing.change, 1000 * (strike + 1))
        after = calm.run(syncing.recorded)
        process = calm.begin(syncing.sync_facts)
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        process.join()
        killed += process.exitcode != 0
        found = calm.run(syncing.kept)
        assert found in (before, after)
        if chance.random() < 0.5:  # else the next strike meets what this one left
            assert not calm.run(syncing.sync_facts)  # the months that changed, not everything
            assert calm.run(syncing.kept) == after
            assert calm.run(syncing.left_over) == []
        else:
            after = found
    calm.run(syncing.sync_facts)
    assert calm.run(syncing.kept) == calm.run(syncing.recorded)
    assert killed
