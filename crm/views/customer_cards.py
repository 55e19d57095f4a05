"""Cards beside a customer's tabs that change in place: contacts, labels, own fields."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.permissions import roles_required
from common.errors import DomainError, NotFound
from common.requests import actor_of
from common.time import now
from common.undo import offer_undo
from crm.forms.profile import ContactForm, FileForm, TagForm
from crm.forms.refusals import show_refusal
from crm.models import Customer, CustomField
from crm.roles import READERS, WRITERS, may_write, reads_texts
from crm.selectors.contacts import contact_rows
from crm.selectors.custom_fields import custom_values_of
from crm.selectors.customers import get_customer, get_person
from crm.selectors.files import files_of
from crm.selectors.identity import records_of
from crm.selectors.tags import tag_names, tags_of
from crm.services.contacts import add_contact, make_contact_primary, remove_contact
from crm.services.tags import tag_customer, untag_customer
from crm.views.tabs import is_fragment


@require_safe
@roles_required(read=READERS)
@vary_on_headers("HX-Request")
def customer_details(request: HttpRequest, ref: str) -> HttpResponse:
    """Labels, fields of the business's own, and files."""
    customer = get_person(ref)
    records = records_of(customer.pk)
    context = _context(request, customer) | _tags(request, records)
    context["custom_values"] = [
        own
        for own in custom_values_of(records)
        if context["reads_texts"] or own.field.kind != CustomField.Kind.TEXT
    ]
    if context["reads_texts"]:
        context |= {"files": files_of(records), "file_form": FileForm()}
    template = "parts/customer_details.html" if is_fragment(request) else "customer_details.html"
    return render(request, f"crm/{template}", context)


@require_POST
@roles_required(read=WRITERS)
def customer_contacts(request: HttpRequest, ref: str) -> HttpResponse:
    """Add, prefer or remove an address or number."""
    record = get_customer(ref)
    action = request.POST.get("action", "add")
    form = ContactForm(request.POST if action == "add" else None)
    doing: dict[str, Any] = {
        "customer_id": record.pk,
        "happened_at": now(),
        "actor": actor_of(request),
    }
    if action in ("remove", "primary"):
        named = ContactForm(request.POST)
        if not named.is_valid():
            raise NotFound
        doing |= {"kind": named.cleaned_data["kind"], "normalized": named.cleaned_data["value"]}
    if action == "remove":
        event_id = remove_contact(**doing)
        offer_undo(request, _("Removed."), "contacts.removed", event_id=event_id)
    elif action == "primary":
        make_contact_primary(**doing)
        messages.success(request, _("They are reached by this one first now."))
    elif form.is_valid():
        try:
            add_contact(kind=form.cleaned_data["kind"], value=form.cleaned_data["value"], **doing)
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Added."))
            form = ContactForm()
    person = get_person(ref)
    contacts = contact_rows(records_of(person.pk), is_masked=False)
    context = _context(request, person) | {"contacts": contacts, "contact_form": form}
    return _card(request, person, "contact", context, form.is_bound)


@require_POST
@roles_required(read=WRITERS)
def customer_tags(request: HttpRequest, ref: str) -> HttpResponse:
    """Put a label on a customer, or take one off."""
    person = get_person(ref)
    records = records_of(person.pk)
    doing: dict[str, Any] = {"happened_at": now(), "actor": actor_of(request)}
    form = TagForm()
    if removed := request.POST.get("remove", ""):
        for tag in tags_of(records):
            if tag.name == removed:
                for record_id in records:
                    untag_customer(customer_id=record_id, tag_id=tag.pk, **doing)
                offer_undo(
                    request,
                    _("Tag removed."),
                    "customers.untagged_one",
                    customer_id=person.pk,
                    tag_id=tag.pk,
                )
    else:
        form = TagForm(request.POST)
        if form.is_valid():
            tag_customer(customer_id=person.pk, name=form.cleaned_data["name"], **doing)
            form = TagForm()
    context = _context(request, person) | _tags(request, records) | {"tag_form": form}
    return _card(request, person, "tags", context, form.is_bound)


def _tags(request: HttpRequest, records: list[int]) -> dict[str, Any]:
    tags: dict[str, Any] = {"tags": tags_of(records), "tag_form": TagForm()}
    if may_write(request.user):
        tags["tag_names"] = tag_names()
    return tags


def _context(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    return {
        "customer": customer,
        "may_write": may_write(request.user),
        "reads_texts": reads_texts(request.user),
        "contact_form": ContactForm(),
    }


def _card(
    request: HttpRequest, customer: Customer, name: str, context: dict[str, Any], is_refused: bool
) -> HttpResponse:
    """Return the card alone for htmx; else the page, or what was wrong."""
    status = 422 if is_refused else 200
    if is_fragment(request):
        return render(request, f"crm/parts/{name}.html", context, status=status)
    if is_refused:
        context["card_template"] = f"crm/parts/{name}.html"
        return render(request, "crm/customer_card.html", context, status=status)
    return redirect("crm:customer", ref=customer.ref)
