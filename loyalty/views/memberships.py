"""Freezing, opening again and closing a membership; its card, its tier, its code for friends."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.permissions import MANAGERS, WRITERS, roles_required
from common.errors import DomainError, NotFound
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from crm.selectors import get_customer
from loyalty.forms.members import TierGrantForm
from loyalty.selectors.memberships import closing_of
from loyalty.services.memberships import (
    close_membership,
    freeze_membership,
    reissue_card,
    thaw_membership,
)
from loyalty.services.referrals import referral_code_of
from loyalty.services.tiers import grant_tier
from loyalty.views.members import member_account


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def member_freeze(request: HttpRequest, ref: str) -> HttpResponse:
    """Freeze an open membership or open a frozen one again, after asking."""
    customer = get_customer(ref)
    closing = closing_of(customer.pk, now())
    if closing is None:
        raise NotFound
    is_frozen = closing.membership.status == closing.membership.Status.FROZEN
    if request.method == "POST":
        change = thaw_membership if is_frozen else freeze_membership
        try:
            change(customer_id=customer.pk, happened_at=now(), actor=actor_of(request))
        except DomainError as error:
            messages.error(request, str(error))
        else:
            done = (
                _("The membership is open again.") if is_frozen else _("The membership is frozen.")
            )
            messages.success(request, done)
        return redirect("loyalty:member", ref)
    context = {"customer": customer, "is_frozen": is_frozen}
    return render(request, "loyalty/member_freeze.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def member_close(request: HttpRequest, ref: str) -> HttpResponse:
    """Close a membership for good, after showing what it takes."""
    customer = get_customer(ref)
    closing = closing_of(customer.pk, now())
    if closing is None:
        raise NotFound
    if request.method == "POST":
        shown = request.POST.get("points", "")
        try:
            close_membership(
                customer_id=customer.pk,
                points=int(shown) if shown.isascii() and shown.isdecimal() else -1,
                happened_at=now(),
                actor=actor_of(request),
            )
        except DomainError as error:
            messages.error(request, str(error))
            return redirect("loyalty:member_close", ref)
        messages.success(request, _("The membership is closed."))
        return redirect("loyalty:member", ref)
    context: dict[str, Any] = {"customer": customer, "closing": closing}
    return render(request, "loyalty/member_close.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def member_card(request: HttpRequest, ref: str) -> HttpResponse:
    """Give a new card number in place of a lost one, after asking."""
    customer = get_customer(ref)
    closing = closing_of(customer.pk, now())
    if closing is None:
        raise NotFound
    if request.method == "POST":
        try:
            membership = reissue_card(
                customer_id=customer.pk,
                old_number=request.POST.get("old_number", "")[:20],
                happened_at=now(),
                actor=actor_of(request),
            )
        except DomainError as error:
            messages.error(request, str(error))
        else:
            text = _("The new card number is %(number)s.")
            messages.success(request, text % {"number": membership.card_number})
        return redirect("loyalty:member", ref)
    context = {"customer": customer, "membership": closing.membership}
    return render(request, "loyalty/member_card.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def member_grant(request: HttpRequest, ref: str) -> HttpResponse:
    """Give a member a tier by hand, or end that."""
    account = member_account(ref)
    customer = account.membership.customer
    form = TierGrantForm(
        request.POST if request.method == "POST" else None, programme=account.membership.programme
    )
    if request.method == "POST" and form.is_valid():
        try:
            grant_tier(
                customer_id=customer.pk,
                happened_at=now(),
                actor=actor_of(request),
                author_id=request.user.pk,
                **form.content(),
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The tier is changed."))
            return redirect("loyalty:member", ref)
    context = {"customer": customer, "form": form}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "loyalty/member_grant.html", context, status=status)


@require_POST
@roles_required(read=WRITERS)
def member_code(request: HttpRequest, ref: str) -> HttpResponse:
    """Make the code that a member gives to friends."""
    referral_code_of(membership_id=member_account(ref).membership_id)
    return redirect(f"{reverse('loyalty:member', args=[ref])}?show=friends")
