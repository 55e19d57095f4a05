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
from crm.forms.profile import ContactForm
from crm.models import Channel, ConsentEvent, Customer, Note
from crm.roles import READERS, may_write, reads_texts, sees_contacts
from crm.selectors import consents_of
from crm.selectors.contacts import contact_rows
from crm.selectors.customers import get_person
from crm.selectors.figures import history_of
from crm.selectors.identity import records_of
from crm.selectors.journey import standing_of
from crm.selectors.notes import latest_notes
from crm.selectors.tasks import next_action_of
from crm.views.tabs import is_fragment, tabs_of

# What the head of the page keeps beside the figures.
IN_WORDS = (Note.Kind.NEED, Note.Kind.WISH, Note.Kind.PROBLEM, Note.Kind.SUCCESS)


@require_safe
@roles_required(read=READERS)
def customer_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One customer: who, how to reach them, where they stand, what they bought."""
    customer = get_person(ref)
    context = summary_of(request, customer) | {"tabs": tabs_of(request, customer)}
    return render(request, "crm/customer.html", context)


@require_safe
@roles_required(read=READERS)
def customer_summary(request: HttpRequest, ref: str) -> HttpResponse:
    """The head and the cards, for the page of a tab that was opened by itself."""
    customer = get_person(ref)
    return render(request, "crm/parts/customer_summary.html", summary_of(request, customer))


@require_safe
@roles_required(read=READERS)
@vary_on_headers("HX-Request")
def customer_panels_beside(request: HttpRequest, ref: str) -> HttpResponse:
    """What the apps above know of the customer."""
    customer = get_person(ref)
    panels = [
        {"template": panel.template, "glance": panel.glance, "context": context}
        for panel in sorted(customer_panels, key=lambda one: one.order)
        if (context := panel.load(customer.pk, request)) is not None
    ]
    context = {"customer": customer, "panels": panels, "may_write": may_write(request.user)}
    template = "parts/customer_panels.html" if is_fragment(request) else "customer_panels.html"
    return render(request, f"crm/{template}", context)


def summary_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    """Return what the head and the first cards show."""
    records = records_of(customer.pk)
    moment = now()
    figures, rhythm = history_of(*records, now=moment)
    context = {
        "customer": customer,
        "records": len(records),
        "contacts": contact_rows(records, is_masked=not sees_contacts(request.user)),
        "contact_form": ContactForm(),
        "preferred_channel": dict(Channel.choices).get(customer.preferred_channel, ""),
        "consents": _consents(customer),
        "figures": figures,
        "rhythm": rhythm,
        "standing": standing_of(customer, figures, rhythm, now=moment),
        "next_action": next_action_of(customer.pk, records=records),
        "now": moment,
        "may_write": may_write(request.user),
        "reads_texts": reads_texts(request.user),
    }
    if context["reads_texts"]:
        notes = latest_notes(records)
        context["preferences"] = notes.get(Note.Kind.PREFERENCE, [])
        context["in_words"] = [
            {"kind": kind, "notes": notes.get(kind.value, [])} for kind in IN_WORDS
        ]
    return context


def _consents(customer: Customer) -> list[dict[str, Any]]:
    in_force = consents_of(customer.pk)
    return [
        {"purpose": purpose, "event": in_force.get(purpose.value)}
        for purpose in ConsentEvent.Purpose
    ]
