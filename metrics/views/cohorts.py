"""The cohort matrix: of customers, of revenue, of profit; one cohort, two compared, the people."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.errors import NotFound
from common.time import Period
from metrics.figures import FEW
from metrics.kpis.cohorts import WORDS
from metrics.map_forms import MatrixForm, SlicedCellForm
from metrics.models import RecomputeRun
from metrics.roles import READERS
from metrics.selectors.cohorts import MEASURES, CohortRow, cohort_rows, list_cohorts
from metrics.selectors.figures import list_slices
from metrics.selectors.people import find_cell_set, page_of
from metrics.selectors.runs import seen_until, shown_run
from metrics.views.asking import segment_choices, segment_name
from metrics.views.cohort_lines import cohort_chart, compared_words
from metrics.views.heat import MONTHS_SHOWN, heat_of
from metrics.views.people import render_people
from metrics.views.sections import metrics_sections
from metrics.words import show_period

COHORTS_SHOWN = 12
ALL = 1000
SETTLED = 6  # a cohort of so many whole months says something
KINDS = {
    "customers": gettext_lazy("Customers"),
    "revenue": gettext_lazy("Revenue"),
    "profit": gettext_lazy("Profit"),
}
# What stands in the cells, by kind and whether as a share.
SHOWS = {
    ("customers", True): "percent",
    ("customers", False): "customers",
    ("revenue", True): "revenue_percent",
    ("revenue", False): "revenue",
    ("profit", True): "profit_percent",
    ("profit", False): "profit",
}
CELL_WORDS = {
    "percent": gettext_lazy("A cell is the share of the cohort who bought in that month."),
    "customers": gettext_lazy("A cell is how many of the cohort bought in that month."),
    "revenue": gettext_lazy(
        "A cell is what the cohort spent in that month; column 0 is the month of their first "
        "purchase."
    ),
    "revenue_percent": gettext_lazy(
        "A cell is what the cohort spent in that month, as a share of what they spent in the month "
        "of their first purchase."
    ),
    "profit": gettext_lazy(
        "A cell is what the cohort left in that month after costs and refunds; column 0 is the "
        "month of their first purchase. A dash: a cost isn't known."
    ),
    "profit_percent": gettext_lazy(
        "A cell is what the cohort left in that month after costs and refunds, as a share of their "
        "first month. A dash: a cost isn't known, or the first month left nothing."
    ),
}


@require_safe
@roles_required(read=READERS)
def cohorts(request: HttpRequest) -> HttpResponse:
    """The matrix; below it one cohort, beside another if asked for."""
    form = MatrixForm(request.GET)
    segment = form.chosen("segment")
    measure = form.chosen("show") or MEASURES[0]
    if segment and not _is_of_customers(measure):  # money is not kept of some only
        measure = MEASURES[0]
    run = shown_run()
    context: dict[str, Any] = {
        "run": run,
        "words": WORDS,
        "cell_words": CELL_WORDS[measure],
        "sections": metrics_sections("cohorts"),
        "measure": measure,
        "as_table": bool(form.chosen("table")),
        "segment": segment,
    }
    if run is not None:
        context |= _matrix(run, form, measure, segment)
    return render(request, "metrics/cohorts.html", context)


def _matrix(run: RecomputeRun, form: MatrixForm, measure: str, segment: str) -> dict[str, Any]:
    months = list_cohorts(run)
    show_all = bool(form.chosen("all"))
    end = months.index(form.chosen("until")) + 1 if form.chosen("until") in months else len(months)
    begin = 0 if show_all else max(0, end - COHORTS_SHOWN)
    wanted = months if show_all else months[begin:end]
    pair = [month for month in (form.chosen("cohort"), form.chosen("other")) if month in months]
    rows = cohort_rows(
        run, until=seen_until(run), dimension=segment, cohorts={*wanted, *pair} if months else ()
    )
    by_month = {row.cohort: row for row in rows}
    shown = [by_month[month] for month in wanted if month in by_month]
    one = by_month.get(form.chosen("cohort")) or _settled(shown)
    other = by_month.get(form.chosen("other"))
    if one is not None and other is not None and other.cohort == one.cohort:
        other = None
    state = {
        "show": measure if measure != MEASURES[0] else "",
        "segment": segment,
        "all": "1" if show_all else "",
        "until": form.chosen("until") if end < len(months) and not show_all else "",
        "table": "1" if form.chosen("table") else "",
        "cohort": form.chosen("cohort"),
        "other": form.chosen("other"),
    }

    def address(**changes: str) -> str:
        return "?" + urlencode({name: value for name, value in (state | changes).items() if value})

    kind, is_share = next(parts for parts, show in SHOWS.items() if show == measure)
    slices = list_slices(run)
    return {
        "heat": heat_of(
            shown, measure=measure, months=ALL if show_all else MONTHS_SHOWN, segment=segment
        ),
        "has_cohorts": bool(months),
        "kinds": [
            {
                "label": label,
                "url": address(show=SHOWS[name, is_share]),
                "is_active": name == kind,
            }
            for name, label in KINDS.items()
            if name == "customers" or not segment
        ],
        "forms": [
            {
                "label": label,
                "url": address(show=SHOWS[kind, as_share]),
                "is_active": as_share == is_share,
            }
            for as_share, label in ((True, _("Share")), (False, pgettext("not a share", "Number")))
        ],
        "table_url": address(table="" if state["table"] else "1"),
        "show_all": show_all,
        "is_cut": len(months) > COHORTS_SHOWN,
        "all_url": address(all="" if show_all else "1", until=""),
        "earlier_url": address(until=months[begin - 1]) if begin and not show_all else "",
        "later_url": address(until=months[min(len(months), end + COHORTS_SHOWN) - 1])
        if end < len(months) and not show_all
        else "",
        "state": state,
        "segments": segment_choices(slices),
        "segment_label": next(
            (segment_name(one) for one in slices if one.dimension == segment), segment
        ),
        "choices": [
            (month, show_period("month", Period.parse(month).first_day))
            for month in reversed(months)
        ],
        "one": _one(one, measure, segment),
        "other": other.cohort if other else "",
        "chart": cohort_chart([row for row in (one, other) if row], measure, segment),
        "is_too_few": bool(one and one.size < FEW and measure == "percent"),
        "compared": compared_words(one, other) if one and other else "",
    }


def _settled(rows: list[CohortRow]) -> CohortRow | None:
    """The last cohort that had time to come back; else the oldest."""
    ripe = [row for row in rows if row.complete_cells > SETTLED]
    return ripe[-1] if ripe else rows[0] if rows else None


def _one(row: CohortRow | None, measure: str, segment: str) -> Any:
    found = heat_of([row] if row else [], measure=measure, months=ALL, segment=segment)
    if found is None:
        return None
    return {
        "row": found.rows[0],
        "cells": list(zip(found.offsets, found.rows[0].cells, strict=False)),
    }


def _is_of_customers(measure: str) -> bool:
    return measure in ("percent", "customers")


@require_safe
@roles_required(read=READERS)
def cohort_people(request: HttpRequest) -> HttpResponse:
    """Who of a cohort bought in a month."""
    form = SlicedCellForm(request.GET)
    run = shown_run()
    if run is None or not form.is_valid():
        raise NotFound
    cohort, offset, segment = (form.cleaned_data[name] for name in ("cohort", "offset", "segment"))
    members = find_cell_set(run.pk, cohort, offset, dimension=segment)
    month = show_period("month", Period.parse(cohort).first_day)
    later = ngettext(
        "bought again %(count)s month later", "bought again %(count)s months later", offset
    ) % {"count": offset}
    return render_people(
        request,
        page_of(members, after=form.after_id),
        {
            "title": later if offset else _("First bought in %(month)s") % {"month": month},
            "pretitle": _("Customers of %(month)s") % {"month": month},
            "back_url": reverse("metrics:cohorts"),
            "exported": "cohort_people",
        },
    )
