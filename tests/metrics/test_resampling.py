"""Intervals of ratios by drawing the customers again."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.resampling import ratio_interval, ratio_of_means_interval


@pytest.mark.parametrize("count", [100, 1_000])
def test_the_interval_holds_the_true_ratio_about_95_times_in_100(count: int) -> None:
    draw = np.random.default_rng(3)
    kept = multiple = 0
    for _ in range(200):
        before = draw.gamma(1, 100, count)
        low, high = ratio_interval(before * draw.beta(2, 1, count), before)
        kept += low <= 2 / 3 <= high
        is_engaged = draw.random(count) < 0.3
        low, high = ratio_of_means_interval(draw.gamma(1, 100, count) * (1 + 0.7 * is_engaged),
                                            is_engaged)  # fmt: skip
        multiple += low <= 1.7 / (0.7 + 0.3 * 1.7) <= high
    assert 176 <= kept <= 199
    assert 176 <= multiple <= 199


def test_the_same_customers_give_the_same_interval() -> None:
    before = np.arange(1, 2_001)
    after = before // 2
    assert ratio_interval(after, before) == ratio_interval(after, before)


def test_where_nothing_varies_the_interval_is_the_ratio() -> None:
    assert ratio_interval([5] * 30, [10] * 30) == (0.5, 0.5)
    chosen = [True] * 10 + [False] * 20
    assert ratio_of_means_interval([4] * 30, chosen) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize(("over", "under"), [([], []), ([1], [2]), ([0, 0], [0, 0])])
def test_too_few_or_nothing_to_divide_by_have_no_interval(
    over: list[int], under: list[int]
) -> None:
    assert ratio_interval(over, under) is None


def test_one_engaged_customer_has_no_interval() -> None:
    assert ratio_of_means_interval([1, 2, 3], [True, False, False]) is None
    assert ratio_of_means_interval([0, 0, 0], [True, True, False]) is None
