"""One figure: its trend, its definition, and the people behind it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from metrics.kpis import get_kpi
from metrics.roles import READERS
from metrics.views.groups import group_context


@require_safe
@roles_required(read=READERS)
def figure(request: HttpRequest, key: str) -> HttpResponse:
    """A figure's periods, the chosen one in full, and what it means."""
    kpi = get_kpi(key)
    unit = "month" if kpi.per == "as_of" else "quarter"
    context = group_context(request, kpi.group, keys=[key], unit=unit)
    query = request.GET.copy()
    query["figure"] = key
    context |= {"kpi": kpi, "title": kpi.title, "query": query.urlencode()}
    return render(request, "metrics/figure.html", context)
