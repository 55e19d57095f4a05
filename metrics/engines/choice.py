"""Which engines there are, and whether this machine and this database have what they need."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext_lazy as _

AUTO, IBIS_DUCKDB, IBIS_POSTGRES, IBIS_SPARK = (
    "auto",
    "ibis-duckdb",
    "ibis-postgres",
    "ibis-spark",
)
ENGINES = (AUTO, IBIS_DUCKDB, IBIS_POSTGRES, IBIS_SPARK)


def refuse_missing_engine(engine: str) -> None:
    """Stop unless the engine can work here.

    :raises ValidationError: there is no such engine, or it lacks something; the message says what.
    """
    if reason := _what_is_missing(engine):
        raise ValidationError(reason, code="engine", params={"engine": engine})


def _what_is_missing(engine: str) -> Any:
    if engine not in ENGINES:
        return _("There is no engine %(engine)s.")
    if engine == IBIS_POSTGRES and connection.vendor != "postgresql":
        return _("The engine %(engine)s works inside PostgreSQL, and this database is SQLite.")
    if engine == IBIS_SPARK:
        if find_spec("pyspark") is None:
            return _("The engine %(engine)s needs Spark: install Keepwell with the extra “spark”.")
        if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            return _("The engine %(engine)s needs Java: install version 17, or set JAVA_HOME.")
    return None
