"""Customers: the list, one customer, and what is known of them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from crm.forms import ConsentForm, CustomerFilterForm, CustomerForm, NewCustomerForm
from crm.forms.refusals import show_refusal
from crm.models import Customer
from crm.roles import READERS, WRITERS, may_write, sees_contacts
from crm.selectors import get_customer
from crm.selectors.contacts import contacts_of
from crm.selectors.lists import list_customers
from crm.selectors.search import search_customers
from crm.services import record_consent, update_customer
from crm.services.profiles import record_profile
from crm.tables import customer_rows


@require_safe
@roles_required(read=READERS)
def customer_list(request: HttpRequest) -> HttpResponse:
    """Everybody, newest first, or whom a search finds."""
    form = CustomerFilterForm(request.GET)
    asked = form.values
    shop = asked["shop"]
    customers = list_customers(stage=asked["stage"] or "", location_id=shop.pk if shop else None)
    context: dict[str, Any] = {"form": form, "may_write": may_write(request.user)}
    if asked["q"] or "q" in form.errors:
        found = search_customers(
            asked["q"] or "",
            within=({"stage": asked["stage"]} if asked["stage"] else {})
            | ({"location_id": shop.pk} if shop else {}),
            may_see_contacts=sees_contacts(request.user),
        )
        context["is_search"] = True
    else:
        page = keyset_page(customers, order=["-id"], cursor=request.GET.get("cursor", ""))
        found = page.rows
        context |= page.urls(request)
    context["rows"] = customer_rows(found, request.user)
    return render(request, "crm/customer_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def customer_new(request: HttpRequest) -> HttpResponse:
    """Record a customer."""
    form = NewCustomerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            customer = record_profile(
                happened_at=now(),
                actor=actor_of(request),
                consents=form.consents(),
                consent_source="staff",
                **form.values(),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("%(name)s is recorded.") % {"name": customer})
            return redirect("crm:customer", ref=customer.ref)
    status = 422 if form.is_bound else 200
    return render(request, "crm/customer_form.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def customer_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change what is known of a customer."""
    customer = get_customer(ref)
    form = CustomerForm(request.POST or None, initial=_initial(customer))
    if request.method == "POST" and form.is_valid():
        try:
            update_customer(
                customer_id=customer.pk,
                happened_at=now(),
                actor=actor_of(request),
                **form.values(),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("crm:customer", ref=customer.ref)
    status = 422 if form.is_bound else 200
    context = {"form": form, "customer": customer}
    return render(request, "crm/customer_form.html", context, status=status)


@require_POST
@roles_required(read=WRITERS)
def customer_consent(request: HttpRequest, ref: str) -> HttpResponse:
    """Take down that a customer gave or withdrew consent."""
    customer = get_customer(ref)
    form = ConsentForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was saved: that is no consent we know."))
        return redirect("crm:customer", ref=customer.ref)
    is_granted = form.cleaned_data["is_granted"] == "yes"
    record_consent(
        customer_id=customer.pk,
        purpose=form.cleaned_data["purpose"],
        is_granted=is_granted,
        happened_at=now(),
        actor=actor_of(request),
        source="staff",
    )
    messages.success(request, _("Consent recorded.") if is_granted else _("Consent withdrawn."))
    return redirect("crm:customer", ref=customer.ref)


def _initial(customer: Customer) -> dict[str, Any]:
    contact = contacts_of([customer.pk])[customer.pk]
    fields = {
        name: getattr(customer, name)
        for name in CustomerForm.base_fields
        if name not in ("email", "phone", "location")
    }
    return fields | {
        "email": contact.email,
        "phone": contact.phone,
        "location": customer.location.code if customer.location else None,
    }
