"""Tables that refuse UPDATE and DELETE, in both databases.

Triggers are installed after every ``migrate`` (SQLite drops them when Django rebuilds a table);
``missing_triggers`` tells the system check and the readiness page whether they stand as they
should. A licence lets a DELETE of some rows pass under a condition that the database itself looks
at, row by row (ADR 0018); nothing licenses an UPDATE or a TRUNCATE. Before a migration every
licence is suspended, for SQLite can't rebuild a table that another one's trigger looks at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connections, models, transaction

ACTIONS = ("UPDATE", "DELETE", "TRUNCATE")
_tables: dict[str, type[models.Model]] = {}
_licences: dict[str, list[str]] = {}
Row = TypeVar("Row", bound=models.Model)


def append_only(model: type[Row]) -> type[Row]:
    """Class decorator: rows of ``model`` can be inserted and read, never changed or deleted."""
    _tables[model._meta.db_table] = model
    return model


def append_only_tables() -> list[str]:
    """Names of all append-only tables, sorted."""
    return sorted(_tables)


def license_delete(model: type[models.Model], condition: str) -> None:
    """Let a DELETE of a row of an append-only table pass while a condition holds.

    condition: SQL that both databases understand, about the row ``OLD``; of several, one must hold.
    To be called while the apps get ready; the next ``migrate`` replaces the trigger.
    """
    conditions = _licences.setdefault(model._meta.db_table, [])
    if condition not in conditions:
        conditions.append(condition)


def licensed_tables() -> list[str]:
    """Names of the tables of which some DELETE may pass, sorted."""
    return sorted(_licences)


@dataclass(frozen=True, slots=True)
class _Trigger:
    """A trigger as it should stand. mark: what the database tells of one that is as it should be.

    before: statements that make what it calls.
    """

    table: str
    name: str
    statement: str
    mark: str
    before: tuple[str, ...] = ()


def _name(table: str, action: str) -> str:
    return f"{table}_no_{action.lower()}"


def _triggers(vendor: str, *, with_licences: bool = True) -> list[_Trigger]:
    """Return every trigger that should stand."""
    found = []
    for table in append_only_tables():
        licences = _licences.get(table, []) if with_licences else []
        for action in ACTIONS:
            conditions = licences if action == "DELETE" else []
            if vendor == "postgresql":
                found.append(_postgresql(table, action, conditions))
            elif action != "TRUNCATE":
                found.append(_sqlite(table, action, conditions))
    return found


def _postgresql(table: str, action: str, licences: list[str]) -> _Trigger:
    function, passing = "keepwell_append_only", ""
    if licences:
        function = f"{function}_{table}"
        passing = f"IF {_any_of(licences)} THEN RETURN OLD; END IF; "
    source = (
        f" BEGIN {passing}RAISE EXCEPTION 'append-only table %: % refused', "
        "TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation'; END "
    )
    level = "STATEMENT" if action == "TRUNCATE" else "ROW"
    return _Trigger(
        table,
        _name(table, action),
        f'CREATE TRIGGER "{_name(table, action)}" BEFORE {action} ON "{table}" '
        f"FOR EACH {level} EXECUTE FUNCTION {function}()",
        source,
        (
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger AS $${source}$$ "
            "LANGUAGE plpgsql",
            f'DROP TRIGGER IF EXISTS "{_name(table, action)}" ON "{table}"',
        ),
    )


def _sqlite(table: str, action: str, licences: list[str]) -> _Trigger:
    unless = f"WHEN NOT ({_any_of(licences)}) " if licences else ""
    statement = (
        f'CREATE TRIGGER "{_name(table, action)}" BEFORE {action} ON "{table}" {unless}'
        f"BEGIN SELECT RAISE(ABORT, 'append-only table {table}: {action} refused'); END"
    )
    drop = f'DROP TRIGGER IF EXISTS "{_name(table, action)}"'
    return _Trigger(table, _name(table, action), statement, statement, (drop,))


def _any_of(conditions: list[str]) -> str:
    return " OR ".join(f"({condition})" for condition in conditions)


def install_triggers(using: str = "default", **_kwargs: Any) -> None:
    """Create or replace whatever trigger is not as it should be; tables yet to come are skipped."""
    _install(using, with_licences=True)


def suspend_licences(using: str = "default", **_kwargs: Any) -> None:
    """Make every trigger refuse everything, until :func:`install_triggers`."""
    _install(using, with_licences=False)


def _install(using: str, *, with_licences: bool) -> None:
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    present = _present_triggers(using)
    wrong = [
        trigger
        for trigger in _triggers(connection.vendor, with_licences=with_licences)
        if trigger.table in tables and present.get(trigger.name) != trigger.mark
    ]
    if not wrong:
        return
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for trigger in wrong:  # never absent for others: all in one transaction
            for statement in (*trigger.before, trigger.statement):
                cursor.execute(statement)


def _present_triggers(using: str) -> dict[str, str]:
    """Return the marks of the triggers that stand, by name; one query."""
    connection = connections[using]
    query = (
        "SELECT tgname, prosrc FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
        "WHERE NOT tgisinternal AND tgenabled <> 'D'"
        if connection.vendor == "postgresql"
        else "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return dict(cursor.fetchall())


def missing_triggers(using: str = "default", *, existing_only: bool = False) -> list[str]:
    """Names of the triggers that should stand but don't, or not as they should; one query.

    existing_only: leave out tables that no migration has made yet; one query more.
    """
    connection = connections[using]
    wanted = _triggers(connection.vendor)
    if existing_only:
        tables = set(connection.introspection.table_names())
        wanted = [trigger for trigger in wanted if trigger.table in tables]
    present = _present_triggers(using)
    return sorted(trigger.name for trigger in wanted if present.get(trigger.name) != trigger.mark)


@contextmanager
def triggers_lifted(using: str = "default") -> Iterator[None]:
    """Lift every append-only trigger, for flushing a test database only."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for table in append_only_tables():
            for action in ACTIONS:
                on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
                cursor.execute(f'DROP TRIGGER IF EXISTS "{_name(table, action)}"{on}')
    try:
        yield
    finally:
        install_triggers(using)
