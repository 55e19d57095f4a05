"""When points become usable and when they lapse: local days, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from loyalty.models import Programme, TermsVersion
from loyalty.selectors.earning import Terms, usable_from
from loyalty.selectors.expiry import usable_until
from tests.cast import NOON
from tests.loyalty.earning import AMOUNT, earned, rule


def lasting(days: int) -> TermsVersion:
    return TermsVersion(expiry="days", expiry_count=days)


def test_points_become_usable_on_the_day_after_the_last_day_for_returns(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Moscow"  # UTC+3
    delivered = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)  # 21:00 on the 20th
    assert usable_from(delivered, 14) == datetime(2026, 12, 4, 21, 0, tzinfo=UTC)  # 5 Dec, 0:00


def test_without_days_for_returns_points_are_usable_at_once() -> None:
    assert usable_from(NOON, 0) == NOON


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        # The clocks go forward on 8 March and back on 1 November 2026: midnights stay local ones.
        (datetime(2026, 3, 1, 17, tzinfo=UTC), datetime(2026, 3, 16, 4, tzinfo=UTC)),
        (datetime(2026, 10, 25, 17, tzinfo=UTC), datetime(2026, 11, 9, 5, tzinfo=UTC)),
        # Delivered in the night of the change, once in each of the doubled hours.
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 16, 5, tzinfo=UTC)),
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), datetime(2026, 11, 16, 5, tzinfo=UTC)),
    ],
)
def test_clock_changes_move_no_local_midnight(
    settings, delivered: datetime, expected: datetime
) -> None:
    settings.KEEPWELL_TIMEZONE = "America/New_York"
    assert usable_from(delivered, 14) == expected


def test_points_expire_at_the_end_of_a_local_day(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "America/New_York"
    usable = datetime(2027, 11, 5, 4, 0, tzinfo=UTC)  # local midnight, summer time
    assert usable_until(usable, lasting(1)) == datetime(2027, 11, 7, 4, 0, tzinfo=UTC)
    assert usable_until(usable, lasting(2)) == datetime(
        2027, 11, 8, 5, 0, tzinfo=UTC
    )  # winter time by then


def test_a_leap_day_is_a_day(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "UTC"
    assert usable_until(datetime(2028, 2, 28, tzinfo=UTC), lasting(1)) == datetime(
        2028, 3, 1, tzinfo=UTC
    )


def test_points_for_ever_have_no_end() -> None:
    assert usable_until(NOON, TermsVersion()) is None


def test_idle_points_know_when_they_lapse(settings) -> None:
    settings.KEEPWELL_TIMEZONE = "UTC"
    idle = TermsVersion(valid_from=NOON, pending_days=0, expiry="inactivity", expiry_count=6)
    promised = Terms.of(Programme(starts_at=NOON, currency="USD"), [idle], [rule(**AMOUNT)])
    earning = earned(promised)
    assert earning.expires_at is None
    assert earning.lapses_at == datetime(2026, 9, 3, tzinfo=UTC)
