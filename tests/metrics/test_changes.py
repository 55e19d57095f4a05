"""What is said about the difference of two periods."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from metrics.changes import compare_words
from metrics.figures import Figure
from metrics.intervals import wilson
from metrics.kpis import KPIS


def figure(key: str, value: str, low: str = "", high: str = "", **fields: Any) -> Figure:
    given: dict[str, Any] = {
        "kpi": KPIS[key],
        "period": "2025-Q4",
        "unit": "quarter",
        "value": Decimal(value),
        "numerator": 1,
        "denominator": 1,
        "low": Decimal(low) if low else None,
        "high": Decimal(high) if high else None,
        "is_complete": True,
        "flags": [],
    }
    return Figure(**(given | fields))


def share(part: int, whole: int, **fields: Any) -> Figure:
    low, high = (str(bound * 100) for bound in wilson(part, whole) or (0, 0))
    return figure("retention_rate", str(Decimal(part) * 100 / whole), low, high, **fields)


def said(now: Figure, before: Figure | None) -> str:
    return compare_words(now, before, "Q3 2025").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (share(50, 100), share(50, 100), "The same as in Q3 2025."),
        (share(4999, 10_000), share(50, 100), "The same as in Q3 2025."),  # 0.01 points
        (share(55, 100), share(50, 100), "No clear change since Q3 2025."),
        (share(80, 100), share(50, 100), "30.0 points more than in Q3 2025: more than chance."),
        (share(20, 100), share(50, 100), "30.0 points less than in Q3 2025: more than chance."),
        (
            figure("average_order_value", "25", "24", "26"),
            figure("average_order_value", "20", "19", "21"),
            "$5.00 more than in Q3 2025: more than chance.",
        ),
        (
            figure("average_order_value", "25", "15", "35"),
            figure("average_order_value", "20", "10", "30"),
            "No clear change since Q3 2025.",
        ),
        # Without an interval nothing is said about chance.
        (
            figure("retention_rate_source", "85"),
            figure("retention_rate_source", "80"),
            "5.0 points more than in Q3 2025.",
        ),
        # Months share two thirds of their days.
        (
            share(80, 100, flags=["rolling"]),
            share(50, 100, flags=["rolling"]),
            "30.0 points more than in Q3 2025.",
        ),
        # The last 365 days hold the last 90.
        (
            share(80, 100, unit="trailing", period="365d"),
            share(50, 100, unit="trailing", period="90d"),
            "30.0 points more than in Q3 2025.",
        ),
        (share(2, 4, flags=["few"]), share(50, 100), ""),
        (share(50, 100), None, ""),
    ],
)
def test_a_difference_is_called_more_than_chance_only_where_it_is(
    now: Figure, before: Figure | None, words: str
) -> None:
    assert said(now, before) == words
