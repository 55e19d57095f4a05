"""The bank test: whatever dies while points are earned and used, none is lost and none doubled.

Processes do thousands of operations of every kind, a tenth of them twice at once, some under a key
that stands for something else. On PostgreSQL one process a second is killed, and the server again
and again. What was acknowledged is compared with what is written. ``make faults`` does it in full
size; ``KEEPWELL_FAULT_SEED`` chooses the operations and the moments to strike.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from tests.faults import banking
from tests.faults.worlds import PATIENCE, SEED, Server, World, server

__all__ = ["server"]
pytestmark = [pytest.mark.slow, pytest.mark.system]
IN_FULL = int(os.environ.get("KEEPWELL_FAULT_ROUNDS", "1")) > 1
ON_POSTGRES = (20_000, 8, 12) if IN_FULL else (1_000, 8, 2)  # operations, processes, kills
ON_SQLITE = (5_000, 3) if IN_FULL else (500, 3)
AT_WORK = 10  # operations answered from one kill to the next, at the least
SAME = ("transaction", "refund", "redemption", "reversed", "hold", "captured", "adjustment")
TRY_AGAIN = "points_moved"  # a refusal of that instant only
AT_LEAST = ("merge", "split")  # whoever asks again after a kill hears that it was done


@pytest.fixture
def world(tmp_path: Path, server: Server | None) -> Iterator[World]:
    url = server.copy_of("") if server else f"sqlite:///{tmp_path / 'db.sqlite3'}"
    world = World(tmp_path, url, server)
    yield world
    world.leave()


@dataclass
class Day:
    """What the processes were answered."""

    answers: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    kinds: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> Day:
        """Read what every process noted."""
        day = cls()
        for path in sorted(folder.glob("answers-*")):
            for said in banking.read_answers(path):
                day.answers[said["number"]].append(said["answer"])
                day.kinds[said["kind"]] += 1
                day.refused[said["answer"].get("refused", "")] += 1
                day.lost.update(said["lost"])
                day.seconds.append(said["seconds"])
        day.seconds.sort()
        return day

    def acknowledged(self, name: str) -> list[int]:
        """What was answered under a name, each once."""
        told = {answer[name] for said in self.answers.values() for answer in said if name in answer}
        return sorted(told)

    def slowest(self) -> float:
        """Seconds within which 99 in 100 operations were answered."""
        return self.seconds[len(self.seconds) * 99 // 100]

    def contradictions(self) -> dict[int, list[Any]]:
        """Operations that were answered with one thing, and again with another."""
        return {
            number: said
            for number, said in self.answers.items()
            if len({str(one) for one in said if "refused" not in one}) > 1
        }


def begin(world: World, slot: int, count: int, processes: int) -> BaseProcess:
    return world.begin(banking.operate, world.folder, slot, count, processes, SEED)


def lines_in(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n{") + 1 for path in folder.glob("answers-*"))


def check(world: World, count: int, processes: int) -> Day:
    """Compare what was acknowledged with what is written; return what was."""
    day = Day.of(world.folder)
    world.run(banking.settle_down)
    found = world.run(banking.written)
    planned = [one for own in banking.plan(count, processes, SEED) for one in own]
    numbers = [one.number for one in planned]
    doubles = [one for one, times in Counter(numbers).items() if times > 1]
    earned = {one.number for one in planned if one.kind == "earn"}
    assert sum(day.kinds.values()) == count
    assert set(day.kinds) == set(banking.KINDS)
    assert 0.05 * count < len(doubles) < 0.15 * count
    assert set(day.answers) == set(numbers)
    assert day.contradictions() == {}
    assert found["drifts"] == []
    assert found["below_zero"] == 0
    for name in SAME:
        assert day.acknowledged(name) == found[name], name
    for name in AT_LEAST:
        assert set(day.acknowledged(name)) <= set(found[name]), name
    assert set(day.acknowledged("voided")) <= set(found["voided_or_over"])
    assert found["orders_earned"] == len(earned)
    assert found["refunds_answered"] == len(found["refund"])
    assert found["restored"] == len(found["reversed"])
    assert day.acknowledged("changed") == []
    assert day.refused["source_key_reused"] > 0
    assert day.refused["too_few_points"] > 0
    assert found["expired"] > 0
    refused = [
        (one.number, one.who, one.points, day.answers[one.number][0]["refused"])
        for one in {each.number: each for each in planned if each.kind == "redeem"}.values()
        if day.answers[one.number][0].get("refused") not in (None, TRY_AGAIN)
    ]
    assert refused
    (world.folder / "redeems").write_text(json.dumps(refused))
    assert world.run(banking.retry_refused, world.folder) == {}
    again = world.run(banking.written)
    assert again["redemption"] == found["redemption"]
    assert again["drifts"] == []
    print(f"{dict(day.kinds)}, refused {dict(day.refused)}, asked again {dict(day.lost)}")
    return day


@pytest.mark.postgres
def test_no_point_is_lost_or_doubled_whoever_is_killed(world: World) -> None:
    count, processes, crashes = ON_POSTGRES
    chance = random.Random(SEED)  # noqa: S311 - no secret
    print(f"KEEPWELL_FAULT_SEED={SEED}")
    server = world.server
    assert server
    world.run(banking.prepare, world.folder, count, processes, SEED)
    workers = {slot: begin(world, slot, count, processes) for slot in range(processes)}
    moments = [count * (number + 1) // (crashes + 1) for number in range(crashes)]
    began, kills = time.monotonic(), 0
    next_kill, enough = began + 1, 0
    while any(one.exitcode != 0 for one in workers.values()):
        assert time.monotonic() < began + max(PATIENCE, count / 2), "it does not end"
        time.sleep(0.1)
        for one in workers.values():
            assert one.exitcode in (None, 0), (world.folder / "errors").read_text()[-3000:]
        answered = lines_in(world.folder)
        if moments and answered >= moments[0]:
            moments.pop(0)
            server.stop()
            server.start()
        busy = [slot for slot, one in workers.items() if one.exitcode is None]
        # On a machine so busy that processes hardly get going, they are left alone a little.
        if busy and time.monotonic() > next_kill and answered >= enough:
            next_kill, enough = time.monotonic() + 1, answered + AT_WORK
            slot = chance.choice(busy)
            workers[slot].kill()
            workers[slot].join()
            kills += 1
            workers[slot] = begin(world, slot, count, processes)
    seconds = time.monotonic() - began

    day = check(world, count, processes)

    assert moments == []
    print(
        f"{count} operations in {seconds:.0f} s = {count / seconds:.0f}/s, {kills} processes and "
        f"{crashes} servers killed, {sum(day.lost.values())} times no answer"
    )


def undisturbed(world: World, count: int, processes: int) -> Day:
    """Let processes do their operations, compare what was acknowledged, and return it."""
    world.run(banking.prepare, world.folder, count, processes, SEED)
    began = time.monotonic()
    workers = [begin(world, slot, count, processes) for slot in range(processes)]
    for one in workers:
        one.join(max(PATIENCE, count / 5))
        assert one.exitcode == 0, (world.folder / "errors").read_text()[-3000:]
    seconds = time.monotonic() - began
    day = check(world, count, processes)
    print(f"{count} operations in {seconds:.0f} s, 99 in 100 within {1000 * day.slowest():.0f} ms")
    return day


def test_processes_at_work_on_one_file_never_find_it_locked(world: World) -> None:
    print(f"KEEPWELL_FAULT_SEED={SEED}")
    assert undisturbed(world, *ON_SQLITE).lost == {}
