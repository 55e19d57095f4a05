"""The registry of figures; importing it loads no heavy library."""

from __future__ import annotations

from common.errors import NotFound
from metrics.kpis.base import Kpi
from metrics.kpis.complaints import COMPLAINT_RATE
from metrics.kpis.purchases import (
    AVERAGE_ORDER_VALUE,
    REPEAT_PURCHASE_RATE_90D,
    REPEAT_PURCHASE_RATE_LIFETIME,
)
from metrics.kpis.recommend import NPS
from metrics.kpis.retention import CHURN_RATE, RETENTION_RATE, RETENTION_RATE_SOURCE

KPIS: dict[str, Kpi] = {
    kpi.key: kpi
    for kpi in (
        RETENTION_RATE,
        RETENTION_RATE_SOURCE,
        CHURN_RATE,
        REPEAT_PURCHASE_RATE_90D,
        REPEAT_PURCHASE_RATE_LIFETIME,
        AVERAGE_ORDER_VALUE,
        COMPLAINT_RATE,
        NPS,
    )
}


def get_kpi(key: str) -> Kpi:
    """Return a figure of the registry.

    :raises NotFound: there is none with this key.
    """
    if key not in KPIS:
        raise NotFound
    return KPIS[key]
