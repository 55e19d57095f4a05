"""A figure as the pages tell it: of the period asked for, beside another one, with its people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from common.time import Period
from metrics.changes import compare_words
from metrics.figures import TOO_FEW, so_far
from metrics.forms import BEFORE, PARTS
from metrics.kpis import KPIS
from metrics.kpis.base import Kpi
from metrics.models import Snapshot
from metrics.selectors.figures import figure_from
from metrics.selectors.people import Comparison
from metrics.selectors.set_sizes import Sizes
from metrics.targets import target_words
from metrics.views.asking import Asked, choose, other_period, unit_of
from metrics.words import Shown, people_url, show, show_period

TREND = 24  # periods of a trend


@dataclass(slots=True)
class Told:
    """A figure of one period.

    snapshot, shown: of the period asked for.  before: of the one it is compared with.  change:
    what changed since, in words.  so_far: the next period, where it is under way.  periods: of the
    trend, oldest first.  sets: label, size and address of the sets of people behind it.  target:
    what it is to reach; reached: whether it does, in words.  missing: the name of the period it was
    to be compared with, where there is nothing of that one.
    """

    kpi: Kpi
    snapshot: Snapshot
    shown: Shown
    other: Snapshot | None = None
    before: Shown | None = None
    change: str = ""
    missing: str = ""
    so_far: Shown | None = None
    periods: list[Snapshot] = field(default_factory=list)
    sets: list[dict[str, Any]] = field(default_factory=list)
    target: Decimal | None = None

    @property
    def reached(self) -> str:
        """Whether the target is reached; empty without one. A segment has none of its own."""
        return "" if self.snapshot.dimension else target_words(self.shown.figure, self.target)

    @property
    def value_so_far(self) -> str:
        """The value of the period under way; empty where it says nothing yet."""
        if self.so_far is None or TOO_FEW in self.so_far.figure.flags:
            return ""
        return self.so_far.value if so_far(self.so_far.figure) is not None else ""

    @property
    def rows(self) -> list[Shown]:
        """Its periods as rows of a table, the latest first."""
        return [_shown(one) for one in reversed(self.periods)]


def tell(
    key: str,
    snapshots: Sequence[Snapshot],
    asked: Asked,
    *,
    targets: Mapping[str, Decimal] | None = None,
) -> Told | None:
    """Return what a figure says; None where there is nothing of the period asked for.

    snapshots: of the unit asked for and of everything up to now, oldest first; other figures'
    among them don't matter.  targets: key → what the figure is to reach.
    """
    kpi = KPIS[key]
    mine = [one for one in snapshots if one.kpi == key]
    chosen = choose(kpi, mine, asked)
    if chosen is None:
        return None
    periods = [one for one in mine if one.unit == asked.unit]
    by_period = {one.period: one for one in periods}
    told = Told(kpi, chosen, _shown(chosen), periods=periods[-TREND:])
    told.target = (targets or {}).get(key)
    other = by_period.get(other_period(chosen, asked))
    if other is not None:
        told.other, told.before = other, _shown(other)
        told.change = compare_words(
            told.shown.figure, told.before.figure, told.before.period_within
        )
    elif asked.against != BEFORE:
        told.missing = _name_of(other_period(chosen, asked))
    if not asked.period and chosen.period and not kpi.looks_back:
        place = periods.index(chosen) + 1
        following = periods[place] if place < len(periods) else None
        if following is not None and following.denominator and not following.is_complete:
            shown = _shown(following)
            if so_far(shown.figure) is not None:  # a median has nothing to say before its end
                told.so_far = shown
    return told


def _name_of(period: str) -> str:
    """A calendar period's name for people; empty for stretches that trail the present moment."""
    if not period or unit_of(period) == "trailing":
        return ""
    parsed = Period.parse(period)
    return show_period(parsed.unit, parsed.first_day)


def add_sets(found: Sequence[Told], sizes: Sizes) -> None:
    """Fill in the people behind figures. sizes: of all of their snapshots."""
    for told in found:
        mine = sizes.get(told.kpi.key, {})
        told.sets = [
            {
                "name": name,
                "label": label,
                "size": mine.get(name, 0),
                "url": people_url(told.shown.figure, name) if mine.get(name) else "",
            }
            for name, label in told.kpi.sets.items()
        ]


def moves_of(told: Told, name: str, compared: Comparison) -> dict[str, Any]:
    """Return who of a set stayed, came and left since the other period, with addresses."""
    other = told.other.period if told.other else ""
    figure = told.shown.figure
    return {
        "label": told.kpi.sets[name],
        "parts": [
            {
                "name": part,
                "size": compared.find(part).size,
                "url": people_url(figure, name, other=other, part=part)
                if compared.find(part).size
                else "",
            }
            for part in PARTS
        ],
    }


def _shown(snapshot: Snapshot) -> Shown:
    return show(figure_from(snapshot), snapshot.starts_on)


__all__ = ["TREND", "Told", "add_sets", "moves_of", "show_period", "tell"]
