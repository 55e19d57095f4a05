"""Holding definitions against oracles, window by window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from metrics.compute import AUTO, computing
from metrics.kpis import KPIS
from metrics.kpis.base import Measure
from metrics.windows import Window
from tests.metrics.histories.facts import History
from tests.metrics.histories.stores import store_of
from tests.metrics.histories.strategies import CUT, windows

# What a plain count finds: sets by name; or numerator, denominator and sets.
Oracle = Callable[[Window], Any]


def compare(history: History, oracles: Mapping[str, Oracle], engine: str = AUTO) -> None:
    """Assert that each figure of each window is what its oracle finds."""
    seen = windows()
    with computing(store_of(history), engine=engine, **CUT) as computation:
        for key, oracle in oracles.items():
            for window, measure in computation.measures(KPIS[key], seen).items():
                expected = oracle(next(one for one in seen if one.name == window))
                agree(measure, expected, (key, window))


def agree(measure: Measure, expected: Any, what: Any) -> None:
    """Assert that a window's figure is what its oracle found. what: said where it isn't."""
    if isinstance(expected, dict):
        sizes = (len(expected.get(name, ())) for name in ("numerator", "denominator"))
        expected = (*sizes, expected)
    numerator, denominator, sets = expected
    wanted = {name: sorted(ids) for name, ids in sets.items() if ids}
    found = {name: list(ids) for name, ids in measure.sets.items() if len(ids)}
    assert found == wanted, what
    assert (measure.numerator, measure.denominator) == (numerator, denominator), what
