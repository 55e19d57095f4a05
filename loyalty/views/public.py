"""What everybody may read of the programme, and a customer's own points."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import PORTAL, roles_required
from common.errors import NotFound
from common.keyset import keyset_page
from common.time import now
from crm.models import Customer
from crm.selectors import find_customer_of_user
from crm.views.tabs import is_fragment
from loyalty import selectors
from loyalty.models import Programme
from loyalty.selectors.rewards import (
    Offer,
    best_offer,
    describe_reward,
    list_rewards,
    next_offer,
    offers_for,
)
from loyalty.selectors.tiers import standing_of_member
from loyalty.selectors.wording import describe_terms, worked_examples

PAGE_SIZE = 25


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    """The public terms."""
    found = selectors.find_programme()
    context: dict[str, Any] = {"programme": found}
    if found is not None:
        context |= {**public_terms(found), "rewards": _offered()}
    return render(request, "loyalty/terms.html", context)


@require_safe
@roles_required(read=PORTAL)
def my_points(request: HttpRequest) -> HttpResponse:
    """A customer's own points history."""
    customer = _own(request)
    page = keyset_page(
        selectors.transactions_of(customer.pk),
        order=["-id"],
        cursor=request.GET.get("cursor", ""),
        size=PAGE_SIZE,
    )
    context = {"now": now(), "transactions": page.rows, **page.urls(request)}
    return render(request, "loyalty/my_points.html", context)


@require_safe
@roles_required(read=PORTAL)
def my_tier(request: HttpRequest) -> HttpResponse:
    """A customer's own tier, and what is missing to the next; alone for htmx, else a page."""
    customer = _own(request)
    context = {"standing": standing_of_member(customer.pk, now())}
    return _part(request, "loyalty/parts/my_tier.html", context)


@require_safe
@roles_required(read=PORTAL)
def my_rewards(request: HttpRequest) -> HttpResponse:
    """What a customer can have now, and what is within reach; alone for htmx, else a page."""
    customer = _own(request)
    offers = offers_for(customer.pk, now())
    context = {"best": _told(best_offer(offers)), "next": _told(next_offer(offers))}
    return _part(request, "loyalty/parts/my_rewards.html", context)


def _own(request: HttpRequest) -> Customer:
    customer = find_customer_of_user(request.user)
    if customer is None:
        raise NotFound
    return customer


def _part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    if is_fragment(request):
        return render(request, template, context)
    return render(request, "loyalty/my_part.html", context | {"part": template})


def _told(offer: Offer | None) -> dict[str, Any] | None:
    return {"offer": offer, "what": describe_reward(offer.reward)} if offer else None


def _offered() -> list[dict[str, Any]]:
    """Return what everybody may know of the rewards that are offered now."""
    at = now()
    rewards = list_rewards().filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=at), is_active=True, starts_at__lte=at
    )
    return [{"reward": one, "what": describe_reward(one)} for one in rewards]


def public_terms(found: Programme) -> dict[str, Any]:
    """Return what ``loyalty/parts/terms.html`` shows: sentences and worked examples."""
    at = now()
    promised = selectors.terms_of(found)
    return {
        "terms": promised.conditions_at(at),
        "sentences": describe_terms(found, promised, at),
        "examples": worked_examples(found, promised, at),
    }
