"""The cohort matrix."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.errors import NotFound
from common.time import Period
from metrics.forms import CellForm, CohortForm
from metrics.kpis.cohorts import WORDS
from metrics.roles import READERS
from metrics.selectors.cohorts import MEASURES, cohort_rows
from metrics.selectors.people import find_cell_set, page_of
from metrics.selectors.runs import seen_until, shown_run
from metrics.views.heat import MONTHS_SHOWN, heat_of
from metrics.views.people import render_people
from metrics.words import show_period

COHORTS_SHOWN = 12
ALL = 1000


@require_safe
@roles_required(read=READERS)
def cohorts(request: HttpRequest) -> HttpResponse:
    """The matrix; on a phone one cohort at a time."""
    form = CohortForm(request.GET)
    measure = form.chosen("show") or MEASURES[0]
    show_all = bool(form.chosen("all"))
    run = shown_run()
    rows = cohort_rows(run, until=seen_until(run)) if run else []
    chosen = next((row for row in rows if row.cohort == form.chosen("cohort")), None)
    context: dict[str, Any] = {
        "run": run,
        "measure": measure,
        "show_all": show_all,
        "is_cut": len(rows) > COHORTS_SHOWN,
        "words": WORDS,
        "heat": heat_of(
            rows if show_all else rows[-COHORTS_SHOWN:],
            measure=measure,
            months=ALL if show_all else MONTHS_SHOWN,
        ),
        "choices": [
            (row.cohort, show_period("month", Period.parse(row.cohort).first_day))
            for row in reversed(rows)
        ],
    }
    if rows:
        one = heat_of([chosen or rows[max(0, len(rows) - 7)]], measure=measure, months=ALL)
        assert one is not None  # noqa: S101 - a row was given
        context["one"] = one.rows[0]
    return render(request, "metrics/cohorts.html", context)


@require_safe
@roles_required(read=READERS)
def cohort_people(request: HttpRequest) -> HttpResponse:
    """Who of a cohort bought in a month."""
    form = CellForm(request.GET)
    run = shown_run()
    if run is None or not form.is_valid():
        raise NotFound
    cohort, offset = form.cleaned_data["cohort"], form.cleaned_data["offset"]
    month = show_period("month", Period.parse(cohort).first_day)
    later = ngettext(
        "bought again %(count)s month later", "bought again %(count)s months later", offset
    ) % {"count": offset}
    return render_people(
        request,
        page_of(find_cell_set(run.pk, cohort, offset), after=form.after_id),
        {
            "title": later if offset else _("First bought in %(month)s") % {"month": month},
            "pretitle": _("Customers of %(month)s") % {"month": month},
            "back_url": reverse("metrics:cohorts"),
            "exported": "cohort_people",
        },
    )
