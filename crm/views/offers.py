"""Offers: the list, a customer's tab, making one, and what was said."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of, own_page
from common.time import now
from common.undo import offer_undo
from crm.forms.leaving import AnswerForm, OfferFilterForm, OfferForm
from crm.forms.refusals import show_refusal
from crm.models import Offer
from crm.roles import READERS, WRITERS, may_write, reads_texts
from crm.selectors import get_customer
from crm.selectors.cancel_requests import list_cancel_requests, reason_name
from crm.selectors.offers import get_offer, list_offers
from crm.services.offers import answer_offer, record_offer
from crm.views.sections import leaving_sections
from crm.views.tabs import show_tab

IN_TAB = 50


@require_safe
@roles_required(read=READERS)
def offer_list(request: HttpRequest) -> HttpResponse:
    """Offers, newest first."""
    form = OfferFilterForm(request.GET)
    page = keyset_page(
        list_offers(state=form.values["state"] or ""),
        order=["-made_at", "-id"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "form": form,
        "offers": page.rows,
        "may_write": may_write(request.user),
        "reads_texts": reads_texts(request.user),
        "sections": leaving_sections(request, "offer_list"),
        **page.urls(request),
    }
    return render(request, "crm/offer_list.html", context)


@require_safe
@roles_required(read=READERS)
def customer_offers_tab(request: HttpRequest, ref: str) -> HttpResponse:
    """What a customer was offered, and when they asked to leave."""
    customer = get_customer(ref)
    requests = list_cancel_requests(customer_id=customer.pk).order_by("-requested_at")[:IN_TAB]
    offers = list_offers(customer_id=customer.pk).order_by("-made_at", "-id")[:IN_TAB]
    context = {
        "offers": list(offers),
        "requests": [{"row": row, "reason": reason_name(row.reason)} for row in requests],
        "reads_texts": reads_texts(request.user),
    }
    return show_tab(request, customer, "offers", "crm/parts/customer_offers.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def offer_new(request: HttpRequest) -> HttpResponse:
    """Record an offer."""
    form = OfferForm(
        request.POST or None, initial={"customer": request.GET.get("customer", "")[:254]}
    )
    if request.method == "POST" and form.is_valid():
        try:
            offer = record_offer(
                customer_id=form.cleaned_data["customer"].pk,
                made_at=form.cleaned_data["made_at"],
                happened_at=now(),
                actor=actor_of(request),
                **form.offer_values(),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The offer is recorded."))
            return redirect("crm:customer_offers", ref=offer.customer.ref)
    return render(
        request, "crm/offer_form.html", {"form": form}, status=422 if form.is_bound else 200
    )


@require_POST
@roles_required(read=WRITERS)
def offer_answer(request: HttpRequest, ref: str) -> HttpResponse:
    """Record what a customer said to an offer; it can be taken back."""
    offer = get_offer(ref)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was saved: there is no such answer."))
    elif offer.state != form.cleaned_data["state"]:
        at = now()
        answer_offer(
            offer_id=offer.pk,
            state=form.cleaned_data["state"],
            answered_at=at,
            happened_at=at,
            actor=actor_of(request),
        )
        if offer.state == Offer.State.MADE:
            offer_undo(request, _("The answer is recorded."), "offer.answered", offer_id=offer.pk)
        else:
            messages.success(request, _("The answer is corrected."))
    return _back(request, offer)


def _back(request: HttpRequest, offer: Offer) -> HttpResponse:
    """Return to where the button stood, if that is one of our pages."""
    if place := own_page(request.POST.get("next", "")):
        return redirect(place)
    return redirect("crm:customer_offers", ref=offer.customer.ref)
