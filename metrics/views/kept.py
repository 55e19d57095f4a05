"""Who stayed, and what of the revenue: retention and revenue kept, with their bridges."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from metrics.roles import READERS
from metrics.views.asking import keys_of
from metrics.views.bridges import people_bridge, revenue_bridge
from metrics.views.by_slice import by_slice
from metrics.views.groups import group_context
from metrics.views.told import Told


@require_safe
@roles_required(read=READERS)
def retention(request: HttpRequest) -> HttpResponse:
    """Of those who were active at the start, how many still are; and by shop."""
    context = group_context(request, "retention", leading="retention_rate")
    lead: Told | None = context.get("lead")
    if lead:
        context |= {
            "sentence": retention_sentence(lead),
            "bridge": people_bridge(lead),
            "without_sets": True,
        }
    if "bar" in context:
        slices = context["bar"]["slices"]
        context["by_slice"] = by_slice(request, context["asked"], lead, slices)
    return render(request, "metrics/kept.html", context)


@require_safe
@roles_required(read=READERS)
def revenue(request: HttpRequest) -> HttpResponse:
    """Of the revenue customers brought, how much they still bring; who lapsed, who buys less."""
    keys = [*keys_of("revenue"), "churn_rate"]
    context = group_context(request, "revenue", leading="net_revenue_retention", keys=keys)
    lead: Told | None = context.get("lead")
    if lead:
        context["sentence"] = _revenue_sentence(lead)
        told = {one.kpi.key: one for one in context["others"]}
        gross, net = told.get("revenue_churn_gross"), told.get("revenue_churn_net")
        if gross and net:
            context["bridge"] = revenue_bridge(gross, net, told.get("revenue_lapsed"))
    if "bar" in context:
        slices = context["bar"]["slices"]
        context["by_slice"] = by_slice(request, context["asked"], lead, slices)
    return render(request, "metrics/kept.html", context)


def retention_sentence(told: Told) -> str:
    """Return what retention says; empty where there is no rate, or no period with a name."""
    shown = told.shown
    if not shown.is_told or shown.figure.unit == "trailing":
        return ""
    return _(
        "%(value)s of the customers active at the start of %(period)s were still active at its end."
    ) % {"value": shown.value, "period": shown.period_within}


def _revenue_sentence(told: Told) -> str:
    shown = told.shown
    if not shown.is_told or shown.figure.unit == "trailing":
        return ""
    return _(
        "Customers with revenue in the 90 days before %(period)s brought %(value)s of it in the "
        "90 days before its end."
    ) % {"value": shown.value, "period": shown.period_within}
