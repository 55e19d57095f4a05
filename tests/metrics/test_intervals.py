"""Intervals against published values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.intervals import adjusted_wald_score, mean_interval, wilson


def test_wilson_gives_the_published_interval_of_50_of_700() -> None:
    from scipy.stats import binomtest

    low, high = wilson(50, 700)
    assert (round(low, 3), round(high, 3)) == (0.055, 0.093)
    assert (low, high) == pytest.approx(binomtest(50, 700).proportion_ci(method="wilson"))


def test_wilson_ends_exactly_at_0_and_1() -> None:
    assert wilson(0, 10) == (0.0, pytest.approx(0.27753280))
    assert wilson(10, 10) == (pytest.approx(0.72246720), 1.0)


@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_itself(counts: tuple[int, int]) -> None:
    low, high = wilson(*counts)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1


def test_there_is_no_interval_without_trials_or_of_more_than_all() -> None:
    assert wilson(0, 0) is None
    assert wilson(5, 4) is None
    assert adjusted_wald_score(0, 0, 0) is None
    assert mean_interval(1.0, 0.0, 1) is None


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_a_net_score_stays_within_100(up: int, down: int, middle: int) -> None:
    bounds = adjusted_wald_score(up, down, up + down + middle)
    if up + down + middle:
        assert -100 <= bounds[0] < bounds[1] <= 100


def test_a_net_score_has_the_adjusted_wald_interval() -> None:
    # 36 promoters, 8 detractors of 60: (36.75 - 8.75) / 63 ± 1.96 sqrt((45.5/63 - (28/63)²) / 63)
    low, high = adjusted_wald_score(36, 8, 60)
    assert (round(low, 2), round(high, 2)) == (26.56, 62.33)
