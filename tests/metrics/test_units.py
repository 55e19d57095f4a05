"""From a measure to a figure: every unit, every interval."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.utils.translation import override

from common.time import Period
from metrics.figures import LEFT_TRUNCATED, Figure, Surroundings, document, figure_of, so_far
from metrics.intervals import (
    deviation_of,
    mean_interval,
    newcombe,
    quantile_ranks,
)
from metrics.kpis import KPIS
from metrics.kpis.base import Amounts, Kpi, Measure, Values
from metrics.windows import window_of
from metrics.words import amid_sentence, show, show_period, show_value

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BASE = KPIS["retention_rate"]
WINDOW = window_of(Period.parse("2025-Q4"), as_of=NOW, known_at=NOW)


def kpi(**fields: Any) -> Kpi:
    plain: dict[str, Any] = {"looks_back": False, "interval": "none"}
    return replace(BASE, **(plain | fields))


def figure(one: Kpi, measure: Measure) -> Figure:
    return figure_of(one, WINDOW, measure, Surroundings())


def amounts(rows: list[tuple[int, int, int, float]]) -> Amounts:
    ids, over, under, detail = zip(*rows, strict=True)
    return Amounts(np.array(ids), np.array(over), np.array(under), np.array(detail))


def test_a_share_of_money_keeps_both_amounts() -> None:
    one = kpi(numerator_unit="money", denominator_unit="money")
    measure = Measure(2_500_000, 10_000_000, amounts=amounts([(n, 1, 1, 0.0) for n in range(9)]))
    found = figure(one, measure)
    assert (found.value, found.numerator, found.denominator) == (
        Decimal(25),
        Decimal(250),
        Decimal(1000),
    )
    printed = document(found, as_of=NOW, known_at=NOW, computed_at=NOW)
    assert (printed["numerator"], printed["denominator"]) == ("250.00", "1000.00")
    assert printed["currency"] == "USD"
    assert "few" not in found.flags


def test_amounts_of_fewer_than_five_customers_are_too_few_whatever_they_add_up_to() -> None:
    one = kpi(numerator_unit="money", denominator_unit="money")
    measure = Measure(1, 10_000_000, amounts=amounts([(n, 1, 1, 0.0) for n in range(4)]))
    assert "few" in figure(one, measure).flags


def test_a_multiple_is_not_per_cent() -> None:
    found = figure(kpi(unit="ratio"), Measure(23, 10))
    assert found.value == Decimal("2.3")
    assert show(found, None).value == "2.30×"


def test_purchases_of_a_customer_are_a_number_not_a_multiple() -> None:
    assert show_value(KPIS["purchase_frequency"], Decimal("2.3")) == "2.30"


def test_a_rate_per_thousand() -> None:
    found = figure(kpi(unit="per_1000"), Measure(7, 500))
    assert found.value == Decimal(14)
    assert show(found, None).value == "14.0"


def test_a_count_is_its_numerator_and_0_is_a_number() -> None:
    one = kpi(unit="count")
    assert figure(one, Measure(12, 12)).value == Decimal(12)
    assert figure(one, Measure()).value == Decimal(0)
    assert show(figure(one, Measure(1200, 1200)), None).value == "1,200"


def test_a_total_of_money_is_its_numerator() -> None:
    found = figure(kpi(unit="money", is_total=True), Measure(123_450_000, 77))
    assert (found.value, found.denominator) == (Decimal(12345), 77)
    assert show(found, None).value == "$12,345.00"
    assert figure(kpi(unit="money", is_total=True), Measure()).value is None


def test_a_median_takes_the_middle_and_its_bounds_by_rank() -> None:
    values = Values(np.arange(1, 12), np.arange(1.0, 12.0))
    one = kpi(unit="days", interval="quantile")
    found = figure(one, Measure(66, 11, values=values))
    # Of 11 values the 2nd and the 10th bound the median with 98.8 %; the 3rd and 9th with 93.5.
    assert (found.value, found.low, found.high) == (Decimal(6), Decimal(2), Decimal(10))
    assert (found.numerator, found.denominator) == (66, 11)
    assert show(found, None).value == "6 days"
    assert show(found, None).words == "The middle one of 11. Likely between 2 and 10 days."
    assert so_far(replace_value(found, None)) is None


def test_what_makes_up_a_value_is_not_told_where_the_data_begin_too_late_for_it() -> None:
    found = figure(kpi(unit="ratio"), Measure(23, 10))
    assert show(found, None).words == "23 divided by 10."
    assert show(replace(found, flags=frozenset({LEFT_TRUNCATED})), None).words == ""


@pytest.mark.parametrize(
    ("language", "name"), [("en", "Oct 2025"), ("ru", "октябрь 2025"), ("zh-hans", "2025年10月")]
)
def test_a_month_is_written_small_amid_a_russian_sentence(language: str, name: str) -> None:
    with override(language):
        assert amid_sentence(show_period("month", date(2025, 10, 1))) == name


@pytest.mark.parametrize(
    ("days", "said", "russian"),
    [
        ("1", "1 day", "1 день"),
        ("21", "21 days", "21 день"),
        ("21.5", "21.5 days", "21,5 дня"),
        ("0.5", "0.5 days", "0,5 дня"),
        ("100.4", "100 days", "100 дней"),
    ],
)
def test_days_have_their_plural_and_no_empty_decimals(days: str, said: str, russian: str) -> None:
    one = kpi(unit="days", interval="quantile")
    assert show_value(one, Decimal(days)) == said
    with override("ru"):
        assert show_value(one, Decimal(days)) == russian


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [
        ("20", "60", (0, 100)),
        ("70", "129.5", (0, 130)),
        ("106.4", "246.1", (0, 250)),
        ("-13", "40", (-20, 100)),
        ("-10", "100", (-10, 100)),
    ],
)
def test_the_band_of_a_share_reaches_as_far_as_its_interval(
    low: str, high: str, ends: tuple[int, int]
) -> None:
    found = figure(kpi(numerator_unit="money"), Measure(500_000, 1_000_000))
    shown = show(replace(found, low=Decimal(low), high=Decimal(high)), None)
    assert (shown.smallest, shown.largest) == ends


def test_one_purchase_and_one_answer_are_no_plural() -> None:
    for key, said in (("average_order_value", "1 purchase."), ("nps", "1 answer.")):
        found = figure_of(KPIS[key], WINDOW, Measure(1, 1), Surroundings())
        assert show(found, None).words.startswith(said)


def test_of_a_period_before_the_data_only_that_is_noted() -> None:
    found = replace(figure(kpi(), Measure(1, 2)), flags=("few", "left_truncated"))
    assert show(found, None).notes == ["The data begin too late to tell who was active before."]


def replace_value(figure: Figure, value: Decimal | None) -> Figure:
    return replace(figure, value=value)


@pytest.mark.parametrize(
    ("count", "ranks"), [(0, None), (1, None), (5, None), (6, (0, 5)), (11, (1, 9))]
)
def test_a_median_has_bounds_from_six_values_on(count: int, ranks: tuple[int, int] | None) -> None:
    assert quantile_ranks(count, 0.5) == ranks


def test_a_mean_of_answers_is_no_net_score() -> None:
    scores = [5, 6, 7, 7, 4]
    measure = Measure(sum(scores), 5, detail=float(sum(s * s for s in scores)))
    found = figure(kpi(unit="score", interval="mean"), measure)
    expected = mean_interval(5.8, float(np.std(scores, ddof=1)), 5)
    assert expected
    assert found.value == Decimal("5.8")
    assert float(found.low or 0) == pytest.approx(expected[0], abs=1e-6)
    assert float(found.high or 0) == pytest.approx(expected[1], abs=1e-6)
    assert show(found, None).value == "5.80"


def test_a_deviation_is_the_samples() -> None:
    assert deviation_of(60, 20**2 + 10**2 + 30**2, 3) == pytest.approx(10)
    assert deviation_of(5, 25, 1) == 0
    assert deviation_of(30, 3 * 10**2, 3) == 0


def test_a_difference_of_shares_is_in_points() -> None:
    sets = {
        "numerator": range(56),
        "denominator": range(70),
        "bottom_kept": range(48),
        "bottom": range(80),
    }
    found = figure(
        kpi(interval="newcombe", compared=("bottom_kept", "bottom")), Measure(56, 70, sets=sets)
    )
    assert found.value == Decimal(20)
    # Newcombe (1998), Table II, method 10: 0.0524 to 0.3339.
    assert (round(found.low or 0, 2), round(found.high or 0, 2)) == (
        Decimal("5.24"),
        Decimal("33.39"),
    )
    assert newcombe(1, 2, 0, 0) is None
    assert (
        figure(kpi(interval="newcombe", compared=("bottom_kept", "bottom")), Measure(56, 70)).value
        is None
    )


def test_a_ratio_of_means_shows_the_means() -> None:
    rows = [(n, 200_000 if n < 10 else 0, 200_000 if n < 10 else 50_000, 0.0) for n in range(40)]
    measure = Measure(
        2_000_000,
        3_500_000,
        sets={"numerator": np.arange(10), "denominator": np.arange(40)},
        amounts=amounts(rows),
    )
    one = kpi(
        unit="ratio",
        interval="ratio",
        is_ratio_of_means=True,
        numerator_unit="money",
        denominator_unit="money",
    )
    found = figure(one, measure)
    assert (found.numerator, found.denominator) == (Decimal(20), Decimal("8.75"))
    assert found.value == Decimal("2.285714")
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert figure(one, measure) == found


def test_what_only_goes_together_is_flagged() -> None:
    assert "observational" in figure(kpi(observational=True), Measure(1, 2)).flags


def test_weeks_and_trailing_stretches_have_names() -> None:
    with override("en"):
        assert show_period("trailing", NOW.date(), "90d") == "Last 90 days"
        assert show_period("week", datetime(2026, 5, 4).date()) == "Week of 4 May 2026"  # noqa: DTZ001
