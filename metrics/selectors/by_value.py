"""Several figures for many values side by side: shops, sources or products."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce
from operator import or_

from django.db.models import Q

from crm.models import Product
from metrics.models import RecomputeRun, Snapshot

ByValue = dict[str, dict[str, Snapshot]]


def figures_by_value(
    run: RecomputeRun, periods: Mapping[str, str], *, dimensions: Collection[str]
) -> ByValue:
    """Return ``dimension=value`` → figure's key → snapshot, of what there is; one query.

    periods: figure's key → of which period (empty: of everything up to now).  dimensions:
    ``location``, …; :data:`metrics.slices.OF_PRODUCT` for figures of one product each.
    """
    wanted = reduce(or_, [Q(dimension__startswith=f"{name}=") for name in dimensions])
    snapshots = Snapshot.objects.filter(
        wanted, run=run, kpi__in=list(periods), period__in=set(periods.values())
    )
    found: ByValue = {}
    for snapshot in snapshots:
        if snapshot.period == periods[snapshot.kpi]:
            snapshot.run = run
            found.setdefault(snapshot.dimension, {})[snapshot.kpi] = snapshot
    return found


def list_products(skus: Collection[str], *, front_end: bool = False) -> list[Product]:
    """Return the products with these SKUs, by SKU; one query.

    front_end: only those that new customers get first.
    """
    products = Product.objects.filter(sku__in=list(skus)).order_by("sku")
    if front_end:
        products = products.filter(kind=Product.Kind.FRONT_END)
    return list(products)
