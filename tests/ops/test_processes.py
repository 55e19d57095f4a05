"""Children are kept alive and end together."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.embedded.processes import Child, Processes

Lines = list[tuple[str, str]]


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def processes(tmp_path: Path, lines: Lines) -> Iterator[Processes]:
    with (tmp_path / "lock").open("w") as lock:
        running = Processes(
            tmp_path / "state.json", lambda *line: lines.append(line), lock.fileno()
        )
        yield running
        running.stop()


def child(name: str, code: str, **fields: object) -> Child:
    return Child(name, [sys.executable, "-c", code], dict(os.environ), **fields)  # type: ignore[arg-type]


def until(holds: Callable[[], object], processes: Processes) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        processes.watch()
        time.sleep(0.05)


def test_what_a_child_says_comes_with_its_name(processes: Processes, lines: Lines) -> None:
    code = processes.run(child("demo", "print('one'); print('hush: two')", untold=("hush",)))
    until(lambda: lines, processes)
    assert code == 0
    assert lines == [("demo", "one")]


def test_an_ended_child_is_started_again_later_and_later(
    processes: Processes, lines: Lines
) -> None:
    processes.start(child("beat", "raise SystemExit(3)"))
    until(lambda: len(lines) == 2, processes)
    assert lines == [
        ("up", "beat ended (code 3); again in 0.5 s"),
        ("up", "beat ended (code 3); again in 1 s"),
    ]


def test_process_ids_are_published(processes: Processes, tmp_path: Path) -> None:
    sleeper = child("web", "import time; time.sleep(60)")
    processes.start(sleeper)
    assert sleeper.process is not None
    published = json.loads((tmp_path / "state.json").read_text())
    assert published == {"up": os.getpid(), "web": sleeper.process.pid}


def test_a_stubborn_child_and_its_own_children_are_killed(
    processes: Processes, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.embedded.processes.GRACE_SECONDS", 0.5)
    stubborn = child(
        "worker",
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)",
    )
    processes.start(stubborn)
    until(lambda: lines, processes)
    grandchild = int(lines[0][1])
    processes.stop()
    assert stubborn.process is not None
    assert stubborn.process.returncode == -signal.SIGKILL
    until(lambda: not is_alive(grandchild), processes)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
