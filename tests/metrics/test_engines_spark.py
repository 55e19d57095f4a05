"""On Spark the definitions find what they find in DuckDB; ``make test-spark``."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.engines.definitions import definition_engine
from metrics.kpis import KPIS
from tests.metrics.engine_results import results
from tests.metrics.histories import store_of
from tests.metrics.histories.sample import sample_history


@pytest.mark.any_database
def test_every_definition_finds_the_same_on_spark(settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE, settings.KEEPWELL_CURRENCY = "Europe/Berlin", "USD"
    store = store_of(sample_history())
    with definition_engine("ibis-duckdb", store) as engine:
        expected = results(engine)
    with definition_engine("ibis-spark", store) as engine:
        found = results(engine)
    for key in [*KPIS, "cohorts"]:
        assert found[key] == expected[key], key
