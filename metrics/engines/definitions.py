"""Runs the definitions themselves: ibis expressions over the facts, in one database or another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from metrics.engines.choice import IBIS_POSTGRES, IBIS_SPARK
from metrics.engines.facts import Facts, naive
from metrics.engines.measures import measures_of
from metrics.facts.store import Store
from metrics.facts.tables import LINKS, TABLES, arrow_schema
from metrics.kpis.base import Kpi, Measure
from metrics.kpis.of_products import ONLY_PRODUCT
from metrics.windows import Window

MOMENTS = ("start", "end", "until", "look_start", "look_until", "year_until", "observed")


class Engine(ABC):
    """What carries definitions out: an ibis backend with the fact tables in it.

    has_links: whether any record was ever linked to another; without, nothing is joined.
    """

    def __init__(self, backend: Any, *, has_links: bool) -> None:
        self._backend = backend
        self._has_links = has_links
        self._tables = {name: self._table(name) for name in TABLES}

    @abstractmethod
    def _table(self, name: str) -> Any:
        """Return a fact table as ibis sees it."""

    def facts(self, **cut: Any) -> Facts:
        """Return the facts as of a moment."""
        return Facts(self._tables, has_links=self._has_links, **cut)

    def measure(self, kpi: Kpi, facts: Facts, windows: list[Window]) -> dict[str, Measure]:
        """Run a figure's definition; window name → measure."""
        expression = kpi.define(facts, self._windows_table(windows))
        return measures_of(expression, windows, self.arrow)

    def arrow(self, table: Any) -> Any:
        """Carry out an ibis table over the facts, answering in Arrow."""
        return self._backend.to_pyarrow(table)

    def cohort_cells(self, facts: Facts, months: list[Window]) -> Any:
        """Run the definition of the cohort matrix; see :func:`metrics.kpis.cohorts.define`."""
        from metrics.kpis import cohorts

        return self.rows(cohorts.define, facts, months)

    def rows(self, define: Callable[[Any, Any], Any], facts: Facts, windows: list[Window]) -> Any:
        """Run any definition over windows that is one table."""
        return self.arrow(define(facts, self._windows_table(windows)))

    def _arrow_table(self, rows: Any) -> Any:
        import ibis

        return ibis.memtable(rows)

    def _windows_table(self, windows: list[Window]) -> Any:
        import pyarrow as pa

        columns: dict[str, Any] = {
            "window": [window.name for window in windows],
            "place": pa.array(range(len(windows)), pa.int64()),
        }
        for name in MOMENTS:
            moments: list[datetime] = [naive(getattr(window, name)) for window in windows]
            columns[name] = pa.array(moments, pa.timestamp("us"))
        if any(window.product_id is not None for window in windows):
            columns[ONLY_PRODUCT] = pa.array([one.product_id for one in windows], pa.int64())
        return self._arrow_table(pa.table(columns))


class DuckEngine(Engine):
    """DuckDB in memory over the store's files."""

    def __init__(self, backend: Any, store: Store) -> None:
        self._store = store
        super().__init__(backend, has_links=has_links(store))

    def _table(self, name: str) -> Any:
        import ibis

        if paths := [str(path) for path in self._store.paths(name)]:
            return self._backend.read_parquet(paths, table_name=name)
        # Not from an empty Arrow table: this DuckDB refuses the view that ibis would drop after.
        return self._backend.create_table(name, schema=ibis.Schema.from_pyarrow(plain_schema(name)))


def has_links(store: Store) -> bool:
    """Whether the store knows of any record that was another person's."""
    return any(file.rows for file in store.manifest.of(LINKS))


def plain_schema(name: str) -> Any:
    """Return the Arrow schema of a fact table with its codes as plain text."""
    import pyarrow as pa

    return pa.schema(
        [
            (field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type)
            for field in arrow_schema(name)
        ]
    )


@contextmanager
def definition_engine(name: str, store: Store) -> Iterator[Engine]:
    """Open what carries the definitions out: the engine of that name, DuckDB for ``auto``."""
    if name == IBIS_POSTGRES:
        from metrics.engines.postgres import postgres_engine

        with postgres_engine() as found:
            yield found
    elif name == IBIS_SPARK:
        from metrics.engines.spark import spark_engine

        with spark_engine(store) as found:
            yield found
    else:
        import ibis

        backend = ibis.duckdb.connect()
        try:
            yield DuckEngine(backend, store)
        finally:
            backend.disconnect()
