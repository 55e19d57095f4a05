"""Many rows at once, in both databases: COPY on PostgreSQL, executemany on SQLite.

Values are as stored: money in 1/10,000 units, instants as UTC text, booleans as booleans.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, models

from common.refs import looks_like_ref

Thing = TypeVar("Thing")
MOST_PARAMETERS = 2_000
MOST_IN_ARRAY = 20_000
MOST_BY_VALUES = 4  # rows; for so few, COPY and executemany cost more than they save
PLAIN = {bool, int, str, type(None)}
_ESCAPED = re.compile(r'["\\\\]')


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
        if connection.vendor == "postgresql" and len(rows) > MOST_BY_VALUES:
            copying = cursor.cursor.copy(f"COPY {table} ({columns}) FROM STDIN")
            # The driver's own refusals would pass by whoever catches Django's.
            with connection.wrap_database_errors, copying as copy:
                for row in rows:
                    copy.write_row(row)
            return
        places = f"({', '.join(['%s'] * len(names))})"
        # Names come from the models, never from a file.
        if len(rows) <= MOST_BY_VALUES:
            several = ", ".join([places] * len(rows))
            cursor.execute(
                f"INSERT INTO {table} ({columns}) VALUES {several}",  # noqa: S608
                [value for row in rows for value in row],
            )
            return
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES {places}", rows)  # noqa: S608


def update_rows(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Set ``names`` of rows; each row ends with its database id and comes once."""
    if not rows:
        return
    table = connection.ops.quote_name(model._meta.db_table)
    sets = ", ".join(f"{connection.ops.quote_name(name)} = %s" for name in names)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and len(rows) > 1 and _are_plain(rows):
            _update_together(cursor, model, names, rows)
            return
        statement = f"UPDATE {table} SET {sets} WHERE id = %s"  # noqa: S608
        if len(rows) == 1:
            cursor.execute(statement, rows[0])
        else:
            cursor.executemany(statement, rows)


def _are_plain(rows: Sequence[Sequence[Any]]) -> bool:
    return {type(value) for row in rows for value in row} <= PLAIN


def _update_together(
    cursor: Any, model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Set all rows by one statement: their columns come as arrays."""
    quote = connection.ops.quote_name
    kinds = {field.column: field.db_type(connection) for field in model._meta.concrete_fields}
    # Without its length: a cast to varchar(10) would cut what is too long for it.
    arrays = [f"%s::{str(kinds[name]).split('(')[0]}[]" for name in names]
    sets = ", ".join(f"{quote(name)} = told.{quote(name)}" for name in names)
    columns = ", ".join(map(quote, [*names, "told_id"]))
    cursor.execute(
        f"UPDATE {quote(model._meta.db_table)} AS kept SET {sets} "  # noqa: S608
        f"FROM unnest({', '.join(arrays)}, %s::bigint[]) AS told({columns}) "
        "WHERE kept.id = told.told_id",
        [list(column) for column in zip(*rows, strict=True)],
    )


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

    Asked by external id, records that have none are found by their ref, which stands in its place
    then: so our own files name them (``crm.exports.names``).
    """
    found = _rows(model, names, where=where, among=among, lock=lock)
    if where == "external_id" and (refs := [one for one in among if looks_like_ref(one)]):
        found += _rows(model, names, where="ref", among=refs, lock=lock)
    return found


def _rows(
    model: type[models.Model],
    names: Sequence[str],
    *,
    where: str,
    among: Collection[Any],
    lock: bool,
) -> list[tuple[Any, ...]]:
    quote = connection.ops.quote_name
    by_ref = where == "ref" and any(field.name == "external_id" for field in model._meta.fields)
    columns = ", ".join(
        quote("ref" if by_ref and name == "external_id" else name) for name in names
    )
    only = f" AND {quote('external_id')} IS NULL" if by_ref else ""
    suffix = " FOR UPDATE" if lock and connection.vendor == "postgresql" else ""
    found: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for condition, values in _among(among):
            cursor.execute(
                f"SELECT {columns} FROM {quote(model._meta.db_table)} "  # noqa: S608
                f"WHERE {quote(where)} {condition}{only} ORDER BY id{suffix}",
                values,
            )
            found += cursor.fetchall()
    dated = {field.column for field in model._meta.fields if isinstance(field, models.DateField)}
    return [tuple(map(as_stored, row)) for row in found] if found and dated & {*names} else found


def _among(values: Collection[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield conditions and their parameters; one array on PostgreSQL, where that is far quicker."""
    if connection.vendor == "postgresql":
        for portion in portions(values, MOST_IN_ARRAY):
            if array := array_text(portion):
                yield array[0], [array[1]]
            elif portion:
                yield f"IN ({', '.join(['%s'] * len(portion))})", portion
        return
    for portion in portions(values, MOST_PARAMETERS):
        yield f"IN ({', '.join(['%s'] * len(portion))})", portion


def array_text(values: Collection[Any]) -> tuple[str, str] | None:
    """Return a PostgreSQL condition and array for texts or whole numbers; None for others."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return "= ANY(%s::bigint[])", f"{{{','.join(map(str, values))}}}"
    if kinds != {str}:
        return None
    text = '","'.join(values)
    if "\\" in text or text.count('"') != 2 * (len(values) - 1):
        text = '","'.join(_ESCAPED.sub(r"\\\g<0>", value) for value in values)
    return "= ANY(%s::text[])", f'{{"{text}"}}'


def as_stored(value: Any) -> Any:
    """Return an instant or date as the text that SQLite keeps; anything else as it is."""
    if isinstance(value, datetime):
        if value.tzinfo is UTC:
            return str(value)[:-6]
        return str(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
    return value.isoformat() if isinstance(value, date) else value


def next_ids(model: type[models.Model], count: int) -> list[int]:
    """Reserve database ids, in the caller's transaction."""
    return next_ids_of((model, count))[0]


def next_ids_of(*wanted: tuple[type[models.Model], int]) -> list[list[int]]:
    """Reserve ids of several tables, in the caller's transaction; one statement on PostgreSQL."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            places = ", ".join([f"ARRAY({_NEXT_IDS})"] * len(wanted))
            told = [value for model, count in wanted for value in (model._meta.db_table, count)]
            cursor.execute(f"SELECT {places}", told)
            return [list(ids) for ids in cursor.fetchone()]
        found = []
        for model, count in wanted:
            cursor.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = %s", [model._meta.db_table]
            )
            last = (cursor.fetchone() or (0,))[0]
            found.append(list(range(last + 1, last + 1 + count)))
    return found


_NEXT_IDS = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"


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
