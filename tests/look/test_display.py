"""Numbers, money and times read right in each language."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override

from common import display

LATE_EVENING = datetime(2024, 3, 5, 23, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "1,234,567.50"), ("ru", "1\u00a0234\u00a0567,50"), ("zh-hans", "1,234,567.50")],
)
def test_it_groups_numbers_for_the_language(language: str, text: str) -> None:
    with override(language):
        assert display.format_number(Decimal("1234567.5"), 2) == text


@pytest.mark.parametrize(
    ("language", "amount", "currency", "text"),
    [
        ("en", "1234.5", "USD", "$1,234.50"),
        ("en", "-1234.5", "USD", "\u2212$1,234.50"),
        ("en", "-0.001", "USD", "$0.00"),
        ("en", "1500", "JPY", "¥1,500"),
        ("en", "10", "CHF", "CHF\u00a010.00"),
        ("ru", "-1234.5", "RUB", "\u22121\u00a0234,50\u00a0₽"),
        ("zh-hans", "1234.5", "CNY", "¥1,234.50"),
    ],
)
def test_it_shows_money_as_the_language_does(
    language: str, amount: str, currency: str, text: str
) -> None:
    with override(language):
        assert display.format_money(Decimal(amount), currency) == text


@pytest.mark.parametrize(
    ("language", "text"), [("en", "7.1\u00a0%"), ("ru", "7,1\u00a0%"), ("zh-hans", "7.1%")]
)
def test_it_shows_a_ratio_as_per_cent(language: str, text: str) -> None:
    with override(language):
        assert display.format_percent(Decimal("0.0714285")) == text


@pytest.mark.parametrize("value", [None, "", "NaN", "Infinity", "many"])
def test_it_shows_no_data_as_a_dash_and_never_as_zero(value: str | None) -> None:
    assert display.format_number(value) == "–"
    assert display.format_percent(value) == "–"
    assert display.format_money(value, "USD") == "–"


def test_it_counts_points_in_words() -> None:
    assert display.format_points(1) == "1 point"
    assert display.format_points(1250) == "1,250 points"
    assert display.format_points(-3) == "\u22123 points"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "6 Mar 2024, 02:05"),
        ("ru", "6 мар 2024, 02:05"),
        ("zh-hans", "2024年3月6日, 02:05"),
    ],
)
def test_it_shows_an_instant_on_the_organisations_clocks(
    settings: Any, language: str, text: str
) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Moscow"
    with override(language):
        assert display.format_local(LATE_EVENING) == text


def test_it_leaves_out_the_year_that_runs(clock: Any) -> None:
    assert display.format_local(clock.moment) == "2 Mar, 12:00"
    assert display.format_local(date(2026, 1, 5)) == "5 Jan"
    assert display.format_local(date(2025, 12, 31)) == "31 Dec 2025"


@pytest.mark.parametrize(
    ("ago", "language", "text"),
    [
        (timedelta(days=361, hours=3), "en", "361 days"),
        (timedelta(days=1), "en", "1 day"),
        (timedelta(hours=23, minutes=59), "en", "23 hours"),
        (timedelta(seconds=30), "en", "0 minutes"),
        (timedelta(days=22), "ru", "22 дня"),
        (timedelta(days=330), "zh-hans", "330 天"),
    ],
)
def test_it_says_how_long_ago_in_the_largest_unit(
    clock: Any, ago: timedelta, language: str, text: str
) -> None:
    with override(language):
        assert display.format_since(clock() - ago) == text


def test_no_instant_was_no_time_ago() -> None:
    assert display.format_since(None) == "–"


def test_machines_get_the_instant_in_utc() -> None:
    assert display.machine_time(LATE_EVENING) == "2024-03-05T23:05:09Z"
