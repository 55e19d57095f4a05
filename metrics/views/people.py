"""The pages of the customers behind a figure or a cell."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from crm.selectors.figures import purchase_figures
from metrics.asked_people import AskedPeople, people_asked
from metrics.forms import PARTS, PeopleForm
from metrics.kpis import get_kpi
from metrics.kpis.base import Kpi
from metrics.roles import READERS
from metrics.selectors.figures import figure_from
from metrics.selectors.people import PeoplePage, page_of
from metrics.words import people_url, show, show_period


@require_safe
@roles_required(read=READERS)
def people(request: HttpRequest, key: str) -> HttpResponse:
    """Everybody in one of a figure's sets, or who of them stayed, came or left."""
    kpi = get_kpi(key)
    form = PeopleForm(request.GET)
    asked = people_asked(kpi, form)
    shown = show(figure_from(asked.snapshot), asked.snapshot.starts_on)
    query = request.GET.copy()
    query["figure"] = key
    return render_people(
        request,
        page_of(asked.members, after=form.after_id),
        {
            "title": kpi.all_sets[asked.name],
            "pretitle": f"{kpi.title} · {shown.period}",
            "back_url": shown.url,
            "exported": "figure_people",
            "query": query.urlencode(),
            "tabs": _tabs(kpi, asked),
        },
    )


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


def _tabs(kpi: Kpi, asked: AskedPeople) -> list[dict[str, Any]]:
    """The other sets of the figure; of a comparison its three parts."""
    figure = figure_from(asked.snapshot)
    if asked.other is None:
        return [
            {"label": label, "url": people_url(figure, name), "is_active": name == asked.name}
            for name, label in kpi.sets.items()
        ]
    other = asked.other
    period = show_period(asked.snapshot.unit, asked.snapshot.starts_on, asked.snapshot.period)
    before = show_period(other.unit, other.starts_on, other.period)
    labels = {
        "stayed": _("In %(before)s and %(period)s") % {"before": before, "period": period},
        "came": _("Only in %(period)s") % {"period": period},
        "left": _("Only in %(period)s") % {"period": before},
    }
    return [
        {
            "label": labels[part],
            "url": people_url(figure, asked.name, other=other.period, part=part),
            "is_active": part == asked.part,
        }
        for part in PARTS
    ]
