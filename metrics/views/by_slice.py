"""A figure of one period by shop, by source, by tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest

from metrics.forms import FigureForm
from metrics.models import SliceSet
from metrics.selectors.figures import figure_from, list_latest
from metrics.slices import DIMENSIONS
from metrics.views.asking import Asked, slice_label
from metrics.views.told import Told
from metrics.words import Shown, show

COHORT = "cohort"  # the dimension whose values are months


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A value of the dimension. query: that shows it alone."""

    label: str
    query: str
    shown: Shown


def by_slice(
    request: HttpRequest, asked: Asked, told: Told | None, slices: list[SliceSet]
) -> dict[str, Any] | None:
    """Return what ``metrics/parts/by_slice.html`` shows; one query.

    None without slices, and where the figure says nothing even of everybody.
    told: the figure, as the page tells it.  slices: all the run keeps.

    Months stand in their order, other values by how much the figure counts of them, the most first;
    the bands of all of them have one scale.
    """
    known = [name for name in DIMENSIONS if any(_is_of(one, name) for one in slices)]
    if told is None or not known or not told.kpi.is_sliced:
        return None
    if not told.snapshot.dimension and not told.shown.figure.denominator:
        return None
    wanted = FigureForm(request.GET).chosen("by")
    by = wanted if wanted in known else known[0]
    mine = [one for one in slices if _is_of(one, by)]
    found = {
        one.dimension: one
        for one in list_latest(
            keys=[told.kpi.key],
            units=(told.snapshot.unit,),
            periods=[told.snapshot.period],
            dimensions=[one.dimension for one in mine],
            run=told.snapshot.run,
        )
    }
    whole = None if told.snapshot.dimension else told.shown
    rows = [
        SliceRow(
            slice_label(one),
            asked.query(segment=one.dimension),
            show(figure_from(found[one.dimension]), found[one.dimension].starts_on),
        )
        for one in sorted(mine, key=lambda one: one.dimension)
        if one.dimension in found
    ]
    if by != COHORT:
        rows.sort(key=lambda row: -row.shown.figure.denominator)
    whole, rows = _on_one_scale(whole, rows)
    return {
        "dimensions": [
            {"label": DIMENSIONS[name], "query": asked.query(by=name), "is_current": name == by}
            for name in known
        ],
        "label": DIMENSIONS[by],
        "kpi": told.kpi,
        "whole": whole,
        "rows": rows,
    }


def _on_one_scale(
    whole: Shown | None, rows: Sequence[SliceRow]
) -> tuple[Shown | None, list[SliceRow]]:
    """Bands below each other are compared with the eye: they begin and end at the same values."""
    every = [row.shown for row in rows] + ([whole] if whole else [])
    drawn = [shown for shown in every if shown.ratio is not None] or every
    if not drawn:
        return whole, list(rows)
    smallest = min(shown.smallest for shown in drawn)
    largest = max(shown.largest for shown in drawn)

    def scaled(shown: Shown) -> Shown:
        return replace(shown, smallest=smallest, largest=largest)

    return (
        scaled(whole) if whole else None,
        [replace(row, shown=scaled(row.shown)) for row in rows],
    )


def _is_of(one: SliceSet, dimension: str) -> bool:
    return one.dimension.startswith(f"{dimension}=")
