"""Service standards kept, requests to leave, the loyalty programme: with what else is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import formats
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.time import local_date
from crm.selectors.cancel_requests import count_reasons
from loyalty.selectors.liability import MonthTotals, list_month_totals
from metrics.roles import READERS
from metrics.views.compared import Comparing
from metrics.views.groups import group_context
from metrics.windows import span_of

MONTHS_SHOWN = 24
LOYALTY = (
    "loyalty_active_rate",
    "loyalty_enrolment_rate",
    "loyalty_redemption_rate",
    "loyalty_breakage_rate",
)
LONGEST_SCORECARD = timedelta(days=2 * 366)  # the scorecard's own limit
A_MOMENT = timedelta(microseconds=1)


@require_safe
@roles_required(read=READERS)
def standards(request: HttpRequest) -> HttpResponse:
    """Standards kept, by shop; the scorecard of the same days has the steps."""
    context = group_context(request, "standards")
    if lead := context.get("lead"):
        since, until = span_of(lead.snapshot.period, as_of=context["run"].as_of)
        context["shops"] = Comparing(context, ("playbook_completion",)).shops()
        if until - since <= LONGEST_SCORECARD:
            days = {"since": local_date(since), "until": local_date(until - A_MOMENT)}
            context["days"] = {name: day.isoformat() for name, day in days.items()}
    return render(request, "metrics/standards.html", context)


@require_safe
@roles_required(read=READERS)
def save(request: HttpRequest) -> HttpResponse:
    """Who stayed after asking to leave, and why they asked."""
    context = group_context(request, "save")
    if lead := context.get("lead"):
        span = span_of(lead.snapshot.period, as_of=context["run"].as_of)
        context |= {
            "shops": Comparing(context, ("save_rate",)).shops(),
            "reasons": [] if context["asked"].segment else count_reasons(*span),
            "reasons_period": lead.shown.period_within,
        }
    return render(request, "metrics/save.html", context)


@require_safe
@roles_required(read=READERS)
def loyalty(request: HttpRequest) -> HttpResponse:
    """Who takes part, what becomes of the points, and what is owed for them."""
    context = group_context(request, "loyalty", leading=LOYALTY[0])
    if context.get("lead"):
        months = [] if context["asked"].segment else list_month_totals()[:MONTHS_SHOWN]
        context |= {
            "shops": Comparing(context, LOYALTY).shops(),
            "months": months,
            "owed": _owed_chart(months[::-1]) if months else None,
        }
    return render(request, "metrics/loyalty.html", context)


def _owed_chart(months: list[MonthTotals]) -> dict[str, Any]:
    """What was owed at the end of each month, oldest first."""
    return {
        "type": "bar",
        "unit": "money",
        "currency": months[-1].currency,
        "labels": [formats.date_format(one.month, "YEAR_MONTH_FORMAT") for one in months],
        "series": [{"name": _("Owed"), "values": [str(one.liability) for one in months]}],
    }
