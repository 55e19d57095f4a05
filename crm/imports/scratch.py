"""The scratch file of one import: its checked rows, sorted by record, and its refused rows.

A small SQLite file, so that memory does not grow with the import, and a killed run can go on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from common.errors import Conflict

FETCH_ROWS = 5_000
Row = tuple[Any, ...]
Reject = tuple[int, str, str, str]  # line, column, value, reason


class ScratchLost(Conflict):
    """The scratch file of an interrupted import is gone or broken; it starts again."""

    code = "import_scratch_lost"
    message = _("The interrupted import can't go on; it starts again.")


class Scratch:
    """Rows are ``(line, key, *columns)``; key is the id of the record a row belongs to.

    Where the rows of every record follow each other, as in most files, records come in the order
    of the file; else they are sorted by key.
    """

    def __init__(self, path: Path, columns: Sequence[str], kept: Sequence[str]) -> None:
        """Begin a new scratch file, replacing whatever is at ``path``.

        kept: those of the columns that are filled; the others come back as None.
        """
        path.unlink(missing_ok=True)
        self.path, self.columns, self.kept = path, tuple(columns), tuple(kept)
        self.connection = _connect(path)
        self.connection.execute("PRAGMA journal_mode=OFF")  # a half-written file is thrown away
        names = "".join(f', "{name}"' for name in kept)
        self.connection.executescript(
            f"CREATE TABLE line (line INTEGER PRIMARY KEY, key TEXT NOT NULL{names});"
            "CREATE TABLE reject (line INTEGER, name TEXT, value TEXT, reason TEXT,"
            " PRIMARY KEY (line, name)) WITHOUT ROWID;"
            "CREATE TABLE spoiled (key TEXT PRIMARY KEY) WITHOUT ROWID;"
            "CREATE TABLE newcomer (number INTEGER PRIMARY KEY, noun TEXT, code TEXT, told TEXT,"
            " is_needed INTEGER NOT NULL DEFAULT 0, UNIQUE (noun, code));"
            "CREATE TABLE finding (name TEXT PRIMARY KEY, value TEXT);"
            "CREATE TABLE run (key TEXT);"
        )
        self._last_key = ""
        places = ", ".join("?" * (len(self.kept) + 2))
        self._insert = f"INSERT INTO line VALUES ({places})"  # noqa: S608 - question marks only

    @classmethod
    def reopen(cls, path: Path, columns: Sequence[str], kept: Sequence[str]) -> Scratch:
        """Return the fully checked scratch file of an interrupted run.

        :raises ScratchLost: there is none.
        """
        scratch = cls.__new__(cls)
        scratch.path, scratch.columns, scratch.kept = path, tuple(columns), tuple(kept)
        if not path.exists():
            raise ScratchLost
        try:
            scratch.connection = _connect(path)
            if scratch.finding("rows") is None:
                scratch.close()
                raise ScratchLost
        except sqlite3.DatabaseError as error:
            raise ScratchLost from error
        return scratch

    def add_rows(self, rows: Iterable[Row], keys: Sequence[str]) -> None:
        """Keep checked rows. keys: theirs, in the same order."""
        self.connection.executemany(self._insert, rows)
        before = chain([self._last_key], keys)
        begun = [(key,) for key, last in zip(keys, before, strict=False) if key != last]
        self.connection.executemany("INSERT INTO run VALUES (?)", begun)
        self._last_key = keys[-1] if keys else self._last_key

    def add_rejects(self, rejects: Iterable[Reject]) -> None:
        """Keep what was wrong with rows; the same line and column once."""
        self.connection.executemany("INSERT OR REPLACE INTO reject VALUES (?, ?, ?, ?)", rejects)

    def add_spoiled(self, keys: Iterable[str]) -> None:
        """Remember records of which some row was refused."""
        self.connection.executemany(
            "INSERT OR IGNORE INTO spoiled VALUES (?)", ((key,) for key in keys)
        )

    def spoiled(self, keys: Sequence[str]) -> set[str]:
        """Return those of the records of which some row was refused."""
        places = ", ".join("?" * len(keys))
        query = f"SELECT key FROM spoiled WHERE key IN ({places})"  # noqa: S608
        return {key for (key,) in self.connection.execute(query, list(keys))}

    def number_new(self, noun: str, codes: Iterable[str]) -> dict[str, int]:
        """Return a number below zero for each code that nobody knows: the same for the same one."""
        numbers = {}
        for code in codes:
            query = "SELECT number FROM newcomer WHERE noun = ? AND code = ?"
            found = self.connection.execute(query, (noun, code)).fetchone()
            if found is None:
                command = "INSERT INTO newcomer (noun, code) VALUES (?, ?)"
                found = (self.connection.execute(command, (noun, code)).lastrowid,)
            numbers[code] = -found[0]
        return numbers

    def tell_new(self, noun: str, column: str, told: str) -> None:
        """Note which newcomers the usable rows need, and what those say.

        column: where their numbers stand.  told: SQL of a value; of the first row that has it.
        """
        query = (
            f"SELECT {column}, {told}, MIN(line) FROM line WHERE {column} < 0"  # noqa: S608
            f" AND {{}} GROUP BY {column}"
        )
        plain = "TRUE" if "(" in told else f"{told} IS NOT NULL"
        needed = self.connection.execute(query.format("TRUE")).fetchall()
        said = self.connection.execute(query.format(plain)).fetchall()
        self.connection.executemany(
            "UPDATE newcomer SET is_needed = 1 WHERE number = ? AND noun = ?",
            ((-number, noun) for number, *_rest in needed),
        )
        self.connection.executemany(
            "UPDATE newcomer SET told = ? WHERE number = ? AND noun = ?",
            ((value, -number, noun) for number, value, _line in said),
        )

    def told_of_new(self, numbers: Iterable[int]) -> dict[int, tuple[str, str, str | None]]:
        """Return noun, code and what was told, by number."""
        query = "SELECT noun, code, told FROM newcomer WHERE number = ?"
        return {number: self.connection.execute(query, (-number,)).fetchone() for number in numbers}

    def count_new(self) -> dict[str, int]:
        """Return how many newcomers are needed, by noun."""
        query = "SELECT noun, COUNT(*) FROM newcomer WHERE is_needed GROUP BY noun ORDER BY noun"
        return dict(self.connection.execute(query).fetchall())

    def lines_of(self, keys: Iterable[str]) -> list[int]:
        """Return the lines of some records."""
        query = "SELECT line FROM line WHERE key = ?"
        found = (self.connection.execute(query, (key,)).fetchall() for key in keys)
        return [line for rows in found for (line,) in rows]

    def remove_lines(self, lines: Iterable[int]) -> None:
        """Take rows out again that turned out unusable."""
        self.connection.executemany("DELETE FROM line WHERE line = ?", ((line,) for line in lines))

    def finish_checking(self, rows: int) -> None:
        """Declare all rows checked; from here on a killed run can go on."""
        again = "SELECT 1 FROM run GROUP BY key HAVING COUNT(*) > 1 LIMIT 1"
        order = "key" if self.connection.execute(again).fetchone() else "line"
        self.connection.executemany(
            "INSERT INTO finding VALUES (?, ?)", [("rows", str(rows)), ("order", order)]
        )
        self.connection.execute("DROP TABLE run")
        self.connection.commit()
        self.connection.execute("PRAGMA journal_mode=DELETE")

    def finding(self, name: str) -> str | None:
        """Return what was found out while checking."""
        query = "SELECT value FROM finding WHERE name = ?"
        found = self.connection.execute(query, (name,)).fetchone()
        return found[0] if found else None

    def records(self, after: str) -> Iterator[tuple[str, str, list[Row]]]:
        """Yield (mark, key, rows in file order) of each record after the one with mark ``after``.

        after: empty for all of them.
        """
        by_line = self.finding("order") == "line"
        names = "".join(
            f', "{name}"' if name in self.kept else f', NULL AS "{name}"' for name in self.columns
        )
        query = f"SELECT line, key{names} FROM line"  # noqa: S608 - names of our own
        if by_line:
            query += " WHERE line > ? ORDER BY line"
        else:
            query += " WHERE key > ? ORDER BY key, line"
        rows = self.connection.execute(query, (int(after or 0) if by_line else after,))
        for key, found in _grouped(rows):
            yield str(found[-1][0]) if by_line else key, key, found

    def rejects(self) -> Iterator[Reject]:
        """Yield what was wrong, in the order of the file."""
        yield from self.connection.execute(
            "SELECT line, name, value, reason FROM reject ORDER BY line, name"
        )

    def rejected_rows(self) -> int:
        """Return how many rows of the file were refused."""
        query = "SELECT COUNT(DISTINCT line) FROM reject"
        return int(self.connection.execute(query).fetchone()[0])

    def commit(self) -> None:
        """Make what was kept last beyond this process."""
        self.connection.commit()

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def discard(self) -> None:
        """Delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)


def _grouped(cursor: sqlite3.Cursor) -> Iterator[tuple[str, list[Row]]]:
    """Yield key and rows for rows that follow each other with the same key."""
    key, rows = "", list[Row]()
    while batch := cursor.fetchmany(FETCH_ROWS):
        start = 0
        for place, row in enumerate(batch):
            if row[1] != key:
                rows += batch[start:place]
                if rows:
                    yield key, rows
                key, rows, start = row[1], [], place
        rows += batch[start:]
    if rows:
        yield key, rows


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    for setting in ("synchronous=OFF", "cache_size=-32768", "locking_mode=EXCLUSIVE"):
        connection.execute(f"PRAGMA {setting}")
    return connection
