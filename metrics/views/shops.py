"""Shops compared: how faithful, how satisfied, how profitable their customers are."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from metrics.roles import READERS
from metrics.views.compared import Comparing
from metrics.views.groups import group_context
from metrics.views.scatter import scatter_of

RETENTION, SATISFACTION, RECOMMEND, PROFIT = "retention_rate", "csat", "nps", "clv_historic"
KEYS = (RETENTION, SATISFACTION, RECOMMEND, PROFIT, "complaint_rate")


@require_safe
@roles_required(read=READERS)
def shops(request: HttpRequest) -> HttpResponse:
    """Every shop's retention, satisfaction, profit and complaints: a drawing and a table."""
    context = group_context(request, "shops", leading=RETENTION, keys=KEYS)
    context["title"] = _("Shops")
    compared = Comparing(context, KEYS).shops()
    drawn = scatter_of(compared, x=RETENTION, y=SATISFACTION, size=PROFIT)
    drawn = drawn or scatter_of(compared, x=RETENTION, y=RECOMMEND, size=PROFIT)
    drawn = drawn or scatter_of(compared, x=RETENTION, y=PROFIT, size="")  # too few answered
    return render(request, "metrics/shops.html", context | {"compared": compared, "scatter": drawn})
