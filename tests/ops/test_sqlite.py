"""Writers of one SQLite file take turns, in the order of asking."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.db import OperationalError, connections, transaction

from config.environment import read_environment
from config.sqlite import base

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
LOCKS = Path("/proc/locks")  # where the kernel names who has a lock, and who waits ("->")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with connected(tmp_path) as file, file.cursor() as cursor:
        cursor.execute("CREATE TABLE came (who INTEGER)")
    return tmp_path


@contextmanager
def connected(folder: Path, timeout: float = 20) -> Iterator[base.DatabaseWrapper]:
    """Connect this thread to the file as an installation does."""
    told = {"default": read_environment({"KEEPWELL_DATA_DIR": str(folder)}).database}
    settings = connections.configure_settings(told)["default"]
    settings["OPTIONS"]["timeout"] = timeout
    with closing(base.DatabaseWrapper(settings, "file")) as file:
        connections["file"] = file
        yield file
    del connections["file"]


def came(folder: Path) -> list[int]:
    with connected(folder) as file, file.cursor() as cursor:
        return [who for (who,) in cursor.execute("SELECT who FROM came ORDER BY rowid").fetchall()]


def write(folder: Path, who: int) -> None:
    """Write a number, every second one in a transaction."""
    with connected(folder) as file, file.cursor() as cursor:
        if who % 2:
            cursor.execute("INSERT INTO came VALUES (%s)", [who])
            return
        with transaction.atomic("file"):
            cursor.execute("INSERT INTO came VALUES (%s)", [who])


def begin(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    return thread


def wait_for_line(folder: Path, length: int) -> None:
    """Wait until so many are in line behind its first; where nobody can tell, for a moment."""
    if not LOCKS.exists():
        time.sleep(0.3)
        return
    name, deadline = f":{folder.stat().st_ino} ", time.monotonic() + 20
    while time.monotonic() < deadline:
        rows = [row for row in LOCKS.read_text().splitlines() if name in row and "FLOCK" in row]
        if len(rows) == length + 1:
            return
        time.sleep(0.005)
    raise AssertionError(rows)


def test_whoever_asked_first_writes_first(folder: Path) -> None:
    with connected(folder), transaction.atomic("file"):
        writers = []
        for who in range(6):
            writers.append(begin(write, folder, who))
            wait_for_line(folder, who)
        assert came_meanwhile(folder) == []
    for one in writers:
        one.join(20)
    assert came(folder) == [0, 1, 2, 3, 4, 5]


def came_meanwhile(folder: Path) -> list[int]:
    found: list[int] = []
    begin(lambda: found.extend(came(folder))).join(20)
    return found


def test_whoever_waited_too_long_gives_up_and_makes_way(folder: Path) -> None:
    with connected(folder), transaction.atomic("file"):
        refused: list[str] = []

        def give_up() -> None:
            with connected(folder, timeout=0.2) as file, file.cursor() as cursor:
                try:
                    cursor.execute("INSERT INTO came VALUES (9)")
                except OperationalError as error:
                    refused.append(str(error))

        first = begin(give_up)
        wait_for_line(folder, 0)
        second = begin(write, folder, 2)
        first.join(20)
        assert refused == ["database is locked"]
    second.join(20)
    assert came(folder) == [2]


def test_sqlite_is_as_patient_as_before_after_a_turn(folder: Path) -> None:
    with connected(folder) as file:
        with transaction.atomic("file"), file.cursor() as cursor:
            cursor.execute("INSERT INTO came VALUES (1)")
        with file.cursor() as cursor:
            assert cursor.execute("PRAGMA busy_timeout").fetchone() == (20_000,)


def test_another_error_is_told_at_once(folder: Path) -> None:
    with connected(folder) as file, file.cursor() as cursor:
        began = time.monotonic()
        with pytest.raises(OperationalError, match="no such table"):
            cursor.execute("INSERT INTO nowhere VALUES (1)")
        assert time.monotonic() - began < 10


def test_without_a_line_there_is_sqlite_s_own_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError

    monkeypatch.setattr(base.fcntl, "flock", refuse)
    with connected(folder) as file, file.cursor() as cursor:
        cursor.execute("INSERT INTO came VALUES (7)")
    monkeypatch.undo()
    assert came(folder) == [7]
