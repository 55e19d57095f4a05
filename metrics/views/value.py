"""What customers are worth: by cohort against what winning them cost, and who takes part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.display import format_number
from metrics.figures import currency_of
from metrics.kpis import KPIS
from metrics.kpis.value import UNKNOWN_COST
from metrics.models import RecomputeRun, SliceSet, Snapshot
from metrics.roles import READERS
from metrics.selectors.figures import figure_from, list_latest
from metrics.views.asking import slice_label
from metrics.views.by_slice import by_slice
from metrics.views.by_source import rows_by_source
from metrics.views.groups import group_context
from metrics.views.told import Told
from metrics.words import Shown, people_url, show, show_value

LEADING, COST, ENGAGED, UNPROFITABLE = (
    "clv_historic",
    "cost_to_acquire",
    "engaged_ratio",
    "unprofitable_share",
)
COHORT = "cohort="


@dataclass(frozen=True, slots=True)
class Return:
    """A cohort: what its customers left so far beside what winning one of them cost.

    times: value / cost; None where one of them isn't known.
    """

    label: str
    value: Shown
    people_url: str
    cost: str
    times: str
    verdict: str


@require_safe
@roles_required(read=READERS)
def value(request: HttpRequest) -> HttpResponse:
    """The group's figures, led by what a customer left so far."""
    context = group_context(request, "value", leading=LEADING, unit="month")
    lead: Told | None = context.get("lead")
    if "bar" in context:
        slices: list[SliceSet] = context["bar"]["slices"]
        context["by_slice"] = by_slice(request, context["asked"], lead, slices)
        if not context["asked"].segment:
            returns = _returns(slices, context["run"])
            context |= {"returns": returns, "returns_chart": _chart(returns)}
            context["sources"] = rows_by_source(slices, context["snapshots"])
        told = {one.kpi.key: one for one in context["others"]}
        if ENGAGED in told:
            context["engaged"] = engaged_sentence(told[ENGAGED].shown)
        context["unprofitable"] = told.get(UNPROFITABLE)
        context["sentence"] = _sentence(lead)
        left_out = [one for one in lead.sets if one["name"] == UNKNOWN_COST] if lead else []
        context["left_out"] = next((one for one in left_out if one["size"]), None)
    return render(request, "metrics/value.html", context)


def engaged_sentence(shown: Shown) -> str:
    """Return what engaged customers bring, against the claim of 1.7; empty without a value."""
    found = shown.figure
    if not shown.is_told or found.low is None or found.high is None:
        return ""
    claimed = Decimal("1.7")
    said = _("Engaged customers bring %(times)s the average revenue.") % {"times": shown.value}
    if found.low > claimed:
        verdict = _("That is more than the 1.7 times often claimed: certain.")
    elif found.high < claimed:
        verdict = _("That is less than the 1.7 times often claimed: certain.")
    else:
        verdict = _("Whether it is the 1.7 times often claimed: can't tell.")
    return f"{said} {verdict}"


def _sentence(lead: Told | None) -> str:
    if lead is None or not lead.shown.is_told:
        return ""
    return _("A customer left %(value)s so far, after all costs, discounted at 10 %% a year.") % {
        "value": lead.shown.value
    }


def _returns(slices: Sequence[SliceSet], run: RecomputeRun) -> list[Return]:
    """The cohorts that are kept, the oldest first, of whatever periods the page is; two queries."""
    mine = [one for one in slices if one.dimension.startswith(COHORT)]
    if not mine:
        return []
    names = [one.dimension for one in mine]
    months = [name.removeprefix(COHORT) for name in names]
    spent = list_latest(keys=[COST], units=("month",), periods=months, run=run)
    costs = {one.period: one for one in spent}
    found = list_latest(keys=[LEADING], units=("all",), dimensions=names, run=run)
    values = {one.dimension: one for one in found}
    return [
        _return(one, values[one.dimension], costs.get(one.dimension.removeprefix(COHORT)))
        for one in sorted(mine, key=lambda one: one.dimension)
        if one.dimension in values
    ]


def _return(cohort: SliceSet, value: Snapshot, cost: Snapshot | None) -> Return:
    shown = show(figure_from(value), value.starts_on)
    spent = cost.value if cost else None
    worth = shown.figure.value if shown.is_told else None
    times = worth / spent if worth is not None and spent else None
    return Return(
        label=slice_label(cohort),
        value=shown,
        people_url=people_url(shown.figure, "denominator"),
        cost=show_value(KPIS[COST], spent),
        times="" if times is None else f"{format_number(times, 1)}×",
        verdict=_verdict(shown, spent),
    )


def _verdict(shown: Shown, cost: Decimal | None) -> str:
    found = shown.figure
    if cost is None or found.value is None:
        return ""
    if not shown.is_told or found.low is None or found.high is None:
        return _("Too few to say.")
    if found.low > cost:
        return _("Earned back: certain.")
    if found.high < cost:
        return _("Not earned back yet: certain.")
    return _("Earned back or not: can't tell.")


def _chart(returns: list[Return]) -> dict[str, Any] | None:
    """Value beside cost, cohort by cohort."""
    if not any(one.value.is_told for one in returns):
        return None
    return {
        "type": "bar",
        "labels": [one.label for one in returns],
        "series": [
            {
                "name": str(KPIS[LEADING].title),
                "values": [_drawn(one.value, "value") for one in returns],
                "low": [_drawn(one.value, "low") for one in returns],
                "high": [_drawn(one.value, "high") for one in returns],
                "links": [one.people_url for one in returns],
            }
        ],
        "unit": "money",
        "currency": currency_of(KPIS[LEADING]),
    }


def _drawn(shown: Shown, name: str) -> float | None:
    """The value or a bound of its interval; None for a gap."""
    number: Decimal | None = getattr(shown.figure, name)
    return float(number) if number is not None and shown.is_told else None
