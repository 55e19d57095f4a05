"""Trials: the list, asking for one, its progress and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.spreadsheets import csv_lines
from common.time import Period, now
from crm.models import ImportBatch
from crm.selectors.import_words import column_label, kind_label
from metrics.models import Trial, TrialFile
from metrics.roles import REQUESTERS
from metrics.selectors.trials import find_trial, list_trials, list_uploads
from metrics.services import discard_trial, request_trial
from metrics.services.trials import MOST_FILES
from metrics.trials.findings import cohort_of_json, figure_of_json
from metrics.trials.workspace import REJECTS_KEPT
from metrics.views.heat import heat_of
from metrics.words import Shown, show, show_period

UPLOADS_SHOWN = 50
MONTHS_SHOWN, COHORTS_SHOWN = 24, 12
REJECTS_SHOWN = 10
HEADLINE = "retention_rate"


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A month of the trial's purchases. revenue: in the organisation's currency."""

    label: str
    orders: int
    customers: int
    revenue: Decimal


@require_safe
@roles_required(read=REQUESTERS)
def trials(request: HttpRequest) -> HttpResponse:
    """Trials, newest first."""
    rows = [(trial, _headline(trial)) for trial in list_trials()]
    return render(
        request,
        "metrics/trial_list.html",
        {"rows": rows, "kept_days": settings.TRIAL_KEPT_DAYS},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=REQUESTERS)
def trial_new(request: HttpRequest) -> HttpResponse:
    """Choose among the uploaded files, and start."""
    chosen = (request.POST if request.method == "POST" else request.GET).getlist("batch")
    refusal = ""
    if request.method == "POST":
        try:
            trial = request_trial(
                batch_refs=chosen,
                happened_at=now(),
                actor=actor_of(request),
                language=get_language() or "en",
            )
        except DomainError as error:
            refusal = str(error)
        else:
            return redirect("metrics:trial", trial.ref)
    uploads: list[ImportBatch] = list(islice(list_uploads(), UPLOADS_SHOWN))
    context = {
        "uploads": [(upload, kind_label(upload.kind)) for upload in uploads],
        "chosen": chosen or ([uploads[0].ref] if len(uploads) == 1 else []),
        "refusal": refusal,
        "most_files": MOST_FILES,
        "kept_days": settings.TRIAL_KEPT_DAYS,
    }
    return render(request, "metrics/trial_new.html", context, status=422 if refusal else 200)


@require_safe
@roles_required(read=REQUESTERS)
def trial(request: HttpRequest, ref: str) -> HttpResponse:
    """How far a trial is, or what it found."""
    found = find_trial(ref)
    context: dict[str, Any] = {"trial": found, "files": _files(found)}
    if found.status == Trial.Status.DONE:
        context |= _result(found)
    context |= _progress(found)
    return render(request, "metrics/trial.html", context)


@require_safe
@roles_required(read=REQUESTERS)
def trial_status(request: HttpRequest, ref: str) -> HttpResponse:
    """Fragment: how far it is; when it has ended the page is loaded again."""
    found = find_trial(ref)
    response = render(request, "metrics/parts/trial_status.html", _progress(found))
    if found.status in (Trial.Status.DONE, Trial.Status.FAILED):
        response["HX-Refresh"] = "true"
    return response


@require_POST
@roles_required(read=REQUESTERS)
def trial_discard(request: HttpRequest, ref: str) -> HttpResponse:
    """Throw it away."""
    discard_trial(ref=ref)
    messages.success(request, _("The trial and everything it found were deleted."))
    return redirect("metrics:trials")


@require_safe
@roles_required(read=REQUESTERS)
def trial_rejects(request: HttpRequest, ref: str) -> HttpResponseBase:
    """The refused rows as a CSV file."""
    found = find_trial(ref)
    rows = (
        (file.file_name, row["line"], row["column"], row["value"], row["reason"])
        for file in _in_order(found)
        for row in file.rejects
    )
    return StreamingHttpResponse(
        csv_lines(["file", "line", "column", "value", "reason"], rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="trial-{found.ref}-rejects.csv"'},
    )


def _in_order(trial: Trial) -> list[TrialFile]:
    return sorted(trial.files.all(), key=lambda file: file.place)


def _files(trial: Trial) -> list[dict[str, Any]]:
    """The files, what became of them, and what was wrong with most rows."""
    return [
        {
            "file": file,
            "kind": kind_label(file.kind),
            "outcome": file.outcome,
            "problems": [
                problem | {"column": column_label(problem["column"])}
                for problem in file.outcome.get("problems", [])[:REJECTS_SHOWN]
            ],
        }
        for file in _in_order(trial)
    ]


def _progress(trial: Trial) -> dict[str, Any]:
    files = _in_order(trial)
    step, place = trial.progress.get("step", ""), trial.progress.get("file", 0)
    words = {
        "": _("Waiting to start."),
        "tables": _("Making a workspace of its own."),
        "figures": _("Computing the figures."),
    }
    told = words.get(step, words[""])
    if step == "import" and place < len(files):
        told = _("Reading file %(number)s of %(count)s: %(name)s.") % {
            "number": place + 1,
            "count": len(files),
            "name": files[place].file_name,
        }
    is_over = trial.status in (Trial.Status.DONE, Trial.Status.FAILED)
    return {"trial": trial, "is_over": is_over, "told": told}


def _headline(trial: Trial) -> Shown | None:
    """Retention as the trial found it; None where it found none."""
    for kept in trial.result.get("figures", []):
        if kept["key"] == HEADLINE:
            shown = show(*figure_of_json(kept))
            return shown if shown.figure.value is not None else None
    return None


def _result(trial: Trial) -> dict[str, Any]:
    found = trial.result
    cohorts = [cohort_of_json(kept) for kept in found["cohorts"]][-COHORTS_SHOWN:]
    months = [
        MonthRow(
            show_period("month", Period.parse(month["month"]).first_day),
            month["orders"],
            month["customers"],
            Decimal(month["revenue"]),
        )
        for month in reversed(found["months"][-MONTHS_SHOWN:])
    ]
    return {
        "headline": _headline(trial),
        "found": found,
        "revenue": Decimal(found["revenue"]),
        "cards": [
            show(*figure_of_json(kept)) for kept in found["figures"] if kept["key"] != HEADLINE
        ],
        "heat": heat_of(cohorts, measure="percent", is_linked=False),
        "months": months,
        "is_cut": len(found["months"]) > MONTHS_SHOWN,
        "has_rejects": any(file.rejects for file in trial.files.all()),
        "are_rejects_cut": any(len(file.rejects) >= REJECTS_KEPT for file in trial.files.all()),
    }
