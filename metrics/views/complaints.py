"""Complaints: how many of those served complain, about which products, in which shops, of what."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from feedback.selectors.complaints import count_themes
from metrics.roles import READERS
from metrics.views.compared import Comparing
from metrics.views.groups import group_context
from metrics.windows import span_of

KEYS = ("complaint_rate", "complaints", "complaints_per_1000_orders")


@require_safe
@roles_required(read=READERS)
def complaints(request: HttpRequest) -> HttpResponse:
    """The rate, and where it is furthest over the limit."""
    context = group_context(request, "complaints", keys=KEYS)
    if lead := context.get("lead"):
        comparing = Comparing(context, KEYS)
        span = span_of(lead.snapshot.period, as_of=context["run"].as_of)
        context |= {
            "products": comparing.products(),
            "shops": comparing.shops(),
            "themes": [] if context["asked"].segment else count_themes(*span),
            "themes_period": lead.shown.period_within,
        }
    return render(request, "metrics/complaints.html", context)
