"""The overview of all figures, and asking for a recompute."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import roles_required
from common.requests import actor_of
from common.time import now
from metrics.kpis import KPIS
from metrics.models import RecomputeRun, Snapshot
from metrics.roles import READERS, REQUESTERS
from metrics.selectors.cohorts import cohort_rows
from metrics.selectors.figures import figure_from, list_latest
from metrics.selectors.runs import (
    is_after_the_end,
    is_recomputing,
    running_progress,
    seen_until,
    shown_run,
)
from metrics.services import request_recompute
from metrics.views.cards import latest_card
from metrics.views.heat import heat_of
from metrics.views.trends import trend_chart
from metrics.windows import last_complete
from metrics.words import change_words, people_url, show, show_progress

OVERVIEW_KEYS = (
    "complaint_rate",
    "nps",
    "average_order_value",
    "repeat_purchase_rate_90d",
    "repeat_purchase_rate_lifetime",
    "retention_rate_source",
)
TREND_MONTHS = 24
COHORTS_SHOWN = 12


@require_safe
@roles_required(read=READERS)
def overview(request: HttpRequest) -> HttpResponse:
    """Retention of the last complete quarter, the other figures, and the cohorts."""
    snapshots = list_latest()
    context: dict[str, Any] = {
        "is_recomputing": is_recomputing(snapshots[0].run if snapshots else None),
        "may_recompute": getattr(request.user, "role", None) in REQUESTERS,
    }
    if any(snapshot.denominator for snapshot in snapshots):
        run = snapshots[0].run
        context |= {
            "run": run,
            "has_ended": seen_until(run) < min(run.as_of, run.known_at),
            "retention": _retention(run, snapshots),
            "cards": [
                card
                for key in OVERVIEW_KEYS
                if (card := latest_card(key, run, snapshots)) is not None
            ],
            "heat": heat_of(
                cohort_rows(run, until=seen_until(run))[-COHORTS_SHOWN:], measure="percent"
            ),
        }
    return render(request, "metrics/overview.html", context)


@require_POST
@roles_required(read=REQUESTERS)
def recompute_now(request: HttpRequest) -> HttpResponse:
    """Ask the worker for a recompute."""
    request_recompute(happened_at=now(), actor=actor_of(request))
    messages.success(request, _("The figures will be recomputed in a moment."))
    return redirect("metrics:overview")


@require_safe
@roles_required(read=READERS)
def recompute_status(request: HttpRequest) -> HttpResponse:
    """Fragment: whether a recompute goes on; when it is done the page is loaded again."""
    run = shown_run()
    going_on = is_recomputing(run)
    progress = show_progress(running_progress()) if going_on else ""
    context = {"is_recomputing": going_on, "run": run, "progress": progress}
    response = render(request, "metrics/parts/status.html", context)
    if not going_on:
        response["HX-Refresh"] = "true"
    return response


def _retention(run: RecomputeRun, snapshots: list[Snapshot]) -> dict[str, Any] | None:
    """The headline: sentence, change, who moved, and the trend by month."""
    mine = [snapshot for snapshot in snapshots if snapshot.kpi == "retention_rate"]
    by_period = {snapshot.period: snapshot for snapshot in mine}
    quarter = last_complete("quarter", seen_until(run))
    found = by_period.get(str(quarter))
    if found is None:
        return None
    before = by_period.get(str(quarter.shifted(-1)))
    figure = figure_from(found)
    months = [one for one in mine if one.unit == "month" and not is_after_the_end(one)]
    return {
        "shown": show(figure, found.starts_on),
        "change": change_words(figure, figure_from(before) if before else None),
        "lost_url": people_url(figure, "lost"),
        "moves": _moves(found),
        "chart": trend_chart(KPIS["retention_rate"], months[-TREND_MONTHS:]),
    }


def _moves(snapshot: Snapshot) -> list[dict[str, Any]]:
    """How the active customers of the start became those of the end."""
    from metrics.selectors.people import set_sizes

    figure, sizes = figure_from(snapshot), set_sizes(snapshot)
    signs = {"denominator": "", "lost": "−", "won_back": "+", "new": "+", "end": "="}
    return [
        {
            "sign": sign,
            "label": figure.kpi.sets[name],
            "size": sizes.get(name, 0),
            "url": people_url(figure, name) if sizes.get(name) else "",
        }
        for name, sign in signs.items()
    ]
