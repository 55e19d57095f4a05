"""Runs the definitions inside the product's own PostgreSQL, over its tables as they are.

The SQL that reads the facts stands in for the tables: nothing is copied, nothing is written but
small temporary tables of the session, and all of it is of one moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection

from metrics.engines.definitions import Engine, plain_schema
from metrics.facts.columns import COLUMNS
from metrics.facts.tables import Dialect, select_table

# As the store has them: instants in UTC without a zone, months as the instants they begin at.
_READ = {
    "instant": "t.{0} AT TIME ZONE 'UTC'",
    "month": "CAST(t.{0} AS TIMESTAMP) AT TIME ZONE '{1}' AT TIME ZONE 'UTC'",
    "code": "CAST(t.{0} AS TEXT)",
    "flag": "t.{0}",
    "number": "CAST(t.{0} AS DOUBLE PRECISION)",
}


class PostgresEngine(Engine):
    """The tables of the product's PostgreSQL, seen as facts."""

    def _table(self, name: str) -> Any:
        import ibis

        # A schema of its own saves asking the database for the types of each.
        schema = ibis.Schema.from_pyarrow(plain_schema(name))
        return self._backend.sql(facts_sql(name), schema=schema)


def facts_sql(table: str) -> str:
    """Return the SQL of a fact table with the types that the store's files have."""
    columns = ", ".join(
        _READ.get(kind, "CAST(t.{0} AS BIGINT)").format(name, settings.KEEPWELL_TIMEZONE)
        + f' AS "{name}"'
        for name, kind in COLUMNS[table]
    )
    return f"SELECT {columns} FROM ({select_table(table, Dialect('postgresql'))}) AS t"  # noqa: S608


@contextmanager
def postgres_engine() -> Iterator[PostgresEngine]:
    """Open a connection of its own, in a transaction that sees one moment."""
    import psycopg

    known = connection.get_connection_params()
    wanted = ("host", "port", "user", "password", "dbname")
    parts = {name: value for name, value in known.items() if name in wanted or "ssl" in name}
    with psycopg.connect(**parts) as session:
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with session.transaction(force_rollback=True):  # ibis's own are savepoints in it
            backend = _backend().from_connection(session)
            has_links = session.execute("SELECT EXISTS (SELECT FROM crm_identitylink)").fetchone()
            yield PostgresEngine(backend, has_links=bool(has_links and has_links[0]))


def _backend() -> Any:
    from ibis.backends.postgres import Backend
    from ibis.backends.sql.compilers.postgres import PostgresCompiler

    class Compiler(PostgresCompiler):  # type: ignore[misc]
        """Ibis's own, but PostgreSQL makes a number of a yes or no by way of a small one only."""

        def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802 - ibis's name
            import ibis.expr.datatypes as dt

            if op.arg.dtype.is_boolean() and to.is_numeric():
                arg = self.cast(arg, dt.int32)
            return super().visit_Cast(op, arg=arg, to=to)

    class Postgres(Backend):  # type: ignore[misc]
        """Ibis's own, but for a part of a query that stands in it twice.

        sqlglot turns semi joins into EXISTS where they stand, and finds only one of the places.
        """

        compiler = Compiler()

        def compile(self, expr: Any, /, **options: Any) -> str:
            options.pop("pretty", None)
            query = self.compiler.to_sqlglot(expr, **options).copy()
            sql: str = query.sql(dialect=self.dialect)
            return sql

        def to_pyarrow_batches(self, expr: Any, /, **options: Any) -> Any:
            """Answer in one batch; sums and constants that came as decimals have their type."""
            import pyarrow as pa

            self._run_pre_execute_hooks(expr)
            schema = expr.as_table().schema().to_pyarrow()
            with self.con.cursor() as cursor:
                rows = cursor.execute(self.compile(expr)).fetchall()
            columns = list(zip(*rows, strict=True)) or [()] * len(schema)
            arrays = [_array(*pair) for pair in zip(columns, schema.types, strict=True)]
            batch = pa.record_batch(arrays, schema=schema)
            return pa.RecordBatchReader.from_batches(schema, [batch])

    return Postgres


def _array(values: Any, kind: Any) -> Any:
    import pyarrow as pa

    convert: Any = {"int64": int, "double": float}.get(str(kind))
    if convert:
        values = [None if value is None else convert(value) for value in values]
    return pa.array(values, kind)
