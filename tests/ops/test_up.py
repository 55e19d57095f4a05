"""The whole system in one process tree."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ROOT, RunningKeepwell, running, wait_for

__all__ = ["running"]
pytestmark = [pytest.mark.slow, pytest.mark.system]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_serves_and_every_check_holds(running: RunningKeepwell) -> None:
    assert running.get("/healthz/live").json == {"status": "ok"}
    assert set(running.get("/healthz/ready").json["checks"].values()) == {"ok"}
    expected = {"up", "broker", "web", "worker", "beat"}
    assert set(running.pids) == expected | ({"postgres"} if running.on_postgres else set())


def test_a_second_start_on_the_same_data_is_refused(running: RunningKeepwell) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"KEEPWELL_DATA_DIR": str(running.data_dir)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "already running" in done.stderr


def test_a_busy_port_is_refused_in_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "manage.py", "up", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | {"KEEPWELL_DATA_DIR": str(tmp_path / "data")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["web", "broker", "beat"])
def test_a_killed_part_comes_back(running: RunningKeepwell, name: str) -> None:
    running.kill(name)
    running.wait_until_ready()


def family(installation: RunningKeepwell) -> set[int]:
    """The parts and their own children."""
    parts = set(installation.pids.values())
    return parts | {
        int(pid)
        for part in parts
        for task in Path(f"/proc/{part}/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind_however_it_ends(running: RunningKeepwell, number: int) -> None:
    if not running.pids:
        running.start()
    members = family(running)
    assert len(members) > len(running.pids)
    assert running.stop(number) == (0 if number != signal.SIGKILL else -9)
    wait_for(lambda: not [pid for pid in members if is_alive(pid)], "all gone", 10)
