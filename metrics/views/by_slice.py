"""A figure of one period by shop, by source, by tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from metrics.forms import FigureForm
from metrics.models import SliceSet
from metrics.selectors.figures import figure_from, list_latest
from metrics.slices import DIMENSIONS
from metrics.views.asking import Asked, slice_label
from metrics.views.told import Told
from metrics.words import Shown, show


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A value of the dimension. size: how many customers.  query: that shows it alone."""

    label: str
    size: int
    query: str
    shown: Shown


def by_slice(
    request: HttpRequest, asked: Asked, told: Told | None, slices: list[SliceSet]
) -> dict[str, Any] | None:
    """Return what ``metrics/parts/by_slice.html`` shows; one query. None without slices.

    told: the figure, as the page tells it.  slices: all the run keeps.
    """
    known = [name for name in DIMENSIONS if any(_is_of(one, name) for one in slices)]
    if told is None or not known or not told.kpi.is_sliced:
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
    return {
        "dimensions": [
            {"label": DIMENSIONS[name], "query": asked.query(by=name), "is_current": name == by}
            for name in known
        ],
        "label": DIMENSIONS[by],
        "kpi": told.kpi,
        "whole": None if told.snapshot.dimension else told.shown,
        "rows": [
            SliceRow(
                slice_label(one),
                one.size,
                asked.query(segment=one.dimension),
                show(figure_from(found[one.dimension]), found[one.dimension].starts_on),
            )
            for one in mine
            if one.dimension in found
        ],
    }


def _is_of(one: SliceSet, dimension: str) -> bool:
    return one.dimension.startswith(f"{dimension}=")
