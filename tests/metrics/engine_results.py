"""What an engine finds for every figure of the sample, in a form that can be compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from common.time import Period
from metrics.engines.definitions import Engine
from metrics.engines.measures import Measure
from metrics.kpis import KPIS
from metrics.windows import Window, window_of
from tests.metrics.histories.sample import AS_OF, KNOWN_AT

PERIODS = ("2025-10", "2026-03", "2026-Q1", "2026-W13", "2025")
CUT = {"as_of": AS_OF, "known_at": KNOWN_AT}


def windows() -> list[Window]:
    return [window_of(None, **CUT), *(window_of(Period.parse(p), **CUT) for p in PERIODS)]


def months() -> list[Window]:
    first = Period.parse("2025-06")
    return [window_of(first.shifted(step), **CUT) for step in range(12)]


def results(engine: Engine) -> dict[str, Any]:
    """Figure → period → numbers, sets, amounts and single values; and the cohort matrix."""
    facts = engine.facts(currency="USD", **CUT)
    found: dict[str, Any] = {}
    for key, kpi in KPIS.items():
        measures = engine.measure(kpi, facts, windows())
        found[key] = {window: plain(measure) for window, measure in measures.items()}
    cells = engine.cohort_cells(facts, months())
    found["cohorts"] = sorted(map(tuple, zip(*cells.to_pydict().values(), strict=True)))
    return found


def plain(measure: Measure) -> dict[str, Any]:
    found: dict[str, Any] = {
        "numerator": measure.numerator,
        "denominator": measure.denominator,
        "detail": near(measure.detail),
        "sets": {name: list(map(int, ids)) for name, ids in measure.sets.items()},
    }
    if measure.amounts is not None:
        for name in ("ids", "numerator", "denominator"):
            found[f"amounts {name}"] = np.asarray(getattr(measure.amounts, name)).tolist()
        found["amounts detail"] = near(np.asarray(measure.amounts.detail).tolist())
    if measure.values is not None:
        pairs = zip(measure.values.ids.tolist(), measure.values.values.tolist(), strict=True)
        ids, values = zip(*sorted(pairs), strict=True)
        found |= {"values ids": ids, "values": near(list(values))}
    return found


def near(value: Any) -> Any:
    """Sums of floats depend on their order: nine digits of them don't."""
    if isinstance(value, list):
        return [near(one) for one in value]
    return None if value is None else float(f"{value:.9g}")
