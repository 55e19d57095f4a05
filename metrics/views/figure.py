"""One figure: its trend, its definition, and the people behind it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.errors import NotFound
from common.time import Period
from metrics.forms import FigureForm, PeopleForm
from metrics.kpis import get_kpi
from metrics.kpis.base import Kpi
from metrics.models import RecomputeRun, Snapshot
from metrics.roles import READERS
from metrics.selectors.figures import figure_from, find_snapshot, list_latest
from metrics.selectors.people import find_set, page_of, set_sizes
from metrics.selectors.runs import is_after_the_end, seen_until, shown_run
from metrics.views.people import render_people
from metrics.views.trends import trend_chart
from metrics.windows import last_complete
from metrics.words import change_words, people_url, show, show_period

UNIT_LABELS = {"quarter": _("Quarters"), "month": _("Months"), "year": _("Years")}
PERIODS_SHOWN = 24


@require_safe
@roles_required(read=READERS)
def figure(request: HttpRequest, key: str) -> HttpResponse:
    """A figure's periods, the chosen one in full, and what it means."""
    kpi = get_kpi(key)
    form = FigureForm(request.GET)
    unit = form.chosen("unit") or ("month" if kpi.per == "as_of" else "quarter")
    listed = list_latest(keys=[key], units=(unit, "all"))
    snapshots = [one for one in listed if not is_after_the_end(one)]
    periods = [snapshot for snapshot in snapshots if snapshot.unit == unit][-PERIODS_SHOWN:]
    context: dict[str, Any] = {
        "kpi": kpi,
        "unit": unit,
        "units": UNIT_LABELS,
        "query": _export_query(request, key),
    }
    chosen = _chosen(kpi, snapshots, unit, form.chosen("period")) if snapshots else None
    if chosen is not None:
        shown = show(figure_from(chosen), chosen.starts_on)
        before = _before(chosen, periods)
        context |= {
            "run": chosen.run,
            "shown": shown,
            "change": _change(chosen, before),
            "chart": trend_chart(kpi, periods),
            "rows": [show(figure_from(one), one.starts_on) for one in reversed(periods)],
            "sets": _sets(chosen),
        }
    return render(request, "metrics/figure.html", context)


@require_safe
@roles_required(read=READERS)
def people(request: HttpRequest, key: str) -> HttpResponse:
    """Everybody in one of a figure's sets."""
    kpi = get_kpi(key)
    form = PeopleForm(request.GET)
    name = form.chosen("set") or next(iter(kpi.sets))
    run = shown_run()
    snapshot = find_snapshot(run, key, form.chosen("period")) if run else None
    if name not in kpi.sets or snapshot is None:
        raise NotFound
    page = page_of(find_set(snapshot, name), after=form.after_id)
    found = figure_from(snapshot)
    shown = show(found, snapshot.starts_on)
    return render_people(
        request,
        page,
        {
            "title": kpi.sets[name],
            "pretitle": f"{kpi.title} · {shown.period}",
            "back_url": shown.url,
            "exported": "figure_people",
            "query": _export_query(request, key),
            "tabs": [
                {"label": label, "url": people_url(found, other), "is_active": other == name}
                for other, label in kpi.sets.items()
            ],
        },
    )


def _export_query(request: HttpRequest, key: str) -> str:
    """The address's query with the figure in it, which stands in the path."""
    query = request.GET.copy()
    query["figure"] = key
    return query.urlencode()


def _chosen(kpi: Kpi, snapshots: list[Snapshot], unit: str, period: str) -> Snapshot | None:
    by_period = {snapshot.period: snapshot for snapshot in snapshots}
    if period in by_period and period:
        return by_period[period]
    if kpi.per == "as_of":
        return by_period.get("")
    if kpi.matures_days:  # the last one that can't change any more
        final = [one for one in snapshots if one.is_complete and one.denominator]
        if final:
            return final[-1]
    run: RecomputeRun = snapshots[0].run
    default = last_complete(unit, seen_until(run, kpi))  # type: ignore[arg-type]
    return by_period.get(str(default)) or by_period.get("") or snapshots[-1]


def _before(chosen: Snapshot, periods: list[Snapshot]) -> Snapshot | None:
    if not chosen.period:
        return None
    wanted = str(Period.parse(chosen.period).shifted(-1))
    return next((one for one in periods if one.period == wanted), None)


def _change(chosen: Snapshot, before: Snapshot | None) -> str:
    """Only separate shares can be compared: not money, scores, or overlapping months."""
    figure = figure_from(chosen)
    is_share = figure.kpi.interval == "wilson" and figure.kpi.per == "period"
    if not is_share or before is None or "rolling" in figure.flags:
        return ""
    return change_words(figure, figure_from(before))


def _sets(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The sets of people behind a figure, with their sizes."""
    figure, sizes = figure_from(snapshot), set_sizes(snapshot)
    return [
        {
            "label": label,
            "size": sizes.get(name, 0),
            "url": people_url(figure, name) if sizes.get(name) else "",
        }
        for name, label in figure.kpi.sets.items()
    ]


__all__ = ["figure", "people", "show_period"]
