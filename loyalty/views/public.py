"""What everybody may read of the programme, and a customer's own points."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import PORTAL, roles_required
from common.errors import NotFound
from common.keyset import keyset_page
from common.time import now
from crm.selectors import find_customer_of_user
from loyalty import selectors
from loyalty.models import Programme
from loyalty.selectors.wording import describe_terms, worked_examples

PAGE_SIZE = 25


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    """The public terms."""
    found = selectors.find_programme()
    context = {"programme": found, **(public_terms(found) if found else {})}
    return render(request, "loyalty/terms.html", context)


@require_safe
@roles_required(read=PORTAL)
def my_points(request: HttpRequest) -> HttpResponse:
    """A customer's own points history."""
    customer = find_customer_of_user(request.user)
    if customer is None:
        raise NotFound
    page = keyset_page(
        selectors.transactions_of(customer.pk),
        order=["-id"],
        cursor=request.GET.get("cursor", ""),
        size=PAGE_SIZE,
    )
    context = {"now": now(), "transactions": page.rows, **page.urls(request)}
    return render(request, "loyalty/my_points.html", context)


def public_terms(found: Programme) -> dict[str, Any]:
    """Return what ``loyalty/parts/terms.html`` shows: sentences and worked examples."""
    at = now()
    promised = selectors.terms_of(found)
    return {
        "terms": promised.conditions_at(at),
        "sentences": describe_terms(found, promised, at),
        "examples": worked_examples(found, promised, at),
    }
