"""Quick set-up for mutmut, which runs the tests for every mutant in a process of its own.

The tables are made once; each of those processes, forked, begins with a copy of them.
"""

from __future__ import annotations

import sqlite3

import pytest
from django.db import connection

from loyalty.services import catch_up

MADE: list[sqlite3.Connection] = []
_patch = pytest.MonkeyPatch()


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Leave the making of tables out when there is a copy of them."""
    if MADE:
        _patch.setattr("django.core.management.call_command", lambda *_, **__: None)


def copy_tables() -> None:
    """Keep the tables just made for the processes to come, or take those that were kept."""
    _patch.undo()
    catch_up._OVERDUE._compiled.clear()  # made before the change, it would hide it
    connection.ensure_connection()
    if MADE:
        MADE[0].backup(connection.connection)
    else:
        MADE.append(sqlite3.connect(":memory:"))
        connection.connection.backup(MADE[0])
