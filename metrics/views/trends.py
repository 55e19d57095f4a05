"""Charts of figures over time, in the shape static/js/charts.js draws."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext

from metrics.figures import TOO_FEW, Figure, currency_of, so_far
from metrics.kpis.base import Kpi
from metrics.models import Snapshot
from metrics.selectors.figures import figure_from
from metrics.words import can_show_so_far, figure_url, limit_label, show_period

CHART_UNITS = {
    "percent": "percent",
    "money": "money",
    "score": "score",
    "count": "count",
    "days": "score",  # a plain number with a decimal
    "ratio": "score",
    "per_1000": "score",
}
PLACES = {"days": 1, "ratio": 2, "per_1000": 1}  # decimals in the table, as on the cards


def trend_chart(
    kpi: Kpi,
    snapshots: list[Snapshot],
    *,
    target: Decimal | None = None,
    whole: list[Snapshot] | None = None,
    label: str = "",
) -> dict[str, Any] | None:
    """Return the chart of a figure; None when there is nothing to draw.

    target: what it is to reach, drawn as a line.  whole: the same figure of all customers, drawn
    beside that of a segment, which is called ``label``.

    Unfinished periods show the figure so far, hollow; too few or too early ones are a gap.
    """
    figures = [figure_from(snapshot) for snapshot in snapshots]
    values = [_drawn(figure) for figure in figures]
    known = [place for place, value in enumerate(values) if value is not None]
    if not known or snapshots[0].unit == "trailing":  # these overlap: no line leads through them
        return None
    shown_places = slice(known[0], known[-1] + 1)
    figures, values = figures[shown_places], values[shown_places]
    snapshots = snapshots[shown_places]
    factor = Decimal("0.01") if kpi.unit == "percent" else Decimal(1)

    def scaled(numbers: list[Decimal | None]) -> list[float | None]:
        return [None if number is None else float(number * factor) for number in numbers]

    has_value = [value is not None for value in values]
    series: dict[str, Any] = {
        "name": label or str(kpi.title),
        "values": scaled(values),
        "links": [figure_url(kpi.key, figure) for figure in figures],
    }
    if kpi.interval != "none":
        for name in ("low", "high"):
            bounds = [getattr(figure, name) for figure in figures]
            series[name] = scaled(
                [bound if shown else None for bound, shown in zip(bounds, has_value, strict=True)]
            )
    chart: dict[str, Any] = {
        "type": "line",
        "labels": [
            show_period(snapshot.unit, snapshot.starts_on, snapshot.period)
            for snapshot in snapshots
        ],
        "series": [series],
        "unit": CHART_UNITS[kpi.unit],
        "places": PLACES.get(kpi.unit, 0 if kpi.factor == 100 else 2),
        "complete": [figure.is_complete for figure in figures],
    }
    if whole is not None:
        by_period = {one.period: _drawn(figure_from(one)) for one in whole}
        values = [by_period.get(figure.period) for figure in figures]
        chart["series"].append({"name": gettext("All customers"), "values": scaled(values)})
    if kpi.unit == "score" and kpi.factor == 100:
        chart["end"] = 100
    if kpi.unit == "money":
        chart["currency"] = currency_of(kpi)
    if kpi.limit is not None:
        chart["limit"] = {"value": float(kpi.limit * factor), "label": limit_label()}
    if target is not None:
        chart["target"] = {"value": float(target * factor), "label": gettext("Target")}
    return chart


def _drawn(figure: Figure) -> Decimal | None:
    """The value a chart shows; None for a gap."""
    if TOO_FEW in figure.flags or not can_show_so_far(figure):
        return None
    return so_far(figure)
