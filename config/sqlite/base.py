"""SQLite whose writers take turns: whoever asked first writes first.

SQLite has no queue. Who finds another one writing looks again after ever longer naps, up to a tenth
of a second each, and whoever comes by in between goes first; with four processes at work one in a
hundred waited more than a second. So writers line up for a lock on the database's folder, which the
kernel gives in the order of asking and takes from the dead. Only the first in line asks SQLite, a
thousand times a second, and makes way once it may write. The line is a courtesy: that only one
writes at a time is SQLite's doing.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from django.db.utils import OperationalError

from common.contention import is_in_the_way

NAP = 0.001  # seconds, of the first in line
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for the line of writers."""

    @cached_property
    def patience(self) -> float:
        """Seconds after which a writer gives up: the option ``timeout``, as for SQLite itself."""
        return float(self.settings_dict["OPTIONS"].get("timeout", 5))

    def create_cursor(self, name: str | None = None) -> Any:
        """Return a cursor that lines up for what it writes outside a transaction."""
        return self.connection.cursor(factory=partial(_Cursor, self))

    def _start_transaction_under_autocommit(self) -> None:
        self.take_turn(super()._start_transaction_under_autocommit)  # type: ignore[misc]

    def take_turn(self, write: Callable[[], Any]) -> Any:
        """Do something that needs SQLite's write lock, in the order of asking; return its answer.

        :raises OperationalError: another one wrote all the time.
        """
        if self.is_in_memory_db():
            return write()
        gives_up = time.monotonic() + self.patience
        with _first_in_line(Path(self.settings_dict["NAME"]).parent), self._without_naps():
            while True:
                try:
                    return write()
                except (OperationalError, sqlite3.OperationalError) as error:
                    if not is_in_the_way(error) or time.monotonic() > gives_up:
                        raise
                time.sleep(NAP)

    @contextmanager
    def _without_naps(self) -> Iterator[None]:
        """SQLite answers at once meanwhile."""
        self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {1000 * self.patience:.0f}")


class _Cursor(SQLiteCursorWrapper):
    """A cursor that lines up for statements that are transactions of their own."""

    def __init__(self, wrapper: DatabaseWrapper, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.take_turn = wrapper.take_turn

    def execute(self, query: str, params: Any = None) -> Any:
        return self._in_turn(query, partial(super().execute, query, params))

    def executemany(self, query: str, param_list: Any) -> Any:
        return self._in_turn(query, partial(super().executemany, query, param_list))

    def _in_turn(self, query: str, run: Callable[[], Any]) -> Any:
        if self.connection.in_transaction or not query.lstrip()[:7].upper().startswith(WRITES):
            return run()
        return self.take_turn(run)


@contextmanager
def _first_in_line(folder: Path) -> Iterator[None]:
    """Wait for those who asked before; of a folder that can't be locked there is no line."""
    line = None
    with suppress(OSError):
        line = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(line, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if line is not None:
            with suppress(OSError):
                fcntl.flock(line, fcntl.LOCK_UN)  # also for those forked meanwhile
            os.close(line)
