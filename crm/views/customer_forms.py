"""Recording a customer, after a look at who is there already, and changing one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.permissions import roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from crm.forms import CustomerForm, NewCustomerForm
from crm.forms.refusals import show_refusal
from crm.models import Customer
from crm.roles import WRITERS
from crm.selectors.contacts import contacts_of
from crm.selectors.custom_fields import custom_values, list_custom_fields
from crm.selectors.customers import get_person
from crm.selectors.duplicates import Alike, find_alike
from crm.services.profiles import record_profile, update_profile


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def customer_new(request: HttpRequest) -> HttpResponse:
    """Record a customer; whoever looks like somebody we know is shown first."""
    form = NewCustomerForm(request.POST or None, custom_fields=list_custom_fields())
    alike: list[Alike] = []
    if request.method == "POST" and form.is_valid():
        values = form.values()
        if not request.POST.get("anyway"):
            asked = ("name", "email", "phone", "city", "birth_date")
            alike = find_alike(**{name: values[name] for name in asked})
        if not alike:
            try:
                customer = record_profile(
                    happened_at=now(),
                    actor=actor_of(request),
                    consents=form.consents(),
                    consent_source="staff",
                    **values,
                )
            except (DomainError, ValidationError) as error:
                show_refusal(form, error)
            else:
                messages.success(request, _("%(name)s is recorded.") % {"name": customer})
                return redirect("crm:customer", ref=customer.ref)
    contacts = contacts_of([one.customer.pk for one in alike]) if alike else {}
    context = {
        "form": form,
        "alike": [
            {"customer": one.customer, "contact": contacts[one.customer.pk].masked()}
            for one in alike
        ],
    }
    status = 422 if form.is_bound else 200
    return render(request, "crm/customer_form.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def customer_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change what is known of a customer."""
    customer = get_person(ref)
    form = CustomerForm(
        request.POST or None,
        initial=_initial(customer),
        custom_fields=list_custom_fields(),
        custom_values=custom_values([customer.pk])[customer.pk],
    )
    if request.method == "POST" and form.is_valid():
        try:
            update_profile(
                customer_id=customer.pk,
                happened_at=now(),
                actor=actor_of(request),
                consents={},
                consent_source="staff",
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
