"""Following standards: starting one, what is under way, one run step by step."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import WRITERS, roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from common.undo import offer_undo
from crm.forms.refusals import show_refusal
from crm.forms.standards import (
    VIEW_LABELS,
    ReasonForm,
    RunFilterForm,
    StartForm,
    StepDecisionForm,
)
from crm.models import Run
from crm.roles import READERS, may_write, reads_texts
from crm.selectors import get_customer
from crm.selectors.actors import names_of_actors
from crm.selectors.identity import records_of
from crm.selectors.playbooks import get_playbook, list_playbooks
from crm.selectors.runs import get_run, list_runs, progress_of, steps_of
from crm.services.run_steps import complete_run, do_step, give_up_run, skip_step, take_run
from crm.services.runs import start_run
from crm.views.tabs import show_tab

MOST_AT_ONCE = 100


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def standard_start(request: HttpRequest, ref: str) -> HttpResponse:
    """Start a standard for a customer by hand."""
    playbook = get_playbook(ref)
    form = StartForm(
        request.POST or None,
        initial={"customer": request.GET.get("customer", "")[:254], "owner": request.user.pk},
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            run = start_run(
                playbook_id=playbook.pk,
                customer_id=data["customer"].pk,
                owner_id=data["owner"].pk if data["owner"] else None,
                location_id=data["location"].pk if data["location"] else None,
                happened_at=now(),
                actor=actor_of(request),
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("%(name)s is started.") % {"name": playbook.name})
            return redirect("crm:standard_run", ref=run.ref)
    context = {"playbook": playbook, "form": form}
    status = 422 if form.is_bound else 200
    return render(request, "crm/standard_start.html", context, status=status)


@require_safe
@roles_required(read=READERS)
def run_list(request: HttpRequest) -> HttpResponse:
    """Standards under way, due first; or the ones that ended, newest first."""
    form = RunFilterForm(request.GET)
    asked = form.values
    view = asked["view"] or ("mine" if may_write(request.user) else "open")
    happened_at = now()
    page = keyset_page(
        list_runs(
            view=view,
            user_id=request.user.pk,
            playbook_id=asked["standard"].pk if asked["standard"] else None,
            location_id=asked["shop"].pk if asked["shop"] else None,
            now=happened_at,
        ).filter(customer__erased_at__isnull=True),
        order=["-ended_at", "-id"] if view == "ended" else ["next_due_at", "id"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "form": form,
        "view": view,
        "views": VIEW_LABELS.items(),
        "rows": run_rows(page.rows),
        "now": happened_at,
        "may_write": may_write(request.user) and view != "ended",
        **page.urls(request),
    }
    return render(request, "crm/standard_runs.html", context)


@require_POST
@roles_required(read=WRITERS)
def runs_complete(request: HttpRequest) -> HttpResponse:
    """Complete several runs; the ones that can't be completed stay, and it says why."""
    form = ReasonForm(request.POST)
    refs = request.POST.getlist("run")[:MOST_AT_ONCE]
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    completed, refused = 0, []
    for run in Run.objects.filter(ref__in=refs).select_related("customer").order_by("pk"):
        try:
            complete_run(
                run_id=run.pk,
                happened_at=now(),
                actor=actor_of(request),
                role=_role(request),
                reason=reason,
            )
        except DomainError as error:
            refused.append(f"{run.customer}: {_first(error)}")
        else:
            completed += 1
    if completed:
        text = ngettext("%(count)s completed.", "%(count)s completed.", completed)
        messages.success(request, text % {"count": completed})
    if refused:
        messages.error(request, _("Not completed: %(why)s") % {"why": "; ".join(refused[:5])})
    if not refs:
        messages.info(request, _("Choose at least one."))
    return redirect("crm:standard_runs")


@require_safe
@roles_required(read=READERS)
def run_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One run: its steps in order, who did what, what is to do."""
    return _show(request, get_run(ref))


@require_POST
@roles_required(read=WRITERS)
def run_step(request: HttpRequest, ref: str, position: int) -> HttpResponse:
    """Do a step, or skip it for a reason."""
    run = get_run(ref)
    form = StepDecisionForm(request.POST)
    if not form.is_valid():
        return _show(request, run, {position: _first_of(form)})
    text = form.cleaned_data["text"]
    is_done = form.cleaned_data["decision"] == "done"
    step: dict[str, Any] = {
        "run_id": run.pk,
        "position": position,
        "happened_at": now(),
        "actor": actor_of(request),
        "role": _role(request),
    }
    try:
        if is_done:
            do_step(text=text, **step)
        else:
            skip_step(reason=text, **step)
    except (DomainError, ValidationError) as error:
        return _show(request, run, {position: _first(error)}, {position: text})
    told = _("Step %(number)s is done.") if is_done else _("Step %(number)s is skipped.")
    offer_undo(
        request,
        told % {"number": position},
        "standards.step",
        run_id=run.pk,
        position=position,
    )
    return redirect("crm:standard_run", ref=run.ref)


@require_POST
@roles_required(read=WRITERS)
def run_complete(request: HttpRequest, ref: str) -> HttpResponse:
    """Complete a run; optional steps still open are skipped for one reason."""
    run = get_run(ref)
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        complete_run(
            run_id=run.pk,
            happened_at=now(),
            actor=actor_of(request),
            role=_role(request),
            reason=reason,
        )
    except (DomainError, ValidationError) as error:
        return _show(request, run, {"complete": _first(error)}, {"complete": reason})
    messages.success(request, _("Completed."))
    return redirect("crm:standard_run", ref=run.ref)


@require_POST
@roles_required(read=WRITERS)
def run_give_up(request: HttpRequest, ref: str) -> HttpResponse:
    """Give a run up for a reason."""
    run = get_run(ref)
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        give_up_run(run_id=run.pk, reason=reason, happened_at=now(), actor=actor_of(request))
    except (DomainError, ValidationError) as error:
        return _show(request, run, {"give_up": _first(error)}, {"give_up": reason})
    messages.success(request, _("Given up. What was done stays recorded."))
    return redirect("crm:standard_run", ref=run.ref)


@require_POST
@roles_required(read=WRITERS)
def run_take(request: HttpRequest, ref: str) -> HttpResponse:
    """Follow a run oneself."""
    run = get_run(ref)
    try:
        take_run(run_id=run.pk, user_id=request.user.pk, happened_at=now(), actor=actor_of(request))
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("You follow it now."))
    return redirect("crm:standard_run", ref=run.ref)


@require_safe
@roles_required(read=READERS)
def customer_standards(request: HttpRequest, ref: str) -> HttpResponse:
    """The tab of a customer's page: what is and was followed for them, and what can be started."""
    customer = get_customer(ref)
    records = records_of(customer.person_id or customer.pk)
    page = keyset_page(
        list_runs(view="", customer_ids=records),
        order=["-started_at", "-id"],
        cursor=request.GET.get("cursor", ""),
        size=25,
    )
    startable = list_playbooks(active_only=True) if may_write(request.user) else []
    context = {
        "rows": run_rows(page.rows),
        "playbooks": sorted(startable, key=lambda one: one.name.casefold()),
        "now": now(),
        **page.urls(request),
    }
    template = "crm/parts/customer_standards.html"
    return show_tab(request, customer, "standards", template, context)


def run_rows(runs: list[Run]) -> list[dict[str, Any]]:
    """Return runs with how far each is, for the templates; one query."""
    progress = progress_of(runs)
    return [{"run": run, **progress[run.pk]} for run in runs]


def _show(
    request: HttpRequest,
    run: Run,
    errors: dict[Any, str] | None = None,
    typed: dict[Any, str] | None = None,
) -> HttpResponse:
    """The page of a run; errors and what was typed by step, or by the form's name."""
    happened_at = now()
    errors, typed = errors or {}, typed or {}
    steps = steps_of(run, role=_role(request), now=happened_at)
    names = names_of_actors({run.started_by, run.ended_by, *(one.result.actor for one in steps)})
    rows: list[dict[str, Any]] = [
        {
            "is_next": False,
            "one": one,
            "actor": names.get(one.result.actor, ""),
            "error": errors.get(one.step.position, ""),
            "typed": typed.get(one.step.position, ""),
        }
        for one in steps
    ]
    for row in rows:
        if row["one"].is_open and row["one"].may_do:
            row["is_next"] = True
            break
    still_open = [one for one in steps if one.is_open]
    context = {
        "run": run,
        "rows": rows,
        "done": sum(one.result.state == "done" for one in steps),
        "still_open": still_open,
        "required_open": [one for one in still_open if one.step.is_required],
        "errors": errors,
        "typed": typed,
        "starter": names.get(run.started_by, ""),
        "ender": names.get(run.ended_by, ""),
        "now": happened_at,
        "may_write": may_write(request.user),
        "reads_texts": reads_texts(request.user),
    }
    return render(request, "crm/standard_run.html", context, status=422 if errors else 200)


def _role(request: HttpRequest) -> str:
    return str(getattr(request.user, "role", ""))


def _first(error: DomainError | ValidationError) -> str:
    """What was refused, in one sentence."""
    if isinstance(error, ValidationError):
        return str(error.messages[0])
    return next((texts[0] for texts in error.fields.values() if texts), str(error))


def _first_of(form: StepDecisionForm) -> str:
    return str(
        next(iter(form.errors.get("text", [_("Nothing was saved: that can't be done here.")])))
    )
