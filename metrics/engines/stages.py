"""Where each customer stands on the journey, from the times of their orders."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from metrics.engines.kernels import Orders, micros

ACTIVE_DAYS = 90  # the window of the retention rate: who is active there is not lapsed here
DAY = 24 * 3600 * 1_000_000


def stages(orders: Orders, as_of: datetime) -> dict[int, str]:
    """Return customer id → stage for everybody with an order; those without are leads.

    Active means an order in the 90 days before ``as_of``. ``lost``: not active. ``won_back``:
    active again after at least 90 days without an order, the return being in those 90 days.
    ``first``: one order so far (same instant counts as one). ``repeat``: the rest. Loyal and at
    risk need the fitted models and are given out by these.
    """
    if not len(orders.ids):
        return {}
    since = micros(as_of - timedelta(days=ACTIVE_DAYS))
    is_active = orders.active(as_of - timedelta(days=ACTIVE_DAYS), as_of)
    gaps = np.diff(orders.times, prepend=orders.times[:1])
    gaps[orders.starts] = 0
    is_return = (gaps >= ACTIVE_DAYS * DAY) & (orders.times >= since)
    came_back = np.zeros(len(orders.ids), dtype=bool)
    came_back[orders.codes[is_return]] = True
    last = orders.times[np.append(orders.starts[1:], len(orders.times)) - 1]
    found = np.where(last > orders.first, "repeat", "first").astype("<U8")
    found[came_back] = "won_back"
    found[~is_active] = "lost"
    return dict(zip(orders.ids.tolist(), found.tolist(), strict=True))
