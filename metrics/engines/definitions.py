"""Runs the definitions themselves: ibis expressions over the fact store, in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from metrics.engines.measures import measures_of
from metrics.facts.store import Store
from metrics.facts.tables import LINKS, ORDER_STATES, TABLES, arrow_schema
from metrics.kpis.base import Kpi, Measure
from metrics.windows import Window


@dataclass
class Facts:
    """The facts as ibis tables, cut to what had happened at as_of and was known at known_at.

    ``customer_id`` is the person, as known at known_at.
    has_links: whether any record was ever linked to another; without, nothing is joined.
    product_id, product_orders: for figures of one product; a table of ``order_id``.
    """

    tables: dict[str, Any]
    as_of: datetime
    known_at: datetime
    currency: str
    product_id: int | None = None
    product_orders: Any = None
    has_links: bool = True

    @cached_property
    def orders(self) -> Any:
        """Orders made before as_of and not cancelled, in the state known at known_at.

        A delivery that had not happened at as_of is cut by the windows.
        """
        states = self.tables[ORDER_STATES]
        known_at = _naive(self.known_at)
        return self._of_persons(
            states.filter(
                states.valid_from <= known_at,
                states.valid_until.isnull() | (states.valid_until > known_at),
                states.status != "cancelled",
                states.ordered_at < _naive(self.as_of),
            )
        )

    @cached_property
    def customer_orders(self) -> Any:
        """The orders of known customers."""
        return self.orders.filter(self.orders.customer_id.notnull())

    @cached_property
    def responses(self) -> Any:
        """Answers that counted."""
        rows, known_at = self.tables["responses"], _naive(self.known_at)
        return self._of_persons(
            rows.filter(
                rows.recorded_at <= known_at,
                rows.voided_at.isnull() | (rows.voided_at > known_at),
                rows.answered_at < _naive(self.as_of),
            )
        )

    @cached_property
    def complaints(self) -> Any:
        """Complaints that counted."""
        rows, known_at = self.tables["complaints"], _naive(self.known_at)
        return self._of_persons(
            rows.filter(
                rows.recorded_at <= known_at,
                rows.dropped_at.isnull() | (rows.dropped_at > known_at),
                rows.opened_at < _naive(self.as_of),
            )
        )

    def _of_persons(self, rows: Any) -> Any:
        """Put the person in the place of each record that was merged, as known at known_at."""
        import ibis

        if not self.has_links:
            return rows
        links, known_at = self.tables[LINKS], _naive(self.known_at)
        links = links.filter(
            links.linked_at <= known_at, links.until.isnull() | (links.until > known_at)
        ).select("record_id", "person_id")
        found = rows.left_join(links, rows.customer_id == links.record_id)
        return found.mutate(customer_id=ibis.coalesce(found.person_id, found.customer_id)).drop(
            "record_id", "person_id"
        )


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
            moments = [_naive(getattr(window, name)) for window in windows]
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


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
