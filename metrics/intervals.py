"""How far chance alone may have moved a figure: 95 % intervals, as floats."""

from __future__ import annotations

from math import sqrt

Z = 1.959963984540054  # 97.5 % point of the normal distribution: certain
LIKELY_Z = 1.2815515655446004  # 90 % point


def wilson(successes: int, trials: int, z: float = Z) -> tuple[float, float] | None:
    """Return Wilson's score interval of a proportion as ratios; None without trials."""
    if trials <= 0 or not 0 <= successes <= trials:
        return None
    share, square = successes / trials, z * z / trials
    middle = (share + square / 2) / (1 + square)
    half = z * sqrt(share * (1 - share) / trials + square / (4 * trials)) / (1 + square)
    # A bound is exact where the arithmetic would miss 0 or 1 by a rounding error.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == trials else min(1.0, middle + half)
    return low, high


def adjusted_wald_score(
    promoters: int, detractors: int, answers: int
) -> tuple[float, float] | None:
    """Return the adjusted-Wald interval of a net promoter score, -100..100; None without answers.

    Three answers are added, three quarters of one to each end, the rest to the middle.
    """
    if answers <= 0:
        return None
    total = answers + 3
    up, down = (promoters + 0.75) / total, (detractors + 0.75) / total
    score = up - down
    half = Z * sqrt((up + down - score * score) / total)
    return max(-100.0, (score - half) * 100), min(100.0, (score + half) * 100)


def newcombe(
    part: int, whole: int, other_part: int, other_whole: int
) -> tuple[float, float] | None:
    """Return the interval of a difference of two shares, as ratios; None where one has nobody.

    By the squares of the Wilson bounds' distances (R. Newcombe, Statistics in Medicine 17, 1998,
    873-890, method 10).
    """
    bounds, other_bounds = wilson(part, whole), wilson(other_part, other_whole)
    if bounds is None or other_bounds is None:
        return None
    share, other = part / whole, other_part / other_whole
    below = sqrt((share - bounds[0]) ** 2 + (other_bounds[1] - other) ** 2)
    above = sqrt((bounds[1] - share) ** 2 + (other - other_bounds[0]) ** 2)
    return share - other - below, share - other + above


def mean_interval(mean: float, deviation: float, count: int) -> tuple[float, float] | None:
    """Return Student's interval of a mean. deviation: of the sample (n - 1); None below two."""
    if count < 2:
        return None
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, 0.975)) * deviation / sqrt(count)
    return mean - half, mean + half


def deviation_of(total: int, squares: float, count: int) -> float:
    """Return the sample's standard deviation (n - 1) from sum, sum of squares and number."""
    if count < 2:
        return 0.0
    return sqrt(max(0.0, (squares - total * total / count) / (count - 1)))


def quantile_ranks(count: int, quantile: float) -> tuple[int, int] | None:
    """Return the ranks, from 0, of the values that bound a quantile; None with too few.

    They hold whatever the values' distribution: how many of them lie below the quantile is
    binomial. Of a median six are enough.
    """
    from scipy.special import bdtr

    def first(share: float) -> int:
        """The least k such that at most k values lie below with this probability."""
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if bdtr(middle, count, quantile) >= share:
                high = middle
            else:
                low = middle + 1
        return low

    if count <= 0:
        return None
    low, high = first(0.025) - 1, first(0.975)
    return None if low < 0 or high >= count else (low, high)
