"""Runs the definitions on Spark, over the store's files. Optional: the extra ``spark`` and Java.

``SPARK_REMOTE`` or ``spark.master`` of Spark's own configuration say where; without, on this
machine. See ``docs/guide/spark.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from metrics.engines.definitions import Engine, has_links, plain_schema
from metrics.facts.store import Store

# Instants have no zone in the files, and none may be put in.
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.ui.showConsoleProgress": "false",
}


class SparkEngine(Engine):
    """A Spark session over the store's files."""

    def __init__(self, backend: Any, store: Store) -> None:
        self._store = store
        super().__init__(backend, has_links=has_links(store))

    def _table(self, name: str) -> Any:
        import ibis

        session = self._backend._session
        if paths := [str(path) for path in self._store.paths(name)]:
            session.read.parquet(*paths).createOrReplaceTempView(name)
            return self._backend.table(name)
        schema = ibis.Schema.from_pyarrow(plain_schema(name))
        return ibis.memtable(plain_schema(name).empty_table(), schema=schema)


@contextmanager
def spark_engine(store: Store) -> Iterator[SparkEngine]:
    """Open a Spark session, and end it afterwards."""
    import ibis
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("keepwell")
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield SparkEngine(ibis.pyspark.connect(session), store)
    finally:
        session.stop()
