"""A recompute of many purchases works in portions; what it keeps is the same."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from crm.services.costs import record_cost
from metrics import compute
from metrics.models import CohortCell, MapCell, RecomputeRun, Snapshot, SnapshotSet
from metrics.services import recompute
from tests.metrics.worlds import complain, customers, order, record, retention_example

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.system,
    pytest.mark.usefixtures("every_figure", "berlin"),
]


def kept_by(run: RecomputeRun) -> dict[str, list[Any]]:
    """Everything of a run: figures, who is behind them, cohorts and maps."""
    figures = ("kpi", "period", "dimension", "value", "numerator", "denominator", "low", "high")
    sets = ("snapshot__kpi", "snapshot__period", "name", "members__digest")
    rows = {
        Snapshot: (*figures, "flags", "is_complete"),
        CohortCell: ("cohort", "offset", "amount", "profit", "members__digest"),
        MapCell: ("map", "x", "y", "customers", "amount", "members__digest"),
    }
    found = {
        model.__name__: sorted(model.objects.filter(run=run).values_list(*columns), key=str)
        for model, columns in rows.items()
    }
    behind = SnapshotSet.objects.filter(snapshot__run=run)
    return {**found, "sets": sorted(behind.values_list(*sets))}


def test_in_portions_every_figure_is_what_it_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    people = retention_example()
    june, october = (datetime(2025, month, 6, 12, tzinfo=UTC) for month in (6, 10))
    record(
        [order(one, june, cost=Decimal(4)) for one in customers(8)]
        + [order(one, october, cost=Decimal(12)) for one in people["kept"]]
        + [order(None, october, amount=25)]
    )
    complain([*people["kept"][:3], None], datetime(2025, 11, 3, tzinfo=UTC))
    spent = {"month": date(2025, 10, 1), "category": "service", "amount": Decimal(30)}
    record_cost(**spent, happened_at=NOW, actor="system")
    at_once = kept_by(recompute(now=NOW))
    monkeypatch.setattr(compute, "LARGE", 0)
    in_portions = kept_by(recompute(now=NOW))
    assert in_portions == at_once
    assert len(at_once["Snapshot"]) > 1_000
    assert {profit is None for _c, _o, _a, profit, _d in at_once["CohortCell"]} == {True, False}
