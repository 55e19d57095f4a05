"""Whether the satisfied stay: the share who bought again, by what they answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from common.display import format_percent
from metrics.figures import FEW
from metrics.intervals import wilson
from metrics.kpis.voice import LEVELS
from metrics.views.told import Told
from metrics.words import people_url


@dataclass(frozen=True, slots=True)
class Level:
    """An answer. share, low, high: of those who gave it, who bought; None where too few did."""

    level: int
    answered: int
    kept: int
    share: float | None
    low: float | None
    high: float | None
    url: str
    kept_url: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The curve.

    period: as within a sentence.  words: how the two ends differ.  chart: None where too few
    answered.
    """

    period: str
    levels: list[Level]
    chart: dict[str, Any] | None
    words: str


def curve_of(told: Told | None, sizes: dict[str, int]) -> Curve | None:
    """Return the curve of ``satisfaction_retention``; None where nobody answered.

    sizes: of its sets of people.
    """
    if told is None or not any(sizes.get(f"level_{number}") for number in LEVELS):
        return None
    figure = told.shown.figure
    levels = []
    for number in LEVELS:
        answered, kept = sizes.get(f"level_{number}", 0), sizes.get(f"kept_{number}", 0)
        bounds = wilson(kept, answered) if answered >= FEW else None
        low, high = bounds or (None, None)
        levels.append(
            Level(
                level=number,
                answered=answered,
                kept=kept,
                share=kept / answered if bounds else None,
                low=low,
                high=high,
                url=people_url(figure, f"level_{number}"),
                kept_url=people_url(figure, f"kept_{number}"),
            )
        )
    return Curve(told.shown.period_within, levels, _chart(levels), _words(sizes))


def _chart(levels: list[Level]) -> dict[str, Any] | None:
    if sum(one.share is not None for one in levels) < 2:
        return None

    def values(name: str) -> list[float | None]:
        return [getattr(one, name) for one in levels]

    return {
        "type": "line",
        "unit": "percent",
        "labels": [_("%(level)s of 5") % {"level": one.level} for one in levels],
        "series": [
            {
                "name": _("Bought within 90 days"),
                "values": values("share"),
                "low": values("low"),
                "high": values("high"),
                "links": [one.kept_url if one.kept else None for one in levels],
            }
        ],
    }


def _words(sizes: dict[str, int]) -> str:
    """The two ends beside each other; empty where one of them has too few."""
    up, down = sizes.get("denominator", 0), sizes.get("bottom", 0)
    if min(up, down) < FEW:
        return ""
    return _("Of the satisfied %(up)s bought within 90 days, of the dissatisfied %(down)s.") % {
        "up": format_percent(sizes.get("numerator", 0) / up),
        "down": format_percent(sizes.get("bottom_kept", 0) / down),
    }
