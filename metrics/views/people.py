"""The pages of the customers behind a figure or a cell."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import roles_required
from common.requests import own_page
from crm.forms import BulkForm
from crm.roles import may_write
from crm.selectors.customer_filters import COUNTED, ids_of_refs
from crm.selectors.figures import purchase_figures
from crm.services.bulk_actions import TooManyCustomers
from crm.views.bulk import act_on_many
from metrics.asked_people import AskedPeople, people_asked
from metrics.forms import PARTS, PeopleForm
from metrics.kpis import get_kpi
from metrics.kpis.base import Kpi
from metrics.people_lists import members_asked
from metrics.roles import READERS, REQUESTERS
from metrics.selectors.figures import figure_from
from metrics.selectors.people import PeoplePage, page_of
from metrics.selectors.present import present_ids
from metrics.words import amid_sentence, people_url, show, show_period


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


@require_POST
@roles_required(read=REQUESTERS)
def bulk(request: HttpRequest, name: str) -> HttpResponse:
    """Label, or open a task about, the chosen people of a list or all of them."""

    def find_ids() -> list[int]:
        if not request.POST.get("everybody"):
            return ids_of_refs(request.POST.getlist("customers"))
        members = members_asked(name, QueryDict(request.POST.get("query", "")))
        if members is not None and members.size > COUNTED:
            raise TooManyCustomers
        return present_ids(members)

    back = own_page(request.POST.get("here", "")) or reverse("metrics:overview")
    return act_on_many(request, find_ids=find_ids, back=back)


def render_people(request: HttpRequest, page: PeoplePage, context: dict[str, Any]) -> HttpResponse:
    """Render a page of people.

    context: title, pretitle, back_url, tabs, exported (a list of :mod:`metrics.people_lists`),
    query (the list's, where it isn't that of the address).
    """
    bought = purchase_figures([customer.pk for customer in page.customers])
    query = request.GET.copy()
    query["after"] = str(page.after)
    next_url = f"{request.path}?{query.urlencode()}" if page.after else ""
    rows = [{"customer": customer, "bought": bought[customer.pk]} for customer in page.customers]
    shown: dict[str, Any] = {"rows": rows, "total": page.total, "next_url": next_url}
    if rows and may_write(request.user, REQUESTERS):
        shown["bulk"] = BulkForm()
    return render(request, "metrics/people.html", shown | context)


def _tabs(kpi: Kpi, asked: AskedPeople) -> list[dict[str, Any]]:
    """The other sets of the figure; of a comparison its three parts."""
    figure = figure_from(asked.snapshot)
    if asked.other is None:
        return [
            {"label": label, "url": people_url(figure, name), "is_active": name == asked.name}
            for name, label in kpi.sets.items()
        ]
    other = asked.other
    period, before = (
        amid_sentence(show_period(one.unit, one.starts_on, one.period))
        for one in (asked.snapshot, other)
    )
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
