"""Tiers: the ladder, adding, changing, removing, and where one member stands."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError, NotFound
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from crm.roles import may_write
from crm.selectors import get_customer
from loyalty.forms.tiers import TierForm
from loyalty.models import Programme, Tier
from loyalty.selectors import conditions_of, find_programme
from loyalty.selectors.tiers import (
    describe_tier,
    find_tier,
    list_tiers,
    members_by_tier,
    standing_of_member,
)
from loyalty.services.tiers import add_tier, change_tier, remove_tier
from loyalty.views.sections import loyalty_sections


@require_safe
@roles_required(read=STAFF_ROLES)
def tiers(request: HttpRequest) -> HttpResponse:
    """The tiers from the lowest up, and how many members each has."""
    programme = find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    terms = conditions_of(programme, now())
    members = members_by_tier()
    context = {
        "rows": [
            {
                "tier": tier,
                "takes": describe_tier(tier, terms, programme.currency),
                "members": members.get(tier.pk, 0),
            }
            for tier in list_tiers()
        ],
        "may_manage": may_write(request.user, MANAGERS),
        "sections": loyalty_sections(request, "tiers"),
    }
    return render(request, "loyalty/tiers.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def tier_new(request: HttpRequest) -> HttpResponse:
    """Add a tier."""
    programme = find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    form = _form(request, programme, None)
    if request.method == "POST" and form.is_valid():
        try:
            add_tier(happened_at=now(), actor=actor_of(request), **form.content())
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The tier is added."))
            return redirect("loyalty:tiers")
    return _page(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def tier_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change a tier."""
    found = _tier(ref)
    form = _form(request, found.programme, found)
    if request.method == "POST" and form.is_valid():
        try:
            change_tier(
                tier_id=found.pk, happened_at=now(), actor=actor_of(request), **form.content()
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The tier is changed."))
            return redirect("loyalty:tiers")
    return _page(request, form, found)


@require_POST
@roles_required(read=MANAGERS)
def tier_remove(request: HttpRequest, ref: str) -> HttpResponse:
    """Remove a tier that nobody was ever in."""
    found = _tier(ref)
    try:
        remove_tier(tier_id=found.pk, happened_at=now(), actor=actor_of(request))
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("loyalty:tier_edit", found.ref)
    messages.success(request, _("The tier is removed."))
    return redirect("loyalty:tiers")


@require_safe
@roles_required(read=STAFF_ROLES)
def member_tier(request: HttpRequest, ref: str) -> HttpResponse:
    """Fragment: where a member stands, and what is missing to the next tier."""
    customer = get_customer(ref)
    context = {"standing": standing_of_member(customer.pk, now())}
    return render(request, "loyalty/parts/member_tier.html", context)


def _tier(ref: str) -> Tier:
    found = find_tier(ref)
    if found is None:
        raise NotFound
    return found


def _form(request: HttpRequest, programme: Programme, found: Tier | None) -> TierForm:
    return TierForm(
        request.POST if request.method == "POST" else None,
        terms=conditions_of(programme, now()),
        currency=programme.currency,
        tier=found,
    )


def _page(request: HttpRequest, form: TierForm, found: Tier | None) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "tier": found}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "loyalty/tier_form.html", context, status=status)
