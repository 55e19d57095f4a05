"""How far chance alone may have moved a ratio of two sums: by drawing the customers again.

A 95 % percentile bootstrap: as many customers as there are, drawn with replacement, a thousand
times. Many customers are first put into :data:`GROUPS_MOST` groups at random and the groups drawn,
which spreads the ratio as much and costs no more for a million than for a thousand. The same
customers give the same interval.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 1000
GROUPS_MOST = 256
SEED = 6
USABLE = 0.95  # the share of draws that must have a ratio at all

Floats = NDArray[np.float64]


def ratio_interval(numerators: ArrayLike, denominators: ArrayLike) -> tuple[float, float] | None:
    """Return the interval of Σ numerators / Σ denominators; one of each for every customer.

    None with fewer than two customers, or without anything to divide by.
    """
    over, under = _drawn_again(numerators, denominators)
    return _middle(over, under)


def ratio_of_means_interval(values: ArrayLike, chosen: ArrayLike) -> tuple[float, float] | None:
    """Return the interval of the mean of the chosen customers' values / the mean of all.

    None with fewer than two chosen, or where all values are 0.
    """
    values, chosen = np.asarray(values, np.float64), np.asarray(chosen, np.float64)
    if chosen.sum() < 2:
        return None
    of_chosen, number, of_all, everybody = _drawn_again(
        values * chosen, chosen, values, np.ones(len(values))
    )
    return _middle(of_chosen * everybody, of_all * number)


def _middle(over: Floats, under: Floats) -> tuple[float, float] | None:
    usable = under > 0
    if usable.sum() < USABLE * RESAMPLES:
        return None
    low, high = np.quantile(over[usable] / under[usable], [0.025, 0.975])
    return float(low), float(high)


def _drawn_again(*columns: ArrayLike) -> list[Floats]:
    """Return, for each column, its sum in each of the draws; nothing but 0 of fewer than two."""
    arrays = [np.asarray(column, np.float64) for column in columns]
    count = len(arrays[0])
    if count < 2:
        return [np.zeros(RESAMPLES) for _ in arrays]
    if count > GROUPS_MOST:
        groups = _groups(count)
        arrays = [np.bincount(groups, array, GROUPS_MOST).astype(np.float64) for array in arrays]
    times = _times_drawn(min(count, GROUPS_MOST)).astype(np.float64)
    return [times @ array for array in arrays]


@lru_cache(maxsize=4)
def _groups(count: int) -> NDArray[np.int64]:
    """Return the group of each of ``count`` customers."""
    return np.random.default_rng(SEED).integers(0, GROUPS_MOST, count)


@lru_cache(maxsize=GROUPS_MOST)  # all there can be: drawing takes long, and they are 33 MB
def _times_drawn(count: int) -> NDArray[np.uint8]:
    """Return how often each of ``count`` is drawn, a row for each draw."""
    chances = np.full(count, 1 / count)
    drawn = np.random.default_rng(SEED).multinomial(count, chances, size=RESAMPLES)
    return drawn.astype(np.uint8)  # of 256, nobody is drawn as often as that
