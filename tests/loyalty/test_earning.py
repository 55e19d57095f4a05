"""What an order earns: worked examples of the one pure function."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.models import EarningRule, Programme, RuleVersion, TermsVersion
from loyalty.selectors.earning import Terms, earning_of, usable_from
from loyalty.selectors.expiry import usable_until
from tests.cast import NOON

DOWN, HALF_UP, UP = RuleVersion.Rounding.values


def version(
    points: int = 1, per: str = "1", rounding: str = DOWN, valid_from: datetime = NOON
) -> RuleVersion:
    return RuleVersion(
        rule=EarningRule(pk=1, kind="amount", name="Points"),
        points=points,
        per_amount=Decimal(per),
        rounding=rounding,
        valid_from=valid_from,
    )


def lasting(days: int) -> TermsVersion:
    return TermsVersion(expiry="days", expiry_count=days)


def terms(*versions: RuleVersion, pending_days: int = 14) -> Terms:
    promised = [TermsVersion(valid_from=NOON, pending_days=pending_days)]
    return Terms.of(Programme(starts_at=NOON, currency="USD"), promised, versions)


def points_for(amount: Decimal, paid: RuleVersion) -> int:
    return earning_of(
        terms(paid), amount=amount, currency="USD", ordered_at=NOON, delivered_at=NOON
    ).points


@pytest.mark.parametrize(
    ("amount", "points", "per", "rounding", "expected"),
    [
        ("19.99", 1, "1", DOWN, 19),
        ("19.99", 1, "1", HALF_UP, 20),
        ("19.99", 1, "1", UP, 20),
        ("19.50", 1, "1", HALF_UP, 20),  # half goes up, also from an even number:
        ("20.50", 1, "1", HALF_UP, 21),
        ("20.4999", 1, "1", HALF_UP, 20),
        ("20.0001", 1, "1", UP, 21),
        ("20.00", 1, "1", UP, 20),
        ("199", 5, "100", DOWN, 9),  # not per full hundred: 9.95
        ("0.99", 1, "1", DOWN, 0),
        ("0.0001", 1, "1", UP, 1),
        ("0", 1, "1", UP, 0),
        ("-5", 1, "1", UP, 0),
        ("10", 1, "3", DOWN, 3),
        ("99999999999.9999", 10_000, "0.01", DOWN, 99_999_999_999_999_900),
    ],
)
def test_points_are_whole_and_rounded_as_the_rule_says(
    amount: str, points: int, per: str, rounding: str, expected: int
) -> None:
    assert points_for(Decimal(amount), version(points, per, rounding)) == expected


@given(
    amount=st.decimals(0, 10**6, places=4),
    points=st.integers(1, 100),
    per=st.decimals("0.01", 1000, places=2),
)
def test_the_roundings_enclose_the_exact_value(amount: Decimal, points: int, per: Decimal) -> None:
    exact = amount * points / per
    down, half_up, up = (
        points_for(amount, version(points, str(per), r)) for r in (DOWN, HALF_UP, UP)
    )
    assert down <= exact <= up
    assert down <= half_up <= up
    assert up - down <= 1


def test_the_version_in_force_when_the_order_was_made_counts() -> None:
    later = NOON + timedelta(days=10)
    promised = terms(version(1), version(2, valid_from=later))
    before, after = (
        earning_of(
            promised,
            amount=Decimal(10),
            currency="USD",
            ordered_at=ordered_at,
            delivered_at=later + timedelta(days=5),
        ).points
        for ordered_at in (later - timedelta(microseconds=1), later)
    )
    assert (before, after) == (10, 20)


@pytest.mark.parametrize(
    ("amount", "currency", "ordered_at", "reason"),
    [
        ("10", "EUR", NOON, "other_currency"),
        ("0.5", "USD", NOON, "too_small"),
        ("10", "USD", NOON - timedelta(days=1), "no_rule"),
    ],
)
def test_nothing_earned_says_why(
    amount: str, currency: str, ordered_at: datetime, reason: str
) -> None:
    earning = earning_of(
        terms(version()),
        amount=Decimal(amount),
        currency=currency,
        ordered_at=ordered_at,
        delivered_at=ordered_at,
    )
    assert (earning.points, earning.reason) == (0, reason)


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
