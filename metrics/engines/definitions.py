"""Runs the definitions themselves: ibis expressions over the fact store, in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from metrics.engines.facts import Facts, naive
from metrics.engines.measures import measures_of
from metrics.facts.store import Store
from metrics.facts.tables import LINKS, TABLES, arrow_schema
from metrics.kpis.base import Kpi, Measure
from metrics.windows import Window


class DuckEngine:
    """An open DuckDB connection over the store."""

    def __init__(self, backend: Any, store: Store) -> None:
        self._backend = backend
        self._tables = {name: self._open(store, name) for name in TABLES}
        self._has_links = any(file.rows for file in store.manifest.of(LINKS))

    def _open(self, store: Store, name: str) -> Any:
        import ibis
        import pyarrow as pa

        if paths := [str(path) for path in store.paths(name)]:
            return self._backend.read_parquet(paths, table_name=name)
        plain = pa.schema(
            [(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type)
             for f in arrow_schema(name)]
        )  # fmt: skip
        # Not from an empty Arrow table: this DuckDB refuses the view that ibis would drop after.
        return self._backend.create_table(name, schema=ibis.Schema.from_pyarrow(plain))

    def facts(self, *, product_orders: Any = None, **cut: Any) -> Facts:
        """Return the facts as of a moment. product_orders: an Arrow table of ``order_id``."""
        import ibis

        if product_orders is not None:
            product_orders = ibis.memtable(product_orders)
        return Facts(self._tables, product_orders=product_orders, has_links=self._has_links, **cut)

    def measure(self, kpi: Kpi, facts: Facts, windows: list[Window]) -> dict[str, Measure]:
        """Run a figure's definition; window name → measure."""
        expression = kpi.define(facts, self._windows_table(windows))
        return measures_of(expression, windows, self._backend.to_pyarrow)

    def arrow(self, table: Any) -> Any:
        """Carry out an ibis table over the facts."""
        return self._backend.to_pyarrow(table)

    def cohort_cells(self, facts: Facts, months: list[Window]) -> Any:
        """Run the definition of the cohort matrix; see :func:`metrics.kpis.cohorts.define`."""
        from metrics.kpis import cohorts

        return self._backend.to_pyarrow(cohorts.define(facts, self._windows_table(months)))

    def _windows_table(self, windows: list[Window]) -> Any:
        import ibis
        import pyarrow as pa

        names = ("start", "end", "until", "look_start", "look_until", "year_until", "observed")
        columns: dict[str, Any] = {
            "window": [window.name for window in windows],
            "place": pa.array(range(len(windows)), pa.int64()),
        }
        for name in names:
            moments = [naive(getattr(window, name)) for window in windows]
            columns[name] = pa.array(moments, pa.timestamp("us"))
        return ibis.memtable(pa.table(columns))


@contextmanager
def duck_engine(store: Store) -> Iterator[DuckEngine]:
    """Open DuckDB in memory over the store's files."""
    import ibis

    backend = ibis.duckdb.connect()
    try:
        yield DuckEngine(backend, store)
    finally:
        backend.disconnect()
