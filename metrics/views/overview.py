"""The overview of all figures, and asking for a recompute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import roles_required
from common.requests import actor_of
from common.time import Period, local_date, now
from metrics.kpis.base import GROUPS
from metrics.models import RecomputeRun, Snapshot
from metrics.roles import READERS, REQUESTERS
from metrics.selectors.cohorts import cohort_rows
from metrics.selectors.figures import list_latest
from metrics.selectors.runs import (
    is_after_the_end,
    is_recomputing,
    running_progress,
    seen_until,
    shown_run,
)
from metrics.selectors.set_sizes import sizes_of
from metrics.selectors.targets import list_targets
from metrics.services import request_recompute
from metrics.views.asking import Asked, ask, bar_of, keys_of, unit_of
from metrics.views.bridges import people_bridge
from metrics.views.heat import heat_of
from metrics.views.kept import retention_sentence
from metrics.views.sections import metrics_sections
from metrics.views.sparks import PERIODS, spark_of
from metrics.views.told import Told, add_sets, tell
from metrics.views.trends import trend_chart
from metrics.words import show_progress

HEADLINE = "retention_rate"
# The figure of each group that stands on top; of the others, the group's first.
LEADING = {
    "retention": "churn_rate",  # retention itself is the headline
    "revenue": "net_revenue_retention",
    "purchases": "repeat_purchase_rate_90d",
    "complaints": "complaint_rate",
}
COHORTS_SHOWN = 12
PERIODS_BEFORE = 13  # of the trend and the year before


@dataclass(frozen=True, slots=True)
class Group:
    """A group's figures. spark: the trend of the leading one, see :mod:`metrics.views.sparks`."""

    name: str
    label: Promise | str
    url: str
    lead: Told
    spark: str
    others: Sequence[Told]


@require_safe
@roles_required(read=READERS)
def overview(request: HttpRequest) -> HttpResponse:
    """Retention of the last complete quarter, the other figures by group, and the cohorts."""
    asked, run = ask(request), shown_run()
    snapshots = _snapshots(run, asked) if run else []
    context: dict[str, Any] = {
        **_recomputing(run),
        "may_recompute": getattr(request.user, "role", None) in REQUESTERS,
        "asked": asked,
        "sections": metrics_sections("overview", asked.query()),
    }
    if run and (asked.segment or any(snapshot.denominator for snapshot in snapshots)):
        targets = list_targets()
        lead = tell(HEADLINE, snapshots, asked, targets=targets)
        if lead:
            add_sets([lead], sizes_of([lead.snapshot]))
        groups = _groups(snapshots, asked, targets)
        context |= {
            "run": run,
            "has_ended": seen_until(run) < min(run.as_of, run.known_at),
            "bar": bar_of(asked, [one for one in snapshots if one.kpi == HEADLINE], run),
            "lead": lead,
            "sentence": retention_sentence(lead) if lead else "",
            "moves_of_people": people_bridge(lead) if lead else None,
            "chart": trend_chart(lead.kpi, lead.periods, target=lead.target) if lead else None,
            "groups": groups,
            "is_invented": _are_invented(lead, groups),
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
    context = {"run": run, **_recomputing(run)}
    response = render(request, "metrics/parts/status.html", context)
    if not context["is_recomputing"]:
        response["HX-Refresh"] = "true"
    return response


def _recomputing(run: RecomputeRun | None) -> dict[str, Any]:
    """Whether a recompute goes on, and how far it is; three queries at most."""
    going_on = is_recomputing(run)
    progress = show_progress(running_progress()) if going_on else ""
    return {"is_recomputing": going_on, "progress": progress}


def _snapshots(run: RecomputeRun, asked: Asked) -> list[Snapshot]:
    """All figures of the unit and segment asked for, of the last periods only; two queries."""
    since = None
    if asked.unit != "trailing":
        last = Period.containing(local_date(seen_until(run)), asked.unit)  # type: ignore[arg-type]
        if asked.period and unit_of(asked.period) == asked.unit:
            last = min(last, Period.parse(asked.period), key=lambda period: period.first_day)
        since = last.shifted(-PERIODS_BEFORE).first_day
    found = list_latest(units=(asked.unit, "all"), dimensions=(asked.segment,), since=since)
    return [one for one in found if not is_after_the_end(one)]


def _groups(
    snapshots: Sequence[Snapshot], asked: Asked, targets: dict[str, Decimal]
) -> list[Group]:
    """The groups that have a figure of the period asked for."""
    by_key: dict[str, list[Snapshot]] = {}
    for one in snapshots:
        by_key.setdefault(one.kpi, []).append(one)
    groups = []
    for name, label in GROUPS.items():
        told = {
            key: found
            for key in keys_of(name)
            if key != HEADLINE and (found := tell(key, by_key.get(key, ()), asked, targets=targets))
        }
        if not told:
            continue
        lead = told.pop(_leading(name, told))
        address, query = reverse(f"metrics:{name}"), asked.query()
        url = f"{address}?{query}" if query else address
        spark = spark_of(lead.periods[-PERIODS:])
        groups.append(Group(name, label, url, lead, spark, list(told.values())))
    return groups


def _are_invented(lead: Told | None, groups: Sequence[Group]) -> bool:
    told = [*([lead] if lead else []), *(one.lead for one in groups)]
    told += [other for one in groups for other in one.others]
    return any(one.shown.is_invented for one in told)


def _leading(group: str, told: dict[str, Told]) -> str:
    """The figure that stands on top: the group's own, unless only others have a value."""
    order = sorted(told, key=lambda key: key != LEADING.get(group))
    with_value = (key for key in order if told[key].shown.figure.value is not None)
    return next(with_value, order[0])
