"""How many of those who received something complained, by array arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from metrics.engines.calendar import DAY, micros
from metrics.engines.kernels_purchases import by_window
from metrics.engines.measures import NOBODY, add_up, count
from metrics.engines.members import Chosen, Flags, Ints
from metrics.engines.orders import Events, Orders
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Amounts, Measure
from metrics.kpis.complaints import COMPLAINT_DAYS, complaints_opened, deliveries
from metrics.windows import Window

OPENED, DELIVERIES = "opened", "deliveries"


def complaint_rate(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of recipients who complained / recipients."""
    received = orders.events(DELIVERIES, deliveries)
    is_about = _complained_about(received, orders.events(OPENED, complaints_opened))

    def measure(window: Window) -> Measure:
        inside = received.slice(micros(window.start), micros(window.until))
        codes, is_bad = received.codes[inside], is_about[inside]
        found = Measure(
            sets={
                NUMERATOR: _chosen(orders, codes[is_bad]),
                DENOMINATOR: _chosen(orders, codes[codes >= 0]),
            }
        )
        count(found)
        return found

    return by_window(orders, windows, measure)


def _complained_about(received: Events, opened: Events) -> Flags:
    """Return after which deliveries their customer complained soon enough."""
    found = np.zeros(len(received.codes), dtype=bool)
    who = np.unique(opened.codes[opened.codes >= 0])
    if not len(who):
        return found
    theirs = np.flatnonzero(np.isin(received.codes, who))
    mine = np.flatnonzero(opened.codes >= 0)
    codes = np.concatenate([received.codes[theirs], opened.codes[mine]])
    times = np.concatenate([received.times[theirs], opened.times[mine]])
    is_complaint = np.arange(len(codes)) >= len(theirs)
    # By customer and time; what was opened at the instant of a delivery comes after it.
    order = np.lexsort((is_complaint, times, codes))
    last = len(order) - 1
    following = np.where(is_complaint[order], np.arange(len(order)), last)
    following = order[np.minimum.accumulate(following[::-1])[::-1]]
    is_soon = (
        is_complaint[following]
        & (codes[following] == codes[order])
        & (times[following] - times[order] < COMPLAINT_DAYS * DAY)
    )
    bad = order[is_soon & ~is_complaint[order]]
    found[theirs[bad]] = True
    return found


def complaints_per_order(orders: Orders, windows: list[Window]) -> dict[str, Measure]:
    """Kernel of complaints opened / orders delivered, those of nobody known among them."""
    received = orders.events(DELIVERIES, deliveries)
    opened = orders.events(OPENED, complaints_opened)

    def measure(window: Window) -> Measure:
        span = micros(window.start), micros(window.until)
        codes = received.codes[received.slice(*span)]
        known = codes[codes >= 0]
        many = np.bincount(known, minlength=len(orders.ids))
        buyers = np.flatnonzero(many)
        ids, under = orders.ids[buyers], many[buyers]
        if strangers := len(codes) - len(known):
            ids, under = np.insert(ids, 0, NOBODY), np.insert(under, 0, strangers)
        who, over = np.unique(opened.ids[opened.slice(*span)], return_counts=True)
        everybody = np.union1d(ids, who) if len(who) else ids
        found = Measure(
            sets={
                NUMERATOR: who[who != NOBODY],
                DENOMINATOR: _chosen(orders, known),
            },
            amounts=Amounts(
                everybody,
                _spread(everybody, who, over),
                _spread(everybody, ids, under),
                np.zeros(len(everybody)),
            ),
        )
        add_up(found)
        return found

    return by_window(orders, windows, measure)


def _chosen(orders: Orders, codes: Any) -> Chosen:
    flags = np.zeros(len(orders.ids), dtype=bool)
    flags[codes] = True
    return Chosen.of(orders.ids, flags)


def _spread(everybody: Ints, ids: Ints, numbers: Ints) -> Ints:
    """Return the number of each, 0 of those who have none."""
    if len(ids) == len(everybody):
        return numbers
    found = np.zeros(len(everybody), dtype=np.int64)
    found[np.searchsorted(everybody, ids)] = numbers
    return found
