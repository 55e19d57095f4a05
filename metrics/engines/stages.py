"""Where each customer stands on the journey, from the times of their orders."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from metrics.engines.calendar import micros
from metrics.engines.orders import Orders
from metrics.windows import LOOK_BACK_DAYS, days_before

LAPSE = LOOK_BACK_DAYS * 24 * 3600 * 1_000_000  # microseconds


def stages(orders: Orders, as_of: datetime) -> dict[int, str]:
    """Return customer id → stage for everybody with an order; those without are leads.

    Active means an order in the 90 local days before ``as_of``, as for the retention rate.
    ``lost``: not active. ``won_back``: active again after at least 90 × 24 hours without an
    order, the return being in those 90 days.
    ``first``: one order so far (same instant counts as one). ``repeat``: the rest. Loyal and at
    risk need the fitted models and are given out by these.
    """
    if not len(orders.ids):
        return {}
    look = days_before(as_of, LOOK_BACK_DAYS)
    is_active = orders.active(look, as_of).flags
    gaps = np.diff(orders.times, prepend=orders.times[:1])
    gaps[orders.starts] = 0
    is_return = (gaps >= LAPSE) & (orders.times >= micros(look))
    came_back = np.zeros(len(orders.ids), dtype=bool)
    came_back[orders.codes[is_return]] = True
    found = np.where(orders.last > orders.first, "repeat", "first").astype("<U8")
    found[came_back] = "won_back"
    found[~is_active] = "lost"
    return dict(zip(orders.ids.tolist(), found.tolist(), strict=True))
