"""Requests to leave: the list, one of them, opening and deciding; the list of reasons."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from common.undo import offer_undo
from crm.forms.leaving import (
    CancelRequestFilterForm,
    CancelRequestForm,
    OutcomeForm,
    ReasonForm,
    RequestOfferForm,
)
from crm.forms.refusals import show_refusal
from crm.roles import READERS, REASON_WRITERS, WRITERS, may_write, reads_texts
from crm.selectors.cancel_requests import (
    MATURE_AFTER,
    get_cancel_request,
    get_reason,
    list_cancel_requests,
    list_reasons,
    reason_name,
)
from crm.services.cancel_reasons import record_reason, update_reason
from crm.services.cancel_requests import add_offer, decide_cancel_request, open_cancel_request
from crm.views.sections import leaving_sections


@require_safe
@roles_required(read=READERS)
def cancel_request_list(request: HttpRequest) -> HttpResponse:
    """Requests, newest first; those due for a decision oldest first."""
    form = CancelRequestFilterForm(request.GET)
    outcome, reason = form.values["outcome"] or "", form.values["reason"]
    is_due = outcome == "due"
    at = now()
    page = keyset_page(
        list_cancel_requests(
            outcome="" if is_due else outcome,
            reason_id=reason.pk if reason else None,
            due_at=at if is_due else None,
        ),
        order=["requested_at", "id"] if is_due else ["-requested_at", "-id"],
        cursor=request.GET.get("cursor", ""),
    )
    due = list_cancel_requests(due_at=at).values_list("pk")[:100]
    context = {
        "form": form,
        "requests": [_row(row, at) for row in page.rows],
        "due": len(due),
        "is_due": is_due,
        "may_write": may_write(request.user),
        "sections": leaving_sections(request, "cancel_request_list"),
        **page.urls(request),
    }
    return render(request, "crm/cancel_request_list.html", context)


@require_safe
@roles_required(read=READERS)
def cancel_request_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One request: why, what was offered, what came of it."""
    return _show(request, ref, RequestOfferForm())


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def cancel_request_new(request: HttpRequest) -> HttpResponse:
    """Take down that a customer wants to leave."""
    form = CancelRequestForm(
        request.POST or None, initial={"customer": request.GET.get("customer", "")[:254]}
    )
    if request.method == "POST" and form.is_valid():
        try:
            opened = open_cancel_request(
                happened_at=now(), actor=actor_of(request), **form.values()
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The request is recorded."))
            return redirect("crm:cancel_request", ref=opened.ref)
    return render(
        request,
        "crm/cancel_request_form.html",
        {"form": form},
        status=422 if form.is_bound else 200,
    )


@require_POST
@roles_required(read=WRITERS)
def cancel_request_offer(request: HttpRequest, ref: str) -> HttpResponse:
    """Offer something to somebody who asked to leave."""
    found = get_cancel_request(ref)
    form = RequestOfferForm(request.POST)
    if form.is_valid():
        at = now()
        try:
            add_offer(
                request_id=found.pk,
                made_at=max(at, found.requested_at),
                happened_at=at,
                actor=actor_of(request),
                **form.offer_values(),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The offer is recorded."))
            return redirect("crm:cancel_request", ref=found.ref)
    return _show(request, ref, form, status=422)


@require_POST
@roles_required(read=WRITERS)
def cancel_request_decide(request: HttpRequest, ref: str) -> HttpResponse:
    """Record whether they stayed; it can be taken back."""
    found = get_cancel_request(ref)
    form = OutcomeForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was saved: there is no such outcome."))
        return redirect("crm:cancel_request", ref=found.ref)
    at, before = now(), found.outcome
    decide_cancel_request(
        request_id=found.pk,
        outcome=form.cleaned_data["outcome"],
        decided_at=max(at, found.requested_at),
        happened_at=at,
        actor=actor_of(request),
    )
    offer_undo(
        request,
        _("The outcome is recorded."),
        "cancel_request.decided",
        request_id=found.pk,
        outcome=before,
    )
    return redirect("crm:cancel_request", ref=found.ref)


@require_safe
@roles_required(read=REASON_WRITERS)
def cancel_reason_list(request: HttpRequest) -> HttpResponse:
    """The business's own list of reasons."""
    context = {
        "reasons": [
            {"row": reason, "name": reason_name(reason)}
            for reason in list_reasons(with_archived=True)
        ],
        "sections": leaving_sections(request, "cancel_reason_list"),
    }
    return render(request, "crm/cancel_reason_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=REASON_WRITERS)
def cancel_reason_new(request: HttpRequest) -> HttpResponse:
    """Add a reason."""
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            record_reason(
                code=form.cleaned_data["code"],
                names=form.names(),
                position=form.cleaned_data["position"],
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The reason is on the list."))
            return redirect("crm:cancel_reason_list")
    return _reason_page(request, form, {})


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=REASON_WRITERS)
def cancel_reason_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Rename a reason, move it, or take it off the list."""
    reason = get_reason(code)
    initial: dict[str, Any] = {
        f"name_{language.replace('-', '_')}": name for language, name in reason.names.items()
    }
    initial |= {
        "code": reason.code,
        "position": reason.position,
        "is_archived": reason.archived_at is not None,
    }
    form = ReasonForm(request.POST or None, initial=initial, is_known=True)
    if request.method == "POST" and form.is_valid():
        try:
            update_reason(
                reason_id=reason.pk,
                names=form.names(),
                position=form.cleaned_data["position"],
                is_archived=form.cleaned_data["is_archived"],
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("crm:cancel_reason_list")
    return _reason_page(request, form, {"reason": reason, "name": reason_name(reason)})


def _show(
    request: HttpRequest, ref: str, form: RequestOfferForm, status: int = 200
) -> HttpResponse:
    found = get_cancel_request(ref)
    context = {
        **_row(found, now()),
        "decisions": found.decisions.order_by("-id")[:20],
        "form": form,
        "may_write": may_write(request.user),
        "reads_texts": reads_texts(request.user),
    }
    return render(request, "crm/cancel_request.html", context, status=status)


def _row(found: Any, at: Any) -> dict[str, Any]:
    """Return a request with its reason's name, when it matures, and whether that has come."""
    matures_at = found.requested_at + MATURE_AFTER
    return {
        "row": found,
        "reason": reason_name(found.reason),
        "matures_at": matures_at,
        "is_mature": matures_at <= at,
    }


def _reason_page(request: HttpRequest, form: ReasonForm, context: dict[str, Any]) -> HttpResponse:
    status = 422 if form.is_bound else 200
    return render(request, "crm/cancel_reason_form.html", {"form": form} | context, status=status)
