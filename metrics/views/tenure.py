"""How long customers have been there and what they bring: the map, the unprofitable, the rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Role
from accounts.permissions import ADMINS, MANAGERS, roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import Period, local_date, now
from crm.forms.refusals import show_refusal
from metrics.handling_forms import RuleForm, RuleTasksForm
from metrics.kpis.base import NUMERATOR
from metrics.map_forms import MapForm
from metrics.maps import LONG_STANDING, LOSS, TENURE_PROFIT
from metrics.models import HandlingRule, RecomputeRun
from metrics.roles import READERS
from metrics.selectors.figures import figure_from, find_snapshot, list_slices
from metrics.selectors.handling import find_rule
from metrics.selectors.maps import Place, list_places
from metrics.selectors.people import find_set
from metrics.selectors.present import present_ids
from metrics.selectors.runs import shown_run
from metrics.services.handling import open_handling_tasks, set_handling_rule
from metrics.views.asking import segment_choices, segment_name
from metrics.views.earlier import Earlier, earlier_of
from metrics.views.grids import grid_of, money
from metrics.views.map_names import PROFITS, TENURES
from metrics.views.sections import metrics_sections
from metrics.words import Shown, people_url, show

KEY = "unprofitable_share"
SUBJECT = HandlingRule.Subject.UNPROFITABLE


@require_safe
@roles_required(read=READERS)
def tenure(request: HttpRequest) -> HttpResponse:
    """The map, how many of the long-standing cost more than they bring, and what to do."""
    return _render(request)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=ADMINS)
def handling_rule(request: HttpRequest) -> HttpResponse:
    """What is to be done with the unprofitable."""
    rule = find_rule(SUBJECT)
    initial = (
        {"due_days": rule.due_days, "text": rule.text, "task_title": rule.task_title}
        if rule
        else {}
    )
    form = RuleForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            set_handling_rule(
                subject=SUBJECT, happened_at=now(), actor=actor_of(request), **form.cleaned_data
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The rule is saved."))
            return redirect("metrics:tenure")
    status = 422 if form.errors else 200
    return render(request, "metrics/handling_rule.html", {"form": form}, status=status)


@require_POST
@roles_required(read=MANAGERS)
def handling_tasks(request: HttpRequest) -> HttpResponse:
    """Open a task about each of the unprofitable, by the rule."""
    run, rule = shown_run(), find_rule(SUBJECT)
    form = RuleTasksForm(request.POST, rule=rule)
    snapshot = find_snapshot(run, KEY, "") if run else None
    if not form.is_valid():
        return _render(request, form)
    asked = form.cleaned_data
    try:
        opened = open_handling_tasks(
            subject=SUBJECT,
            period=str(Period.containing(local_date(now()), "quarter")),
            customer_ids=present_ids(find_set(snapshot, NUMERATOR)) if snapshot else [],
            title=asked["title"],
            text=rule.text if rule else "",
            due_at=asked["due_at"],
            assignee_id=asked["assignee"].pk if asked["assignee"] else None,
            happened_at=now(),
            actor=actor_of(request),
        )
    except DomainError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _opened_words(opened))
    return redirect("metrics:tenure")


def _render(request: HttpRequest, tasks: RuleTasksForm | None = None) -> HttpResponse:
    form = MapForm(request.GET)
    segment = form.chosen("segment")
    run = shown_run()
    role = getattr(request.user, "role", None)
    context: dict[str, Any] = {
        "run": run,
        "sections": metrics_sections("value"),
        "segment": segment,
        "may_set": role == Role.ADMIN,
    }
    if run is not None:
        rule = find_rule(SUBJECT)
        earlier = earlier_of(run, TENURE_PROFIT, form)
        context |= _found(run, segment, earlier) | {"rule": rule}
        if role in MANAGERS and not segment and context["unprofitable_count"]:
            context["tasks"] = tasks or RuleTasksForm(rule=rule)
    status = 422 if tasks is not None and tasks.errors else 200
    return render(request, "metrics/tenure.html", context, status=status)


def _found(run: RecomputeRun, segment: str, earlier: Earlier) -> dict[str, Any]:
    places = list_places(run, TENURE_PROFIT, dimension=segment)
    slices = list_slices(run)
    snapshot = find_snapshot(run, KEY, "", dimension=segment)
    shown = show(figure_from(snapshot), None) if snapshot else None
    count = int(snapshot.numerator) if snapshot else 0
    return {
        "segments": segment_choices(slices),
        "segment_label": next(
            (segment_name(one) for one in slices if one.dimension == segment), ""
        ),
        "shown": shown,
        "unprofitable_count": count,
        "unprofitable_url": people_url(shown.figure, NUMERATOR) if shown and count else "",
        "sentence": _sentence(shown, places),
        "has_map": bool(places),
        "export_query": urlencode({"map": TENURE_PROFIT, "segment": segment}),
        "grid": grid_of(
            places,
            name=TENURE_PROFIT,
            columns=list(enumerate(TENURES)),
            rows=list(reversed(list(enumerate(PROFITS)))),
            segment=segment,
            losses={LOSS},
            earlier=earlier,
        ),
        "earlier": earlier,
    }


def _sentence(shown: Shown | None, places: list[Place]) -> str:
    if shown is None or shown.figure.value is None:
        return ""
    said = _(
        "%(count)s of %(everybody)s long-standing customers cost more than they brought in the "
        "last 365 days."
    ) % {"count": shown.numerator, "everybody": shown.denominator}
    losses = [place.amount for place in places if place.y == LOSS and place.x >= LONG_STANDING]
    lost = sum((amount for amount in losses if amount is not None), Decimal(0))
    if lost:
        said += " " + _("Together they took %(amount)s.") % {"amount": money(-lost)}
    return said


def _opened_words(opened: int) -> str:
    if not opened:
        return _("Everybody has a task about it already.")
    return ngettext("%(number)s task was opened.", "%(number)s tasks were opened.", opened) % {
        "number": opened
    }
