"""Purchases: the list, one purchase, and recording one."""

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
from common.time import now, organisation_timezone
from crm.forms import LineFormSet, OrderFilterForm, PurchaseForm, StatusForm
from crm.forms.refusals import show_refusal
from crm.models import Order
from crm.roles import READERS, WRITERS, may_write
from crm.selectors.lists import list_orders
from crm.selectors.orders import get_order
from crm.selectors.search import find_customers
from crm.services import change_order, record_order


@require_safe
@roles_required(read=READERS)
def order_list(request: HttpRequest) -> HttpResponse:
    """Purchases, newest first."""
    form = OrderFilterForm(request.GET)
    asked = form.values
    page = keyset_page(
        list_orders(
            status=asked["status"] or "",
            location_id=asked["shop"].pk if asked["shop"] else None,
        ),
        order=["-ordered_at", "-id"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "form": form,
        "orders": page.rows,
        "may_write": may_write(request.user),
        **page.urls(request),
    }
    return render(request, "crm/order_list.html", context)


@require_safe
@roles_required(read=READERS)
def order_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One purchase with its lines and its past states."""
    order = get_order(ref)
    context = {
        "order": order,
        "versions": order.versions.order_by("-recorded_until", "-id")[:20],
        "may_write": may_write(request.user) and order.status != Order.Status.CANCELLED,
    }
    return render(request, "crm/order.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def order_new(request: HttpRequest) -> HttpResponse:
    """Record a purchase: a quick sale."""
    local_now = now().astimezone(organisation_timezone())
    form = PurchaseForm(
        request.POST or None,
        initial={
            "customer": request.GET.get("customer", "")[:254],
            "ordered_at": local_now.strftime("%Y-%m-%dT%H:%M"),
        },
    )
    lines = LineFormSet(request.POST or None, prefix="lines")
    if request.method == "POST" and all([form.is_valid(), lines.is_valid()]):
        data = form.cleaned_data
        try:
            order = record_order(
                customer_id=data["customer"].pk if data["customer"] else None,
                ordered_at=data["ordered_at"],
                lines=lines.new_lines,
                amount=data["amount"],
                external_id=data["external_id"] or None,
                location_id=data["location"].pk if data["location"] else None,
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The purchase is recorded."))
            return redirect("crm:order", ref=order.ref)
    named = str(form["customer"].value() or "").strip()
    context: dict[str, Any] = {"form": form, "lines": lines, "buyers": find_customers(named)}
    return render(request, "crm/order_form.html", context, status=422 if form.is_bound else 200)


@require_POST
@roles_required(read=WRITERS)
def order_status(request: HttpRequest, ref: str) -> HttpResponse:
    """Deliver or cancel a purchase."""
    order = get_order(ref)
    form = StatusForm(request.POST)
    if form.is_valid():
        change_order(
            order_id=order.pk,
            happened_at=now(),
            actor=actor_of(request),
            status=form.cleaned_data["status"],
        )
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("Nothing was saved: there is no such status."))
    return redirect("crm:order", ref=order.ref)
