"""Sparklines: the last periods of a figure in the height of a line of text."""

from __future__ import annotations

from collections.abc import Sequence

from metrics.figures import TOO_FEW, so_far
from metrics.models import Snapshot
from metrics.selectors.figures import figure_from
from metrics.words import can_show_so_far

PERIODS = 8
WIDTH, HEIGHT, EDGE = 100, 24, 2


def spark_of(snapshots: Sequence[Snapshot]) -> str:
    """Return the points of an SVG polyline, 100 × 24; empty with fewer than two values.

    Too few or too early periods are left out; an unfinished one stands as it is so far.
    """
    figures = [figure_from(one) for one in snapshots[-PERIODS:]]
    values = [
        (place, float(value))
        for place, figure in enumerate(figures)
        if TOO_FEW not in figure.flags
        and can_show_so_far(figure)
        and (value := so_far(figure)) is not None
    ]
    if len(values) < 2:  # a line has two ends
        return ""
    lowest, highest = min(value for _, value in values), max(value for _, value in values)
    first, last = values[0][0], values[-1][0]

    def point(place: int, value: float) -> str:
        x = EDGE + (place - first) / (last - first) * (WIDTH - 2 * EDGE)
        share = (value - lowest) / (highest - lowest) if highest > lowest else 0.5
        return f"{x:.1f},{HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE):.1f}"

    return " ".join(point(place, value) for place, value in values)
