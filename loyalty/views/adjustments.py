"""Adjustments: what waits for approval, what one asked for, the review, what looks odd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import MANAGERS, WRITERS, roles_required
from common.errors import DomainError, NotFound
from common.keyset import keyset_page
from common.requests import own_page
from common.time import now
from crm.forms.refusals import show_refusal
from crm.roles import may_write, reads_texts
from loyalty.forms.adjustments import AdjustmentForm
from loyalty.models import Adjustment
from loyalty.selectors import find_programme
from loyalty.selectors.adjustments import (
    adjustments_to_decide,
    adjustments_to_review,
    find_adjustment,
    limit_of,
    list_adjustments,
)
from loyalty.selectors.anomalies import list_anomalies
from loyalty.services.adjustments import (
    approve_adjustment,
    refuse_adjustment,
    request_adjustment,
    review_adjustment,
    withdraw_adjustment,
)
from loyalty.views.members import adjustment_row, member_account
from loyalty.views.sections import loyalty_sections

PAGE_SIZE = 25
WAITING, MINE, REVIEW, ALL = "", "mine", "review", "all"


@require_safe
@roles_required(read=STAFF_ROLES)
def adjustments(request: HttpRequest) -> HttpResponse:
    """What waits for approval; what I asked for; booked alone; everything."""
    if find_programme() is None:
        return redirect("loyalty:programme")
    may_manage = may_write(request.user, MANAGERS)
    tabs = [(WAITING, _("To approve")), (MINE, _("Mine")), (ALL, _("All"))]
    if may_manage:
        tabs.insert(2, (REVIEW, _("Booked alone")))
    show = request.GET.get("show", WAITING)
    show = show if show in dict(tabs) else WAITING
    rows, order = _rows(show, request.user)
    page = keyset_page(rows, order=order, cursor=request.GET.get("cursor", ""), size=PAGE_SIZE)
    context = {
        "rows": [adjustment_row(one, request.user) for one in page.rows],
        "show": show,
        "tabs": tabs,
        "may_manage": may_manage,
        "reads_texts": reads_texts(request.user),
        "sections": loyalty_sections(request, "adjustments"),
        **page.urls(request),
    }
    return render(request, "loyalty/adjustments.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def adjustment_new(request: HttpRequest, ref: str) -> HttpResponse:
    """Ask for points to be given to or taken from a member."""
    account = member_account(ref)
    customer = account.membership.customer
    user: Any = request.user
    form = AdjustmentForm(
        request.POST if request.method == "POST" else None, limit=limit_of(user, now())
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = request_adjustment(
                customer_id=customer.pk,
                author_id=user.pk,
                source_key=f"user:{user.pk}:{form.cleaned_data['token']}",
                happened_at=now(),
                **form.content(),
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            is_booked = made.status == Adjustment.Status.APPROVED
            text = _("Booked.") if is_booked else _("Asked for; somebody else has to approve it.")
            messages.success(request, text)
            return redirect("loyalty:member", ref)
    context = {"form": form, "customer": customer}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "loyalty/adjustment_form.html", context, status=status)


@require_POST
@roles_required(read=WRITERS)
def adjustment_decide(request: HttpRequest, ref: str) -> HttpResponse:
    """Approve or refuse a request, or withdraw one's own."""
    found = _adjustment(ref)
    user: Any = request.user
    do = request.POST.get("do", "")
    note = request.POST.get("note", "")[:2_000]
    steps: dict[str, tuple[Callable[[], Adjustment], str]] = {
        "approve": (
            lambda: approve_adjustment(
                adjustment_id=found.pk, approver_id=user.pk, happened_at=now(), note=note
            ),
            _("Booked."),
        ),
        "refuse": (
            lambda: refuse_adjustment(
                adjustment_id=found.pk, approver_id=user.pk, happened_at=now(), note=note
            ),
            _("Refused."),
        ),
        "withdraw": (
            lambda: withdraw_adjustment(
                adjustment_id=found.pk, author_id=user.pk, happened_at=now()
            ),
            _("Withdrawn."),
        ),
    }
    if do not in steps:
        messages.error(request, _("Nothing was changed: choose what to do."))
        return _back(request)
    decide, done = steps[do]
    try:
        decide()
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return _back(request)


@require_POST
@roles_required(read=MANAGERS)
def adjustment_reviewed(request: HttpRequest, ref: str) -> HttpResponse:
    """Note that somebody looked at what was booked alone."""
    found = _adjustment(ref)
    try:
        review_adjustment(
            adjustment_id=found.pk,
            reviewer_id=request.user.pk or 0,
            happened_at=now(),
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Reviewed."))
    return _back(request)


@require_safe
@roles_required(read=MANAGERS)
def anomalies(request: HttpRequest) -> HttpResponse:
    """What deserves a look: much at once, much by hand, colleagues serving themselves."""
    context = {
        "anomalies": list_anomalies(now()),
        "sections": loyalty_sections(request, "adjustments"),
    }
    return render(request, "loyalty/anomalies.html", context)


def _adjustment(ref: str) -> Adjustment:
    found = find_adjustment(ref)
    if found is None:
        raise NotFound
    return found


def _rows(show: str, user: Any) -> tuple[QuerySet[Adjustment], list[str]]:
    """Return which adjustments are shown, and in which order."""
    if show == MINE:
        return list_adjustments().filter(author=user), ["-id"]
    if show == REVIEW:
        return adjustments_to_review(), ["id"]
    if show == ALL:
        return list_adjustments(), ["-id"]
    return adjustments_to_decide(), ["requested_at", "id"]


def _back(request: HttpRequest) -> HttpResponse:
    """Return to where the button stood, if that is one of our pages."""
    return redirect(own_page(request.POST.get("next", "")) or "loyalty:adjustments")
