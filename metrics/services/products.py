"""Figures of one product each: what a run keeps of the products that are sold most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from crm.models import Product
from metrics.figures import Figure, figure_of
from metrics.kpis.base import Kpi
from metrics.models import RecomputeRun
from metrics.services.writing import Row, SetKeeper, write_snapshots
from metrics.slices import OF_PRODUCT
from metrics.windows import Window, WindowUnit

if TYPE_CHECKING:
    from metrics.compute import Computation

MOST_PRODUCTS = 20  # of each kind: those on most lines of purchases
# How many of the last periods are kept by product as well.
KEPT: dict[WindowUnit, int] = {"month": 3, "quarter": 5, "year": 2, "trailing": 3}


def write_products(
    run: RecomputeRun,
    computation: Computation,
    windows: Sequence[Window],
    keeper: SetKeeper,
    kpis: Iterable[Kpi],
) -> int:
    """Write the figures that can be of one product, of the products sold most; return how many.

    Figures of the funnel are of front-end products. They have sets of people of their own.
    """
    if not (computation.has_rows("line_states") and computation.has_rows("products")):
        return 0
    wanted = [
        window
        for unit, most in KEPT.items()
        for window in [one for one in windows if one.unit == unit][-most:]
    ]
    of_any = _sold_most(computation)
    front_end = _sold_most(computation, kind=Product.Kind.FRONT_END)
    products = Product.objects.filter(pk__in={*of_any, *front_end})
    skus = dict(products.values_list("pk", "sku"))
    written = 0
    for kpi in kpis:
        if kpi.is_of_products:
            ids = [one for one in (front_end if kpi.group == "funnel" else of_any) if one in skus]
            found = computation.measures_of_products(kpi, wanted, ids)
            for product_id, measures in found.items():
                dimension = f"{OF_PRODUCT}={skus[product_id]}"
                figures = [
                    (
                        figure_of(kpi, one, measure, computation.surroundings, dimension=dimension),
                        one,
                    )
                    for one in wanted
                    if (measure := measures[one.name]).numerator or measure.denominator
                ]
                rows = [_with_sets(figure, window, keeper) for figure, window in figures]
                written += write_snapshots(run, kpi, rows, dimension=dimension)
    return written


def _with_sets(figure: Figure, window: Window, keeper: SetKeeper) -> Row:
    names = [name for name, ids in figure.sets.items() if len(ids)]
    keys = keeper.keep(figure.sets[name] for name in names)
    return figure, window, list(zip(names, keys, strict=True))


def _sold_most(computation: Computation, *, kind: str = "") -> list[int]:
    """Return the ids of the products on most lines of purchases; kind: only those of one."""
    import ibis

    facts = computation.facts()
    lines = facts.lines
    if kind:
        products = facts.products
        lines = lines.semi_join(products.filter(products.kind == kind), "product_id")
    counted = lines.group_by("product_id").aggregate(sold=lines.count())
    most = counted.order_by([ibis.desc("sold"), "product_id"]).limit(MOST_PRODUCTS)
    return [int(one) for one in computation.arrow(most.select("product_id")).column(0).to_pylist()]
