"""Days, weeks, months, quarters and years of the organisation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from common.time import Period, local_date, now, start_of_day

DAYS = st.dates(date(1901, 1, 1), date(2199, 12, 31))
UNITS = st.sampled_from(["week", "month", "quarter", "year"])


@pytest.fixture
def _new_york(settings: Any) -> None:
    settings.KEEPWELL_TIMEZONE = "America/New_York"


in_new_york = pytest.mark.usefixtures("_new_york")


def test_now_is_aware_and_in_utc() -> None:
    assert now().tzinfo is UTC


@in_new_york
def test_the_evening_belongs_to_the_local_day() -> None:
    assert local_date(datetime(2026, 1, 1, 4, 59, tzinfo=UTC)) == date(2025, 12, 31)
    assert local_date(datetime(2026, 1, 1, 5, 0, tzinfo=UTC)) == date(2026, 1, 1)


@in_new_york
@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 6, 1), 24)],
)
def test_a_day_of_a_clock_change_has_23_or_25_hours(day: date, hours: int) -> None:
    assert start_of_day(day + timedelta(days=1)) - start_of_day(day) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        # In Beirut the clocks go from 0:00 to 1:00, so the day begins an hour late.
        ("Asia/Beirut", date(2022, 3, 27), datetime(2022, 3, 26, 22, 0, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2026, 3, 2), datetime(2026, 3, 1, 18, 15, tzinfo=UTC)),
        ("Pacific/Kiritimati", date(2026, 3, 2), datetime(2026, 3, 1, 10, 0, tzinfo=UTC)),
    ],
)
def test_days_begin_where_the_organisation_is(
    zone: str, day: date, begins: datetime, settings: Any
) -> None:
    settings.KEEPWELL_TIMEZONE = zone
    assert start_of_day(day) == begins
    assert local_date(begins) == day


@in_new_york
def test_a_month_begins_and_ends_at_local_midnight() -> None:
    march = Period.parse("2026-03")
    assert march.start == datetime(2026, 3, 1, 5, 0, tzinfo=UTC)
    assert march.end == datetime(2026, 4, 1, 4, 0, tzinfo=UTC)  # the clocks changed within


@pytest.mark.parametrize(
    ("text", "first_day", "end_day"),
    [
        ("2026", date(2026, 1, 1), date(2027, 1, 1)),
        ("2026-Q1", date(2026, 1, 1), date(2026, 4, 1)),
        ("2026-Q4", date(2026, 10, 1), date(2027, 1, 1)),
        ("2024-02", date(2024, 2, 1), date(2024, 3, 1)),
        ("2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("2026-W01", date(2025, 12, 29), date(2026, 1, 5)),
        ("2026-W53", date(2026, 12, 28), date(2027, 1, 4)),
        ("2021-W01", date(2021, 1, 4), date(2021, 1, 11)),
    ],
)
def test_periods_are_read_and_written_back(text: str, first_day: date, end_day: date) -> None:
    period = Period.parse(text)
    assert (period.first_day, period.end_day) == (first_day, end_day)
    assert str(period) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "26", "2026-13", "2026-00", "2026-Q0", "2026-Q5", "2025-W53", "2026-W00", "2026-W54"),
        *("2026-1", "２０２６", "2026-03-02", "2026-03\n", "0000", "NaN", "2026-q1"),
        *("0001", "0001-01", "1899-12", "2200", "9999-12"),
    ],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Period.parse(text)


def test_the_first_of_january_may_belong_to_last_years_week() -> None:
    assert str(Period.containing(date(2027, 1, 1), "week")) == "2026-W53"
    assert str(Period.containing(date(2024, 12, 30), "week")) == "2025-W01"


@given(DAYS, UNITS)
def test_a_period_holds_its_day_and_is_read_back(day: date, unit: Any) -> None:
    period = Period.containing(day, unit)
    assert period.first_day <= day < period.end_day
    assert Period.parse(str(period)) == period


@given(st.dates(date(1950, 1, 1), date(2150, 1, 1)), UNITS, st.integers(-300, 300))
def test_shifting_goes_there_and_back_and_leaves_no_gap(day: date, unit: Any, count: int) -> None:
    count = count % 40
    period = Period.containing(day, unit)
    assert period.shifted(count).shifted(-count) == period
    assert period.shifted(count).end_day == period.shifted(count + 1).first_day


@given(DAYS)
def test_days_follow_each_other_without_gap(day: date) -> None:
    assert local_date(start_of_day(day)) == day
    assert local_date(start_of_day(day) - timedelta(microseconds=1)) == day - timedelta(days=1)
