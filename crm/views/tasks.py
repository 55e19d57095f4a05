"""Tasks: the lists, one task, and what is done with it."""

from __future__ import annotations

from typing import Any, get_args

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of, own_page
from common.time import now
from common.undo import offer_undo
from crm.forms.refusals import show_refusal
from crm.forms.tasks import (
    BulkForm,
    FinishForm,
    MoveForm,
    TaskFilterForm,
    TaskForm,
    in_days,
    widget_time,
)
from crm.models import Task
from crm.roles import READERS, WRITERS, may_write, reads_texts
from crm.selectors.search import find_customers
from crm.selectors.tasks import (
    Scope,
    get_task,
    list_tasks,
    locations_of,
    names_of,
    order_of,
    task_ids_of,
)
from crm.services import (
    assign_tasks,
    finish_tasks,
    move_tasks,
    open_task,
    reopen_tasks,
    update_task,
)
from crm.services.task_moves import take_next
from crm.views.notifications import PAGES

SCOPES = {
    "mine": gettext_lazy("Mine"),
    "team": gettext_lazy("My team's"),
    "unassigned": gettext_lazy("Nobody's"),
    "overdue": gettext_lazy("Overdue"),
    "done": gettext_lazy("Done"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=READERS, write=WRITERS)
def task_list(request: HttpRequest) -> HttpResponse:
    """What is to be done, the soonest first; or what was done, the latest first.

    A POST finishes, gives away or puts off the ticked ones.
    """
    if request.method != "POST":
        return _show_list(request, BulkForm())
    form = BulkForm(request.POST)
    if not form.is_valid():
        return _show_list(request, form, status=422)
    try:
        _change_ticked(request, form)
    except DomainError as error:
        messages.error(request, _("Nothing was changed: %(why)s") % {"why": error})
    return redirect(request.get_full_path())


def _change_ticked(request: HttpRequest, form: BulkForm) -> None:
    data = form.cleaned_data
    ids = task_ids_of(form.refs)
    at: dict[str, Any] = {"happened_at": now(), "actor": actor_of(request)}
    if data["what"] == "done":
        finish_tasks(task_ids=ids, **at)
        text = ngettext("%(count)s task is done.", "%(count)s tasks are done.", len(ids))
        offer_undo(request, text % {"count": len(ids)}, "tasks.finished", task_ids=ids)
    elif data["what"] == "assign":
        to = data["assignee"].pk if data["assignee"] else None
        given = assign_tasks(task_ids=ids, assignee_id=to, **at)
        text = ngettext(
            "%(count)s task was given away.", "%(count)s tasks were given away.", len(given)
        )
        text %= {"count": len(given)}
        offer_undo(request, text, "tasks.assigned", before=given, to=to)
    else:
        moved = move_tasks(task_ids=ids, due_at=data["due_at"], **at)
        text = ngettext("%(count)s task was put off.", "%(count)s tasks were put off.", len(moved))
        text %= {"count": len(moved)}
        offer_undo(request, text, "tasks.moved", before=moved, to=data["due_at"])


def _show_list(request: HttpRequest, bulk: BulkForm, *, status: int = 200) -> HttpResponse:
    scope = _scope(request)
    form = TaskFilterForm(request.GET)
    asked, moment = form.values, now()
    tasks = list_tasks(
        scope=scope,
        user_id=request.user.pk,
        location_ids=locations_of(request.user.pk or 0) if scope in ("team", "unassigned") else (),
        now=moment,
        assignee_id=asked["assignee"].pk if asked["assignee"] and scope != "mine" else None,
        origin=asked["origin"] or "",
        location_id=asked["shop"].pk if asked["shop"] else None,
    )
    page = keyset_page(tasks, order=order_of(scope), cursor=request.GET.get("cursor", ""))
    context = {
        "scope": scope,
        "scopes": SCOPES,
        "form": form,
        "bulk": bulk,
        "tasks": page.rows,
        "names": names_of({task.created_by for task in page.rows}),
        "now": moment,
        "may_write": may_write(request.user),
        "reads_texts": reads_texts(request.user),
        "here": request.get_full_path(),
        **page.urls(request),
    }
    return render(request, "crm/task_list.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def task_new(request: HttpRequest) -> HttpResponse:
    """Ask for something to be done."""
    initial = {
        "customer": request.GET.get("customer", "")[:254],
        "due_at": widget_time(in_days(1)),
        "assignee": getattr(request.user, "email", None),
    }
    form = TaskForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            task = open_task(happened_at=now(), actor=actor_of(request), **form.values())
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The task is set."))
            return redirect(_next(request) or f"/tasks/{task.ref}/")
    asked_for = find_customers(request.GET.get("customer", ""))
    context = {
        "form": form,
        "next": _next(request),
        "customer": asked_for[0] if len(asked_for) == 1 else None,
    }
    return render(request, "crm/task_form.html", context, status=422 if form.is_bound else 200)


@require_safe
@roles_required(read=READERS)
def task_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One task."""
    return _show_task(request, get_task(ref))


def _show_task(
    request: HttpRequest, task: Task, *, status: int = 200, **forms: Any
) -> HttpResponse:
    context = {
        "task": task,
        "subject_url": _subject_url(task),
        "names": names_of({task.created_by, task.finished_by}),
        "now": now(),
        "finish_form": FinishForm(),
        "move_form": MoveForm(),
        "may_write": may_write(request.user),
        "reads_texts": reads_texts(request.user),
        **forms,
    }
    return render(request, "crm/task.html", context, status=status)


def _subject_url(task: Task) -> str:
    """Where the task came from, if that has a page of its own; the customer is shown anyway."""
    kind, ref = task.subject_kind, task.subject_ref
    if task.interaction:
        kind, ref = "conversation", task.interaction.conversation.ref
    if kind == "customer" or kind not in PAGES:
        return ""
    return reverse(PAGES[kind], args=[ref])


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def task_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change what is to be done."""
    task = get_task(ref)
    form = TaskForm(request.POST or None, task=task)
    if request.method == "POST" and form.is_valid():
        try:
            update_task(
                task_id=task.pk, happened_at=now(), actor=actor_of(request), **form.values()
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("crm:task", ref=ref)
    context = {"form": form, "task": task, "customer": task.customer}
    return render(request, "crm/task_form.html", context, status=422 if form.is_bound else 200)


@require_POST
@roles_required(read=WRITERS)
def task_finish(request: HttpRequest, ref: str) -> HttpResponse:
    """Say that it is done, or not needed."""
    task = get_task(ref)
    form = FinishForm(request.POST)
    if not form.is_valid():
        return _show_task(request, task, status=422, finish_form=form)
    try:
        finish_tasks(
            task_ids=[task.pk],
            happened_at=now(),
            actor=actor_of(request),
            result=form.cleaned_data["result"],
            is_needed=form.is_needed,
        )
    except DomainError as error:
        messages.error(request, _("Nothing was changed: %(why)s") % {"why": error})
        if task.origin == Task.Origin.STANDARD:  # what the step asks for is done there
            return redirect(_subject_url(task) or f"/tasks/{ref}/")
    else:
        done = _("The task is done.") if form.is_needed else _("The task is not needed any more.")
        offer_undo(request, done, "tasks.finished", task_ids=[task.pk])
    return redirect(_next(request) or f"/tasks/{ref}/")


@require_POST
@roles_required(read=WRITERS)
def task_reopen(request: HttpRequest, ref: str) -> HttpResponse:
    """It is to be done after all."""
    task = get_task(ref)
    try:
        reopen_tasks(task_ids=[task.pk], happened_at=now(), actor=actor_of(request))
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The task is to be done after all."))
    return redirect("crm:task", ref=ref)


@require_POST
@roles_required(read=WRITERS)
def task_take(request: HttpRequest, ref: str) -> HttpResponse:
    """Take a task oneself."""
    task = get_task(ref)
    try:
        before = assign_tasks(
            task_ids=[task.pk],
            assignee_id=request.user.pk,
            happened_at=now(),
            actor=actor_of(request),
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        given = {"before": before, "to": request.user.pk}
        offer_undo(request, _("The task is yours."), "tasks.assigned", **given)
    return redirect(_next(request) or f"/tasks/{ref}/")


@require_POST
@roles_required(read=WRITERS)
def task_move(request: HttpRequest, ref: str) -> HttpResponse:
    """Put a task off, or bring it forward."""
    task = get_task(ref)
    form = MoveForm(request.POST)
    if not form.is_valid():
        return _show_task(request, task, status=422, move_form=form)
    due_at = form.moved_to(task)
    try:
        before = move_tasks(
            task_ids=[task.pk], due_at=due_at, happened_at=now(), actor=actor_of(request)
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        offer_undo(
            request, _("The task is due at another time."), "tasks.moved", before=before, to=due_at
        )
    return redirect("crm:task", ref=ref)


@require_POST
@roles_required(read=WRITERS)
def task_next(request: HttpRequest) -> HttpResponse:
    """Open what the user does next; something nobody had becomes theirs."""
    user_id = request.user.pk or 0
    task = take_next(
        user_id=user_id,
        happened_at=now(),
        actor=actor_of(request),
        location_ids=locations_of(user_id),
    )
    if task is None:
        messages.info(request, _("There is nothing to do."))
        return redirect("crm:task_list")
    return redirect("crm:task", ref=task.ref)


def _scope(request: HttpRequest) -> Scope:
    asked = request.GET.get("show", "mine")
    return asked if asked in SCOPES and asked in get_args(Scope) else "mine"  # type: ignore[return-value]


def _next(request: HttpRequest) -> str:
    """The page to return to, if it is one of ours."""
    return own_page(request.POST.get("next") or request.GET.get("next", ""))
