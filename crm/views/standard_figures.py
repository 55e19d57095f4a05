"""How well standards are kept: the scorecard and its file; the export for an auditor."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Role
from accounts.permissions import MANAGERS, roles_required
from common.requests import actor_of
from common.spreadsheets import csv_lines
from common.time import now
from crm.forms.standards import PeriodForm
from crm.roles import may_write
from crm.selectors.scorecard import Scorecard, Tally, scorecard
from crm.services.standards_audit import export_audit

FIGURES = MANAGERS | {Role.ANALYST}


@require_safe
@roles_required(read=FIGURES)
def standard_scorecard(request: HttpRequest) -> HttpResponse:
    """How well standards were kept in a period."""
    form = PeriodForm(request.GET)
    card = _card(form)
    context: dict[str, Any] = {
        "form": form,
        "days": form.days,
        "card": card,
        "parts": [
            {"title": _("By standard"), "first": _("Standard"), "rows": card.standards},
            {"title": _("By shop"), "first": _("Shop"), "rows": card.locations},
            {"title": _("By the five Ps"), "first": _("Class"), "rows": card.five_ps},
            {"title": _("By step"), "first": _("Step"), "rows": card.steps},
        ],
        "query": request.GET.urlencode(),
        "may_manage": may_write(request.user, MANAGERS),
    }
    return render(request, "crm/standard_scorecard.html", context)


@require_safe
@roles_required(read=FIGURES)
def standard_scorecard_file(request: HttpRequest) -> StreamingHttpResponse:
    """The scorecard as CSV."""
    form = PeriodForm(request.GET)
    first, last = form.days
    header = (
        "dimension", "name", "started", "completed", "given_up", "skipped_steps",
        "on_time", "due", "on_time_share", "median_seconds",
    )  # fmt: skip
    rows = [[part, *_cells(tally)] for part, tallies in _card(form).parts() for tally in tallies]
    answer = StreamingHttpResponse(csv_lines(header, rows), content_type="text/csv; charset=utf-8")
    name = f"standards-{first.isoformat()}-{last.isoformat()}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def standard_audit(request: HttpRequest) -> HttpResponse | FileResponse:
    """The export for an auditor: choose a period, get one file."""
    form = PeriodForm(request.POST if request.method == "POST" else request.GET)
    if request.method == "POST" and form.is_valid():
        since, until = form.instants
        first, last = form.days
        file = export_audit(
            since=since,
            until=until,
            with_answers=request.POST.get("with_answers") == "yes",
            happened_at=now(),
            actor=actor_of(request),
        )
        name = f"standards-audit-{first.isoformat()}-{last.isoformat()}.zip"
        return FileResponse(file, as_attachment=True, filename=name)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "days": form.days}
    return render(request, "crm/standard_audit.html", context, status=status)


def _card(form: PeriodForm) -> Scorecard:
    since, until = form.instants
    asked = form.values
    return scorecard(
        since,
        until,
        now=now(),
        playbook_id=asked["standard"].pk if asked["standard"] else None,
        location_id=asked["shop"].pk if asked["shop"] else None,
    )


def _cells(tally: Tally) -> list[Any]:
    share = tally.share
    return [
        tally.label,
        tally.started,
        tally.completed,
        tally.given_up,
        tally.skipped,
        tally.on_time,
        tally.due,
        "" if share is None else f"{share:.4f}",
        "" if tally.seconds is None else tally.seconds,
    ]
