"""Works figures out from the fact store: which engine, which facts, which windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput, NotFound
from common.time import local_date
from metrics.engines.choice import AUTO, ENGINES, IBIS_DUCKDB, refuse_missing_engine
from metrics.facts import store as files
from metrics.facts.columns import COLUMNS, ORDER_STATES
from metrics.facts.store import Store
from metrics.figures import Figure, Surroundings, figure_of
from metrics.kpis.base import Kpi, Measure
from metrics.windows import Window

if TYPE_CHECKING:
    from metrics.engines.definitions import Engine
    from metrics.engines.facts import Facts
    from metrics.engines.kernels import Cell, Orders
    from metrics.engines.orders import Events

LARGE = 500_000  # orders
INVENTED = "is_simulated"
# When the facts happened that figures of a period count; a programme's often begin long before.
COUNTED_AT = (
    (ORDER_STATES, "ordered_at"),
    (ORDER_STATES, "delivered_at"),
    ("leads", "enquired_at"),
    ("invitations", "sent_at"),
    ("responses", "answered_at"),
    ("complaints", "opened_at"),
    ("cancel_requests", "requested_at"),
    ("runs", "due_at"),
)


@dataclass
class Computation:
    """Figures over one state of the store, cut at as_of and known_at.

    engine: ``auto`` runs kernels where there are some, the others the definitions alone.
    """

    store: Store
    as_of: datetime
    known_at: datetime
    engine: str
    closing: ExitStack
    _read: dict[str, Events] = field(default_factory=dict)

    def figures(
        self,
        kpi: Kpi,
        windows: list[Window],
        *,
        product_sku: str | None = None,
        dimension: str = "",
    ) -> list[Figure]:
        """Return the figure for each window, in their order.

        dimension: a slice such as ``location=north``; empty for everybody.

        See :meth:`measures` for errors.

        :raises NotFound: no such slice.
        """
        measures = self.measures(kpi, windows, product_sku=product_sku)
        if dimension:
            from metrics.engines.cutting import cut_to
            from metrics.slices import find_slice

            ids = find_slice(self, dimension).ids
            measures = {name: cut_to(measure, ids) for name, measure in measures.items()}
        around = self.surroundings
        return [figure_of(kpi, w, measures[w.name], around, dimension=dimension) for w in windows]

    def measures(
        self, kpi: Kpi, windows: list[Window], *, product_sku: str | None = None
    ) -> dict[str, Measure]:
        """Return the figure's raw result for each window, by its name.

        :raises NotFound: no such product.
        :raises InvalidInput: the figure is not one of products.
        """
        if product_sku and not kpi.is_of_products:
            raise InvalidInput(_("This figure is not one of products."))
        if product_sku:
            product_id = _product_id(product_sku)
            windows = [replace(window, product_id=product_id) for window in windows]
        if not self.has_facts_of(kpi):
            return {window.name: Measure() for window in windows}
        if self.engine == AUTO and kpi.kernel and not product_sku:
            return kpi.kernel(self.orders, windows)
        return self.definitions.measure(kpi, self.facts(), windows)

    def measures_of_products(
        self, kpi: Kpi, windows: list[Window], product_ids: Sequence[int]
    ) -> dict[int, dict[str, Measure]]:
        """Return the figure of each product: product's id → window's name → measure.

        All of them come out of one run of the definition.
        """
        if not product_ids or not self.has_facts_of(kpi):
            return {}
        named = {
            (one, window.name): window.of_product(one) for one in product_ids for window in windows
        }
        found = self.definitions.measure(kpi, self.facts(), list(named.values()))
        return {
            one: {window.name: found[named[one, window.name].name] for window in windows}
            for one in product_ids
        }

    def cohort_cells(self, months: list[Window]) -> list[Cell]:
        """Return the non-empty cells of the cohort matrix."""
        from metrics.engines import kernels

        if not months:
            return []
        if self.engine == AUTO:
            return kernels.cohorts(self.orders, months)
        return kernels.cells_from_rows(self.definitions.cohort_cells(self.facts(), months))

    def cohort_profits(self, months: list[Window]) -> dict[tuple[int, int], int]:
        """Return cohort and month (places) → profit in 1/10,000, where it is known."""
        from metrics.engines import kernels
        from metrics.kpis.cohorts import define_profit

        if not months or not self.has_rows(ORDER_STATES):
            return {}
        if self.engine == AUTO:
            return kernels.cohort_profits(self.orders, months)
        rows = self.definitions.rows(define_profit, self.facts(), months).to_pylist()
        return {(row["cohort"], row["month"]): row["profit"] for row in rows}

    @cached_property
    def definitions(self) -> Engine:
        """What carries the definitions out, opened when one runs."""
        from metrics.engines.definitions import definition_engine

        return self.closing.enter_context(definition_engine(self.engine, self.store))

    @cached_property
    def orders(self) -> Orders:
        """The orders as arrays, read once."""
        from metrics.engines import kernels

        orders = kernels.load_orders(
            self.store,
            as_of=self.as_of,
            known_at=self.known_at,
            currency=settings.KEEPWELL_CURRENCY,
        )
        orders.events = self._events
        return orders

    def _events(self, name: str, define: Callable[[Any], Any]) -> Events:
        from metrics.engines.reading import events_of

        if name not in self._read:
            self._read[name] = events_of(self.arrow(define(self.facts())), self.orders.ids)
        return self._read[name]

    def forget(self) -> None:
        """Let go of what was kept for further figures of the same group; it takes room."""
        if "orders" in self.__dict__:
            self.orders.forget()
        self._read.clear()

    @property
    def is_large(self) -> bool:
        """Whether what customers did in all windows at once may be too much for the memory."""
        return sum(file.rows for file in self.store.manifest.of(ORDER_STATES)) > LARGE

    @property
    def cut(self) -> datetime:
        """The moment up to which the state of things is known, as the facts have it."""
        return min(self.as_of, self.known_at).astimezone(UTC).replace(tzinfo=None)

    def has_facts_of(self, kpi: Kpi) -> bool:
        """Whether anybody can be in a figure."""
        return all(self.has_rows(table) for table in kpi.needs)

    def has_rows(self, table: str) -> bool:
        """Whether there is any row of a fact table."""
        return any(file.rows for file in self.store.manifest.of(table))

    @cached_property
    def attributes(self) -> Any:
        """What stands in each person's own record, as an Arrow table."""
        rows = self.facts().customers
        own = rows.filter(rows.record_id == rows.customer_id)
        return self.arrow(own.select("customer_id", "location_id", "source", "industry", "country"))

    def arrow(self, table: Any) -> Any:
        """Carry out an ibis table over :meth:`facts`."""
        return self.definitions.arrow(table)

    def facts(self) -> Facts:
        """Return the facts as ibis tables."""
        return self._facts

    @cached_property
    def _facts(self) -> Facts:
        return self.definitions.facts(
            as_of=self.as_of, known_at=self.known_at, currency=settings.KEEPWELL_CURRENCY
        )

    @cached_property
    def first_day(self) -> date | None:
        """Local day of the first loaded order."""
        return self._edge(ORDER_STATES, "ordered_at", "min")

    @cached_property
    def last_day(self) -> date | None:
        """Local day of the last loaded order."""
        return self._edge(ORDER_STATES, "ordered_at", "max")

    @cached_property
    def fact_days(self) -> tuple[date | None, date | None]:
        """Local days of the first and the last fact that a period's figures count."""
        first = [day for at in COUNTED_AT if (day := self._edge(*at, "min"))]
        last = [day for at in COUNTED_AT if (day := self._edge(*at, "max"))]
        return min(first, default=None), max(last, default=None)

    @cached_property
    def surroundings(self) -> Surroundings:
        """What flags depend on."""
        tables = [name for name, columns in COLUMNS.items() if INVENTED in dict(columns)]
        invented = frozenset(name for name in tables if self._is_invented(name))
        return Surroundings(self.first_day, invented)

    def _is_invented(self, table: str) -> bool:
        """Whether some of a table's facts, as they are now, are demo data."""
        import pyarrow.compute as pc

        has_states = "valid_until" in dict(COLUMNS[table])
        rows = self.store.read(table, [INVENTED, *(["valid_until"] if has_states else [])])
        if has_states:
            rows = rows.filter(pc.is_null(rows.column("valid_until")))
        return bool(pc.any(rows.column(INVENTED)).as_py())

    def _edge(self, table: str, column: str, which: str) -> date | None:
        import pyarrow.compute as pc

        values = self.store.read(table, [column]).column(0)
        moment = pc.min_max(values)[which].as_py()
        return None if moment is None else local_date(moment.replace(tzinfo=UTC))


@contextmanager
def computing(
    store: Store, *, as_of: datetime, known_at: datetime, engine: str = AUTO
) -> Iterator[Computation]:
    """Open a computation; the store's files stay until it ends."""
    refuse_missing_engine(engine)
    with ExitStack() as closing:
        closing.enter_context(files.reading())
        yield Computation(store, as_of, known_at, engine, closing)


def _product_id(sku: str) -> int:
    from crm.models import Product

    product_id = Product.objects.filter(sku=sku).values_list("pk", flat=True).first()
    if product_id is None:
        raise NotFound(_("There is no product with this SKU."))
    return product_id


__all__ = ["AUTO", "ENGINES", "IBIS_DUCKDB", "Computation", "computing"]
