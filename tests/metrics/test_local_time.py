"""Days and months inside an expression are those the clock on the wall showed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import pyarrow as pa
import pytest
from django.test import override_settings

from metrics.kpis.local_time import (
    local_day,
    local_month,
    offsets,
    with_local_day,
    with_local_month,
)

AS_OF = datetime(2026, 5, 10, tzinfo=UTC)
ZONES = ["Europe/Berlin", "UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"]


@dataclass
class Now:
    as_of: datetime = AS_OF


def moments(zone: ZoneInfo) -> list[datetime]:
    """Around every change of the clock, every new month of two years, and odd ones."""
    edges = [since.replace(tzinfo=UTC) for since, _seconds in offsets(zone, date(2026, 12, 1))]
    edges += [
        datetime(year, month, 1, tzinfo=where)
        for year in (1969, 2011, 2024)
        for month in range(1, 13)
        for where in (UTC, zone)
    ]
    step = timedelta(microseconds=1)
    near = [edge + shift for edge in edges for shift in (-step, 0 * step, step)]
    first = datetime(1900, 1, 1, tzinfo=UTC)
    return sorted({max(first, moment.astimezone(UTC)) for moment in near})


@pytest.mark.parametrize("name", ZONES)
def test_days_and_months_are_pythons_at_every_edge(name: str) -> None:
    zone = ZoneInfo(name)
    found: list[dict[str, Any]] = []
    wanted = []
    for at in moments(zone):
        local = at.astimezone(zone)
        day, month = (local.date() - date(1970, 1, 1)).days, local.year * 12 + local.month - 1
        wanted.append({"at": at.replace(tzinfo=None), "day": day, "month": month})
    rows = ibis.memtable(pa.table({"at": [row["at"] for row in wanted]}))
    with override_settings(KEEPWELL_TIMEZONE=name):
        joined = with_local_month(with_local_day(rows, "at", Now()), "at", Now())
        column = rows.mutate(day=local_day(rows.at, Now()), month=local_month(rows.at, Now()))
        for expression in (joined, column):
            found = ibis.duckdb.connect().to_pyarrow(expression.order_by("at")).to_pylist()
            assert found == wanted


def test_no_instant_has_no_day() -> None:
    rows = ibis.memtable(pa.table({"at": pa.array([None], pa.timestamp("us"))}))
    (row,) = ibis.duckdb.connect().to_pyarrow(with_local_day(rows, "at", Now())).to_pylist()
    assert row == {"at": None, "day": None}
