"""Two at once in each other's way: the database ends one of them, who is told to try again."""

from __future__ import annotations

import sqlite3

from django.db.utils import OperationalError
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError

# PostgreSQL's codes of a deadlock, a serialization failure and a lock that was not to be had.
CODES = frozenset({"40P01", "40001", "55P03"})


class InTheWay(DomainError):
    """Somebody else changed the same records at this moment."""

    code = "in_the_way"
    status = 503
    message = _("Somebody else changed the same at this very moment. Please try again.")
    is_transient = True


def refusal_of(error: Exception) -> Exception:
    """Return :class:`InTheWay` for a database's word that another one was, else the error."""
    return InTheWay() if isinstance(error, OperationalError) and is_in_the_way(error) else error


def is_in_the_way(error: Exception) -> bool:
    """Whether a database says that another one was in the way. error: its own, or Django's."""
    cause = error.__cause__ if isinstance(error, OperationalError) else error
    if isinstance(cause, sqlite3.Error):
        return bool(getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY)
    return getattr(cause, "sqlstate", None) in CODES
