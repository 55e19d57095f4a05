"""Tables that refuse UPDATE and DELETE, in both databases.

Triggers are installed after every ``migrate`` (SQLite drops them when Django rebuilds a table);
``missing_triggers`` tells the system check and the readiness page whether they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connections, models

_tables: dict[str, type[models.Model]] = {}
Row = TypeVar("Row", bound=models.Model)


def append_only(model: type[Row]) -> type[Row]:
    """Class decorator: rows of ``model`` can be inserted and read, never changed or deleted."""
    _tables[model._meta.db_table] = model
    return model


def append_only_tables() -> list[str]:
    """Names of all append-only tables, sorted."""
    return sorted(_tables)


def _trigger(table: str, action: str) -> str:
    return f"{table}_no_{action.lower()}"


def install_triggers(using: str = "default", **_kwargs: Any) -> None:
    """Create whatever trigger is missing; tables not migrated yet are skipped."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    present = _present_triggers(using)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE OR REPLACE FUNCTION keepwell_append_only() RETURNS trigger AS $$ "
                "BEGIN RAISE EXCEPTION 'append-only table %%: %% refused', "
                "TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation'; "
                "END $$ LANGUAGE plpgsql".replace("%%", "%")
            )
        for table in append_only_tables():
            if table not in tables:
                continue
            for action in ("UPDATE", "DELETE", "TRUNCATE"):
                if _trigger(table, action) in present:
                    continue
                if connection.vendor == "postgresql":
                    level = "STATEMENT" if action == "TRUNCATE" else "ROW"
                    cursor.execute(
                        f'CREATE TRIGGER "{_trigger(table, action)}" BEFORE {action} ON "{table}" '
                        f"FOR EACH {level} EXECUTE FUNCTION keepwell_append_only()"
                    )
                elif action != "TRUNCATE":
                    cursor.execute(
                        f'CREATE TRIGGER "{_trigger(table, action)}" BEFORE {action} ON "{table}" '
                        f"BEGIN SELECT RAISE(ABORT, 'append-only table {table}: "
                        f"{action} refused'); END"
                    )


def _present_triggers(using: str) -> set[str]:
    connection = connections[using]
    query = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
        if connection.vendor == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return {row[0] for row in cursor.fetchall()}


def missing_triggers(using: str = "default", *, existing_only: bool = False) -> list[str]:
    """Names of the triggers that should stand but don't; one query.

    existing_only: leave out tables that no migration has made yet; one query more.
    """
    actions = ["UPDATE", "DELETE"]
    if connections[using].vendor == "postgresql":
        actions.append("TRUNCATE")
    tables = set(append_only_tables())
    if existing_only:
        tables &= set(connections[using].introspection.table_names())
    wanted = {_trigger(table, action) for table in tables for action in actions}
    return sorted(wanted - _present_triggers(using))


@contextmanager
def triggers_lifted(using: str = "default") -> Iterator[None]:
    """Lift every append-only trigger, for flushing a test database only."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for table in append_only_tables():
            for action in ("UPDATE", "DELETE", "TRUNCATE"):
                on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
                cursor.execute(f'DROP TRIGGER IF EXISTS "{_trigger(table, action)}"{on}')
    try:
        yield
    finally:
        install_triggers(using)
