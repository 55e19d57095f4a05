"""The customers' own choices and data, on their own page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.permissions import PORTAL, roles_required
from common.errors import InvalidInput, NotFound
from common.time import now
from crm.consent_texts import current_version
from crm.forms import ConsentForm
from crm.models import Customer
from crm.selectors import find_customer_of_user
from crm.selectors.consent import consent_board
from crm.selectors.erased import exports_of
from crm.services import record_consent
from crm.views.privacy import SOURCES, download_of


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=PORTAL)
def my_consent(request: HttpRequest) -> HttpResponse:
    """Every consent with its words; give or withdraw each by one press."""
    customer = own_customer(request)
    if request.method != "POST":
        board = consent_board(customer.pk)
        return render(request, "portal/consent.html", {"board": board, "sources": SOURCES})
    form = ConsentForm(request.POST)
    if not form.is_valid():
        raise InvalidInput
    is_granted = form.cleaned_data["is_granted"] == "yes"
    record_consent(
        customer_id=customer.pk,
        purpose=form.cleaned_data["purpose"],
        channel=form.cleaned_data["channel"],
        is_granted=is_granted,
        happened_at=now(),
        actor=f"customer:{customer.pk}",
        source="portal",
        text_version=current_version() if is_granted else "",
    )
    messages.success(
        request, _("Thank you. You can change this any time.") if is_granted else _("Switched off.")
    )
    return redirect("crm:my_consent" if request.POST.get("back") == "consent" else "crm:me")


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=PORTAL)
def my_data(request: HttpRequest) -> HttpResponse:
    """What we keep about the customer, to save; and how to be forgotten."""
    customer = own_customer(request)
    if request.method == "POST":
        return download_of(customer, request, how="portal", is_own=True)
    return render(request, "portal/data.html", {"exports": exports_of(customer.ref)})


def own_customer(request: HttpRequest) -> Customer:
    """Return the customer who is signed in.

    :raises NotFound: the sign-in belongs to no customer.
    """
    customer = find_customer_of_user(request.user)
    if customer is None:
        raise NotFound
    return customer
