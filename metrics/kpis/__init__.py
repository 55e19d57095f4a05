"""The registry of figures; importing it loads no heavy library.

A module with figures has them in a tuple ``KPIS`` and stands in :data:`MODULES`.
"""

from __future__ import annotations

from common.errors import NotFound
from metrics.kpis import (
    complaints,
    costs,
    engaged,
    frequency,
    funnel,
    liability,
    lift,
    loyalty,
    purchases,
    recommend,
    retention,
    revenue,
    save,
    standards,
    value,
    voice,
)
from metrics.kpis.base import GROUPS, Kpi

MODULES = (
    retention,
    purchases,
    frequency,
    revenue,
    value,
    engaged,
    costs,
    funnel,
    recommend,
    voice,
    complaints,
    standards,
    save,
    loyalty,
    liability,
    lift,
)

# By group, as the pages show them.
KPIS: dict[str, Kpi] = {
    kpi.key: kpi
    for group in GROUPS
    for module in MODULES
    for kpi in module.KPIS
    if kpi.group == group
}


def get_kpi(key: str) -> Kpi:
    """Return a figure of the registry.

    :raises NotFound: there is none with this key.
    """
    if key not in KPIS:
        raise NotFound
    return KPIS[key]
