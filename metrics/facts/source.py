"""Reading the database in columns: one consistent look at all tables.

ADBC reads PostgreSQL straight into Arrow, and a SQLite file in a process of its own (see
:mod:`.reader` for why). A database that lives in memory, and changes that are not committed yet
(tests), are only seen by Django's own connection.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote, urlencode

from django.db import DatabaseError, connection

from metrics.facts.tables import Dialect

ROWS_AT_ONCE = 65_536
READER = Path(__file__).with_name("reader.py")


class Source:
    """An open look at the database. ``dialect``: how its SQL is written."""

    def __init__(self, execute: Callable[[str], Any], vendor: str) -> None:
        self._execute = execute  # SQL → a reader of Arrow batches
        self.dialect = Dialect(vendor)

    def tables(self, sql: str) -> Iterator[Any]:
        """Yield the answer as Arrow tables of some ten thousand rows; at least one.

        To be read to its end before the next question.
        """
        import pyarrow as pa

        reader = self._execute(sql)
        some: list[Any] = []
        rows = 0
        is_first = True
        for batch in reader:
            some.append(batch)
            rows += batch.num_rows
            if rows >= ROWS_AT_ONCE:
                yield pa.Table.from_batches(some, reader.schema)
                some, rows, is_first = [], 0, False
        if some or is_first:
            yield pa.Table.from_batches(some, reader.schema)

    def arrow(self, sql: str) -> Any:
        """Return the answer as one Arrow table."""
        return self._execute(sql).read_all()

    def row(self, sql: str) -> list[Any]:
        """Return the one row of the answer as plain numbers and text."""
        return [_plain(column[0].as_py()) for column in self.arrow(sql).columns]


def database_name() -> str:
    """Return which database this is, without user or password."""
    settings = connection.settings_dict
    place = f"{settings.get('HOST') or ''}:{settings.get('PORT') or ''}"
    return f"{connection.vendor}://{place}/{settings['NAME']}"


@contextmanager
def open_source() -> Iterator[Source]:
    """Yield a source; everything read through it is of one moment (but see the module)."""
    if connection.in_atomic_block or _is_in_memory():
        yield Source(_through_django, connection.vendor)
        return
    if connection.vendor == "sqlite":
        with _read_apart(str(connection.settings_dict["NAME"])) as read:
            yield Source(read, connection.vendor)
        return
    driver = _connect()
    try:
        with driver.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

            def execute(sql: str) -> Any:
                cursor.execute(sql)
                return cursor.fetch_record_batch()

            yield Source(execute, connection.vendor)
    finally:
        driver.close()


@contextmanager
def _read_apart(path: str) -> Iterator[Callable[[str], Any]]:
    """Yield what answers SQL about a SQLite file with readers; all answers are of one moment."""
    import pyarrow as pa

    command = [sys.executable, str(READER), path]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        questions, answers = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)

        def execute(sql: str) -> Any:
            with suppress(BrokenPipeError):  # then there is no answer either
                questions.write(json.dumps(sql).encode() + b"\n")
                questions.flush()
            mark = answers.read(1)
            if mark == b"+":
                return pa.ipc.open_stream(answers)
            told = json.loads(answers.readline()) if mark else f"{path} can't be read"
            raise DatabaseError(told)

        try:
            yield execute
        finally:
            process.kill()  # it only reads
            with suppress(OSError):
                questions.close()


def _is_in_memory() -> bool:
    name = str(connection.settings_dict["NAME"])
    return connection.vendor == "sqlite" and (name == ":memory:" or "mode=memory" in name)


def _connect() -> Any:
    settings = connection.settings_dict
    import adbc_driver_postgresql.dbapi

    parts = {
        "host": settings.get("HOST"),
        "port": settings.get("PORT"),
        "user": settings.get("USER"),
        "password": settings.get("PASSWORD"),
        "dbname": settings["NAME"],
        **{
            name: value
            for name, value in settings.get("OPTIONS", {}).items()
            if name.startswith("ssl")
        },
    }
    query = urlencode({name: value for name, value in parts.items() if value}, quote_via=quote)
    return adbc_driver_postgresql.dbapi.connect(f"postgresql:///?{query}")


def _through_django(sql: str) -> Any:
    import pyarrow as pa

    with connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table(
        [pa.array(column) if column else pa.array([], pa.int64()) for column in columns],
        names=names,
    ).to_reader()


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
