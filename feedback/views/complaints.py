"""Complaints, for staff and for whoever complains."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import STAFF_ROLES, Role
from accounts.permissions import WRITERS, roles_required
from common.errors import DomainError, InvalidInput
from common.keyset import keyset_page
from common.requests import actor_of, client_ip
from common.time import now
from crm.selectors import find_customer_of_user
from feedback import selectors, services
from feedback.forms import ComplaintForm, PublicComplaintForm, ResolveForm
from feedback.models import Complaint

PUBLIC_LIMIT = 5  # complaints per address and hour


@require_safe
@roles_required(read=STAFF_ROLES)
def complaint_list(request: HttpRequest) -> HttpResponse:
    """Complaints, newest first, by state."""
    state = request.GET.get("state", "")
    state = state if state in Complaint.State.values else ""
    page = keyset_page(
        selectors.list_complaints(state=state),
        order=["-opened_at"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "complaints": page.rows,
        "state": state,
        "states": Complaint.State.choices,
        **page.urls(request),
    }
    return render(request, "feedback/complaint_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def complaint_new(request: HttpRequest) -> HttpResponse:
    """Log a complaint."""
    form = ComplaintForm(request.POST or None, initial={"customer": request.GET.get("customer")})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            complaint = services.open_complaint(
                customer_id=data["customer"].pk if data["customer"] else None,
                text=data["text"],
                category=data["category"],
                severity=data["severity"],
                product_id=data["product"].pk if data["product"] else None,
                location_id=data["location"].pk if data["location"] else None,
                source=Complaint.Source.STAFF,
                happened_at=now(),
                actor=actor_of(request),
            )
        except InvalidInput as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Complaint %(number)s is logged.") % {"number": complaint})
            return redirect("feedback:complaint", ref=complaint.ref)
    status = 422 if form.is_bound else 200
    return render(request, "feedback/complaint_new.html", {"form": form}, status=status)


@require_safe
@roles_required(read=STAFF_ROLES)
def complaint_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One complaint and its course."""
    complaint = selectors.get_complaint(ref)
    role = getattr(request.user, "role", None)
    context = {
        "complaint": complaint,
        "steps": complaint.events.order_by("occurred_at", "id"),
        "form": ResolveForm(),
        "may_write": role in WRITERS,
        "sees_contact": role != Role.ANALYST,
    }
    return render(request, "feedback/complaint.html", context)


@require_POST
@roles_required(read=WRITERS)
def complaint_resolve(request: HttpRequest, ref: str) -> HttpResponse:
    """Say what was done."""
    complaint = selectors.get_complaint(ref)
    form = ResolveForm(request.POST)
    if form.is_valid():
        try:
            services.resolve_complaint(
                complaint_id=complaint.pk,
                resolution=form.cleaned_data["resolution"],
                happened_at=now(),
                actor=actor_of(request),
            )
        except InvalidInput as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Resolved."))
            return redirect("feedback:complaint", ref=ref)
    context = {
        "complaint": complaint,
        "steps": complaint.events.order_by("occurred_at", "id"),
        "form": form,
        "may_write": True,
        "sees_contact": True,
    }
    return render(request, "feedback/complaint.html", context, status=422)


@require_POST
@roles_required(read=WRITERS)
def complaint_close(request: HttpRequest, ref: str) -> HttpResponse:
    """Close a resolved complaint."""
    services.close_complaint(
        complaint_id=selectors.get_complaint(ref).pk, happened_at=now(), actor=actor_of(request)
    )
    messages.success(request, _("Closed."))
    return redirect("feedback:complaint", ref=ref)


@require_http_methods(["GET", "HEAD", "POST"])
def public_complaint(request: HttpRequest) -> HttpResponse:
    """The form for whoever complains; a signed-in customer is recognised."""
    customer = find_customer_of_user(request.user) if request.user.is_authenticated else None
    form = PublicComplaintForm(request.POST or None, is_known=customer is not None)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["website"]:
            return redirect("feedback:public_complaint_thanks")  # a program: thank it, keep nothing
        if not _may_complain(request):
            form.add_error(None, _("That is a lot of complaints within an hour. Please call us."))
        else:
            complaint = services.open_complaint(
                customer_id=customer.pk if customer else None,
                text=form.cleaned_data["text"],
                category=form.cleaned_data["category"],
                contact_name=form.cleaned_data.get("name", ""),
                contact_email=form.cleaned_data.get("email", ""),
                source=Complaint.Source.CUSTOMER if customer else Complaint.Source.PUBLIC,
                happened_at=now(),
                actor=f"customer:{customer.pk}" if customer else "public",
            )
            request.session["complaint_number"] = complaint.number
            return redirect("feedback:public_complaint_thanks")
    status = 422 if form.is_bound else 200
    context = {"form": form, "customer": customer}
    return render(request, "feedback/public_complaint.html", context, status=status)


@require_safe
def public_complaint_thanks(request: HttpRequest) -> HttpResponse:
    """Tells the number of the complaint just made."""
    context = {"number": request.session.pop("complaint_number", "")}
    return render(request, "feedback/public_complaint_thanks.html", context)


def _may_complain(request: HttpRequest) -> bool:
    """Count the complaint against its sender's address in this hour."""
    # Not cache.incr: in the database's cache that would forget the count after five minutes.
    key = f"complaints:{client_ip(request)}:{now():%Y%m%d%H}"
    count = cache.get(key, 0) + 1
    cache.set(key, count, timeout=3600)
    return bool(count <= PUBLIC_LIMIT)


def show_refusal(form: forms.Form, error: DomainError) -> None:
    """Put a service's refusal on the fields it names, else on the form."""
    for field, texts in error.fields.items():
        for text in texts:
            form.add_error(field if field in form.fields else None, text)
    if not error.fields:
        form.add_error(None, str(error))
