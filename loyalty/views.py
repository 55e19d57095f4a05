"""Pages of the loyalty app."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import MANAGERS, PORTAL, roles_required
from common.errors import InvalidInput, NotFound
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from crm.selectors import find_customer_of_user
from loyalty import selectors
from loyalty.forms import ProgrammeForm
from loyalty.models import Programme
from loyalty.selectors.wording import describe_terms, worked_examples
from loyalty.services import open_programme

PAGE_SIZE = 25


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=STAFF_ROLES, write=MANAGERS)
def programme(request: HttpRequest) -> HttpResponse:
    """The programme, its totals and the newest transactions; a form where there is none yet."""
    if request.method == "POST":
        return _open_programme(request)
    found = selectors.find_programme()
    if found is None:
        may_open = getattr(request.user, "role", None) in MANAGERS
        context: dict[str, Any] = {"form": ProgrammeForm() if may_open else None}
        return render(request, "loyalty/programme_new.html", context)
    page = keyset_page(
        selectors.list_transactions(),
        order=["-id"],
        cursor=request.GET.get("cursor", ""),
        size=PAGE_SIZE,
    )
    context = {
        "programme": found,
        **_terms(found),
        "totals": selectors.get_totals(),
        "transactions": page.rows,
        **page.urls(request),
    }
    return render(request, "loyalty/programme.html", context)


def _open_programme(request: HttpRequest) -> HttpResponse:
    form = ProgrammeForm(request.POST)
    if form.is_valid():
        try:
            open_programme(happened_at=now(), actor=actor_of(request), **form.cleaned_data)
        except InvalidInput as error:
            for name, texts in error.fields.items():
                form.add_error(name, texts)
        else:
            messages.success(request, _("The programme is open."))
            return redirect("loyalty:programme")
    return render(request, "loyalty/programme_new.html", {"form": form}, status=422)


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    """The public terms."""
    found = selectors.find_programme()
    context = {"programme": found, **(_terms(found) if found else {})}
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


def _terms(found: Programme) -> dict[str, Any]:
    at = now()
    promised = selectors.terms_of(found)
    return {
        "terms": promised.conditions_at(at),
        "sentences": describe_terms(found, promised, at),
        "examples": worked_examples(found, promised, at),
    }
