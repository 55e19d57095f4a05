"""Many rows at once, in both databases: COPY on PostgreSQL, executemany on SQLite.

Values are as stored: money in 1/10,000 units, instants as UTC text, booleans as booleans.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, models

Thing = TypeVar("Thing")
MOST_PARAMETERS = 2_000


def portions(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    """Yield the things in lists of at most ``size``."""
    rest = iter(things)
    while portion := list(islice(rest, size)):
        yield portion


def insert_rows(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows of ``names`` (columns of the table)."""
    if not rows:
        return
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(name) for name in names)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            copying = cursor.cursor.copy(f"COPY {table} ({columns}) FROM STDIN")
            # The driver's own refusals would pass by whoever catches Django's.
            with connection.wrap_database_errors, copying as copy:
                for row in rows:
                    copy.write_row(row)
            return
        places = ", ".join(["%s"] * len(names))
        # Names come from the models, never from a file.
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows)  # noqa: S608


def update_rows(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Set ``names`` of rows; each row ends with its database id."""
    if not rows:
        return
    table = connection.ops.quote_name(model._meta.db_table)
    sets = ", ".join(f"{connection.ops.quote_name(name)} = %s" for name in names)
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {sets} WHERE id = %s", rows)  # noqa: S608


def fetch_rows(
    model: type[models.Model],
    names: Sequence[str],
    *,
    where: str,
    among: Collection[Any],
    lock: bool = False,
) -> list[tuple[Any, ...]]:
    """Return rows of ``names``, as stored, whose column ``where`` is among some values.

    lock: hold the rows until the transaction ends (SQLite holds the whole file anyway).
    """
    quote = connection.ops.quote_name
    columns = ", ".join(quote(name) for name in names)
    suffix = " FOR UPDATE" if lock and connection.vendor == "postgresql" else ""
    found: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for values in portions(among, MOST_PARAMETERS):
            places = ", ".join(["%s"] * len(values))
            cursor.execute(
                f"SELECT {columns} FROM {quote(model._meta.db_table)} "  # noqa: S608
                f"WHERE {quote(where)} IN ({places}) ORDER BY id{suffix}",
                values,
            )
            found += cursor.fetchall()
    return [tuple(map(as_stored, row)) for row in found] if found else found


def as_stored(value: Any) -> Any:
    """Return an instant or date as the text that SQLite keeps; anything else as it is."""
    if isinstance(value, datetime):
        return str(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
    return value.isoformat() if isinstance(value, date) else value


def next_ids(model: type[models.Model], count: int) -> list[int]:
    """Reserve database ids, in the caller's transaction."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [table, count],
            )
            return [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = (cursor.fetchone() or (0,))[0]
    return list(range(last + 1, last + 1 + count))


@contextmanager
def rare_checkpoints() -> Iterator[None]:
    """On SQLite, copy the write-ahead log into the database less often during bulk work."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_autocheckpoint=16384")  # pages: 64 MB
        try:
            yield
        finally:
            cursor.execute("PRAGMA wal_autocheckpoint=1000")
