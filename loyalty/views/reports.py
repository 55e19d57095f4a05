"""Reports: what was earned and used, what is owed, how members moved, whether the ledger agrees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import formats
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.permissions import MANAGERS, roles_required
from common.errors import NotFound
from common.requests import actor_of
from common.time import Period, local_date, now
from common.validators import parse_date
from crm.exports.roles import LISTS
from crm.roles import may_write
from loyalty.models import EarningRule, LiabilitySnapshot, ReportRequest, Reward
from loyalty.selectors.checks import count_drifts, list_checks, waiting_request
from loyalty.selectors.liability import (
    FEWEST_COHORTS,
    list_month_totals,
    realised_breakage,
    snapshots_of,
)
from loyalty.selectors.reports import (
    MOVEMENTS,
    ByRow,
    MonthFigures,
    Movement,
    find_month,
    list_months,
)
from loyalty.selectors.tier_migration import TierMigration, tier_migration
from loyalty.services.requests import request_report
from loyalty.views.sections import loyalty_sections

MONTHS_SHOWN = 24
CHECKS_SHOWN = 30
FIGURE_READERS = LISTS


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=FIGURE_READERS, write=MANAGERS)
def reports(request: HttpRequest) -> HttpResponse:
    """Points month by month; asking to count the current one anew."""
    if request.method == "POST":
        kind = ReportRequest.Kind.FIGURES
        request_report(kind=kind, happened_at=now(), actor=actor_of(request))
        messages.success(request, _("The month is counted anew in a moment."))
        return redirect("loyalty:reports")
    months = list_months(MONTHS_SHOWN)
    balances = _closing_balances()
    context = {
        "months": [(one, balances.get(one.month)) for one in months],
        "latest": months[0] if months else None,
        "chart": _chart(months[::-1]) if months else None,
        "drifts": count_drifts(),
        "is_counting": waiting_request(ReportRequest.Kind.FIGURES) is not None,
        "may_manage": may_write(request.user, MANAGERS),
        "sections": loyalty_sections(request, "reports"),
    }
    return render(request, "loyalty/reports.html", context)


@require_safe
@roles_required(read=FIGURE_READERS)
def report_month(request: HttpRequest, month: str) -> HttpResponse:
    """One month: by reason, by rule, by reward."""
    first_day = _month(month)
    figures = find_month(first_day)
    if figures is None:
        raise NotFound
    latest = list_months(1)[0]
    restated = latest.restated.get(f"{first_day:%Y-%m}")
    booked = {name: getattr(figures, name) for name in MOVEMENTS}
    context = {
        "figures": figures,
        "movements": sorted(figures.movements, key=_weight, reverse=True),
        "rules": _named(figures.rules, EarningRule),
        "rewards": _named(figures.rewards, Reward),
        "restated": restated if restated and restated != booked else None,
        "restated_at": latest.recorded_at,
        "sections": loyalty_sections(request, "reports"),
    }
    return render(request, "loyalty/report_month.html", context)


@require_safe
@roles_required(read=FIGURE_READERS)
def report_liability(request: HttpRequest) -> HttpResponse:
    """What is owed for points at a month's end, by the month of their issue."""
    totals = list_month_totals()
    asked = request.GET.get("month", "")
    month = _month(asked) if asked else (totals[0].month if totals else None)
    chosen = next((one for one in totals if one.month == month), None)
    if asked and chosen is None:
        raise NotFound
    rows = snapshots_of(month) if month else []
    context = {
        "totals": totals,
        "chosen": chosen,
        "rows": [_Cohort.of(row) for row in rows],
        "realised": realised_breakage(rows),
        "is_estimated": any(row.is_estimated for row in rows),
        "fewest": FEWEST_COHORTS,
        "sections": loyalty_sections(request, "reports"),
    }
    return render(request, "loyalty/report_liability.html", context)


@require_safe
@roles_required(read=FIGURE_READERS)
def report_tiers(request: HttpRequest) -> HttpResponse:
    """How members moved between tiers from the end of one day to that of another."""
    today = local_date(now())
    errors: dict[str, str] = {}
    until = _day(request, "until", today, errors)
    since = _day(request, "since", min(until, today) - timedelta(days=90), errors)
    if not errors and since >= until:
        errors["until"] = _("The second day must come after the first.")
    found = None if errors else tier_migration(since, until)
    context = {
        "since": since,
        "until": until,
        "errors": errors,
        "migration": found,
        "rows": _matrix(found) if found else [],
        "columns": _ranks(found) if found else [],
        "sections": loyalty_sections(request, "reports"),
    }
    return render(request, "loyalty/report_tiers.html", context, status=422 if errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=FIGURE_READERS, write=MANAGERS)
def ledger_check(request: HttpRequest) -> HttpResponse:
    """What adding the journal up again found; asking for it once more."""
    if request.method == "POST":
        kind = ReportRequest.Kind.LEDGER
        request_report(kind=kind, happened_at=now(), actor=actor_of(request))
        messages.success(request, _("The ledger is being checked; the result appears here."))
        return redirect("loyalty:ledger_check")
    checks = list_checks(CHECKS_SHOWN)
    context = {
        "latest": checks[0] if checks else None,
        "checks": checks,
        "waiting": waiting_request(ReportRequest.Kind.LEDGER),
        "may_manage": may_write(request.user, MANAGERS),
        "sections": loyalty_sections(request, "reports"),
    }
    return render(request, "loyalty/ledger_check.html", context)


@dataclass(frozen=True, slots=True)
class _Cohort:
    """A cohort as it is shown."""

    row: LiabilitySnapshot
    used_share: Decimal | None
    is_over: bool

    @classmethod
    def of(cls, row: LiabilitySnapshot) -> _Cohort:
        share = Decimal(row.redeemed) / row.issued if row.issued else None
        return cls(row, share, row.issued > 0 and row.outstanding <= 0)


@dataclass(frozen=True, slots=True)
class _Named:
    """What a rule gave or a reward took, with its name."""

    name: str
    ref: str
    numbers: ByRow


def _named(rows: list[ByRow], model: type[EarningRule] | type[Reward]) -> list[_Named]:
    known: dict[int, Any] = model.objects.in_bulk([row.id for row in rows])
    found = [_Named(known[row.id].name, known[row.id].ref, row) for row in rows if row.id in known]
    return sorted(found, key=lambda one: one.numbers.points, reverse=True)


def _closing_balances() -> dict[date, int]:
    """Return month → what members had at its end; the current month as last counted."""
    balances: dict[date, int] = {}
    balance = 0
    for figures in reversed(list_months()):
        balance += figures.net
        balances[figures.month] = balance
    return balances


def _weight(movement: Movement) -> int:
    return abs(movement.net) + movement.bookings


def _chart(months: list[MonthFigures]) -> dict[str, Any]:
    names = {
        "issued": _("Issued"),
        "redeemed": _("Used"),
        "expired": _("Expired"),
        "reversed": _("Taken back"),
    }
    return {
        "type": "bar",
        "labels": [formats.date_format(one.month, "YEAR_MONTH_FORMAT") for one in months],
        "series": [
            {"name": str(label), "values": [getattr(one, name) for one in months]}
            for name, label in names.items()
        ],
        "unit": "count",
        "complete": [one.is_closed for one in months],
    }


def _ranks(found: TierMigration) -> list[tuple[int, str]]:
    return [(0, _("No tier")), *sorted(found.names.items())]


def _matrix(found: TierMigration) -> list[dict[str, Any]]:
    """Return a row per tier then, with the members in each tier after."""
    ranks = _ranks(found)
    rows = []
    for then, name in ranks:
        members = [found.moves.get((then, after), 0) for after, _name in ranks]
        cells = [
            {"members": count, "is_same": after == then}
            for count, (after, _name) in zip(members, ranks, strict=True)
        ]
        rows.append({"name": name, "cells": cells, "total": sum(members)})
    return rows


def _month(text: str) -> date:
    """Return the first day of a month in an address.

    :raises NotFound: it is none.
    """
    try:
        period = Period.parse(text)
    except ValidationError as error:
        raise NotFound from error
    if period.unit != "month":
        raise NotFound
    return period.first_day


def _day(request: HttpRequest, name: str, default: date, errors: dict[str, str]) -> date:
    text = request.GET.get(name, "")
    if not text:
        return default
    try:
        return parse_date(text)
    except ValidationError as error:
        errors[name] = " ".join(error.messages)
        return default
