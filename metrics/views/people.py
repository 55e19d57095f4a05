"""The page of the customers behind a figure or a cell."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from crm.selectors.figures import purchase_figures
from metrics.selectors.people import PeoplePage


def render_people(request: HttpRequest, page: PeoplePage, context: dict[str, Any]) -> HttpResponse:
    """Render a page of people. context: title, pretitle, back_url, tabs, exported (a list)."""
    bought = purchase_figures([customer.pk for customer in page.customers])
    query = request.GET.copy()
    query["after"] = str(page.after)
    next_url = f"{request.path}?{query.urlencode()}" if page.after else ""
    rows = [{"customer": customer, "bought": bought[customer.pk]} for customer in page.customers]
    return render(
        request,
        "metrics/people.html",
        {"rows": rows, "total": page.total, "next_url": next_url, **context},
    )
