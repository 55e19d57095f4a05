"""The day and month of an instant are those the organisation's wall clock showed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.engines.calendar import local_days, local_months, micros
from tests.requirements import tries

BERLIN = ZoneInfo("Europe/Berlin")
CHANGES = [datetime(2025, 3, 30, 1, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC)]
TEN_YEARS = 10 * 365 * 86_400
moments = st.builds(
    lambda change, seconds: change + timedelta(seconds=seconds),
    st.sampled_from(CHANGES),
    st.one_of(st.integers(-90_000, 90_000), st.integers(-TEN_YEARS, TEN_YEARS)),
)


@settings(max_examples=tries(60))
@given(st.lists(moments, min_size=1, max_size=20))
def test_days_and_months_are_those_of_the_wall_clock(moments: list[datetime]) -> None:
    times = np.array([micros(moment) for moment in moments], dtype=np.int64)
    local = [moment.astimezone(BERLIN) for moment in moments]
    with override_settings(KEEPWELL_TIMEZONE="Europe/Berlin"):
        days, months = local_days(times).tolist(), local_months(times).tolist()
    assert days == [(one.date() - date(1970, 1, 1)).days for one in local]
    assert months == [12 * one.year + one.month - 1 for one in local]


@pytest.mark.parametrize("years", [1, 2, 40])
def test_however_many_changes_of_the_clock_lie_between(years: int) -> None:
    midnight = datetime(2025, 3, 30, tzinfo=BERLIN)
    last = midnight.replace(year=2025 + years) - timedelta(microseconds=1)
    times = np.array([micros(moment.astimezone(UTC)) for moment in (midnight, last)])
    with override_settings(KEEPWELL_TIMEZONE="Europe/Berlin"):
        found = local_days(times).tolist()
    first_day = (midnight.date() - date(1970, 1, 1)).days
    assert found == [first_day, (last.date() - date(1970, 1, 1)).days]
