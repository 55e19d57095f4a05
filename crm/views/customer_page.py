"""One customer's page: its head and cards; tabs and other apps' panels come after it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.permissions import roles_required
from common.registry import customer_panels
from common.time import now
from crm.models import ConsentEvent, Customer
from crm.roles import READERS, may_write
from crm.selectors import consents_of, get_customer
from crm.selectors.contacts import contacts_of
from crm.selectors.figures import history_of
from crm.tables import shown_contact
from crm.views.tabs import is_fragment, tabs_of


@require_safe
@roles_required(read=READERS)
def customer_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One customer: who, how to reach them, what they agreed to, what they bought."""
    customer = get_customer(ref)
    context = summary_of(request, customer) | {"tabs": tabs_of(request, customer)}
    return render(request, "crm/customer.html", context)


@require_safe
@roles_required(read=READERS)
def customer_summary(request: HttpRequest, ref: str) -> HttpResponse:
    """The head and the cards, for the page of a tab that was opened by itself."""
    customer = get_customer(ref)
    return render(request, "crm/parts/customer_summary.html", summary_of(request, customer))


@require_safe
@roles_required(read=READERS)
@vary_on_headers("HX-Request")
def customer_panels_beside(request: HttpRequest, ref: str) -> HttpResponse:
    """What the apps above know of the customer."""
    customer = get_customer(ref)
    panels = [
        {"template": panel.template, "glance": panel.glance, "context": context}
        for panel in sorted(customer_panels, key=lambda one: one.order)
        if (context := panel.load(customer.pk, request)) is not None
    ]
    template = (
        "crm/parts/customer_panels.html" if is_fragment(request) else "crm/customer_panels.html"
    )
    context = {"customer": customer, "panels": panels, "may_write": may_write(request.user)}
    return render(request, template, context)


def summary_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    """Return what the head and the cards show."""
    figures, rhythm = history_of(customer.pk, now=now())
    return {
        "customer": customer,
        "contact": shown_contact(contacts_of([customer.pk])[customer.pk], request.user),
        "consents": _consents(customer),
        "figures": figures,
        "rhythm": rhythm,
        "may_write": may_write(request.user),
    }


def _consents(customer: Customer) -> list[dict[str, Any]]:
    in_force = consents_of(customer.pk)
    return [
        {"purpose": purpose, "event": in_force.get(purpose.value)}
        for purpose in ConsentEvent.Purpose
    ]
