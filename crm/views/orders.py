"""Purchases: the list, one purchase, and recording one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
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
from common.time import local_date, now, organisation_timezone
from crm.forms import LineFormSet, OrderFilterForm, PurchaseForm, StatusForm
from crm.forms.orders import CorrectionFormSet
from crm.forms.refusals import show_refusal
from crm.models import Order, OrderLine
from crm.roles import READERS, WRITERS, may_write, reads_texts
from crm.selectors.lists import list_orders
from crm.selectors.orders import get_order, past_lines
from crm.selectors.rates import at_home
from crm.selectors.refunds import refunds_of, with_refunded
from crm.selectors.search import find_customers
from crm.services import NewLine, change_order, record_order
from crm.services.orders import OrderRefunded
from crm.views.sections import purchase_sections

ZERO = Decimal(0)


@require_safe
@roles_required(read=READERS)
def order_list(request: HttpRequest) -> HttpResponse:
    """Purchases, newest first."""
    form = OrderFilterForm(request.GET)
    asked = form.values
    page = keyset_page(
        with_refunded(
            list_orders(
                status=asked["status"] or "",
                location_id=asked["shop"].pk if asked["shop"] else None,
            )
        ),
        order=["-ordered_at", "-id"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "form": form,
        "orders": page.rows,
        "may_write": may_write(request.user),
        "sections": purchase_sections(request, "order_list"),
        **page.urls(request),
    }
    return render(request, "crm/order_list.html", context)


@require_safe
@roles_required(read=READERS)
def order_detail(request: HttpRequest, ref: str) -> HttpResponse:
    """One purchase with its lines, what was given back, and its past states."""
    order = get_order(ref)
    refunds = refunds_of(order.pk)
    refunded = sum((row.amount for row in refunds if row.is_in_force), ZERO)
    is_ours = order.currency == settings.KEEPWELL_CURRENCY
    day = local_date(order.ordered_at)
    context = {
        "order": order,
        "refunds": refunds,
        "refunded": refunded,
        "kept": order.amount - refunded,
        "at_home": None if is_ours else at_home({order.currency: order.amount - refunded}, day),
        "is_ours": is_ours,
        "home": settings.KEEPWELL_CURRENCY,
        "versions": order.versions.order_by("-recorded_until", "-id")[:20],
        "past_lines": past_lines(order.pk),
        "may_write": may_write(request.user) and order.status != Order.Status.CANCELLED,
        "reads_texts": reads_texts(request.user),
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
                channel=data["channel"],
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


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def order_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Correct a purchase: who, when, where, and what was bought; the past stays readable."""
    order = get_order(ref)
    rows = list(order.lines.all())
    form = PurchaseForm(request.POST or None, initial=_initial(order), is_known=True)
    lines = CorrectionFormSet(
        request.POST or None, prefix="lines", initial=[_line_initial(row) for row in rows]
    )
    if order.customer and not _is_erased(order):
        form.fields["customer"].help_text = str(order.customer)
    lines.known_costs = {row.product_id: row.unit_cost for row in rows}
    if request.method == "POST" and all([form.is_valid(), lines.is_valid()]):
        try:
            _correct(request, order, form.cleaned_data, lines.new_lines)
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("crm:order", ref=order.ref)
    context = {"form": form, "lines": lines, "order": order}
    return render(request, "crm/order_form.html", context, status=422 if form.is_bound else 200)


@require_POST
@roles_required(read=WRITERS)
def order_status(request: HttpRequest, ref: str) -> HttpResponse:
    """Deliver or cancel a purchase."""
    order = get_order(ref)
    form = StatusForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was saved: there is no such status."))
        return redirect("crm:order", ref=order.ref)
    try:
        change_order(
            order_id=order.pk,
            happened_at=now(),
            actor=actor_of(request),
            status=form.cleaned_data["status"],
        )
    except OrderRefunded as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Saved."))
    return redirect("crm:order", ref=order.ref)


def _correct(
    request: HttpRequest, order: Order, data: dict[str, Any], lines: Sequence[NewLine]
) -> None:
    """Make the purchase what the form says; an amount counts where there are no lines."""
    changes: dict[str, Any] = {
        "location_id": data["location"].pk if data["location"] else None,
        "channel": data["channel"],
    }
    if not _is_erased(order):  # nobody can be named then, so nobody is changed
        changes["customer_id"] = data["customer"].pk if data["customer"] else None
    # The form shows minutes: a time left alone keeps its seconds.
    if data["ordered_at"] != order.ordered_at.replace(second=0, microsecond=0):
        changes["ordered_at"] = data["ordered_at"]
    if not lines and data["amount"] is not None:
        changes["amount"] = data["amount"]
    change_order(
        order_id=order.pk,
        happened_at=now(),
        actor=actor_of(request),
        lines=lines if lines or order.lines.all() else None,
        **changes,
    )


def _initial(order: Order) -> dict[str, Any]:
    at = order.ordered_at.astimezone(organisation_timezone())
    return {
        "customer": order.customer.ref if order.customer and not _is_erased(order) else "",
        "ordered_at": at.strftime("%Y-%m-%dT%H:%M"),
        "location": order.location.code if order.location else None,
        "channel": order.channel,
        "amount": None if order.lines.all() else order.amount,
    }


def _is_erased(order: Order) -> bool:
    return order.customer is not None and order.customer.erased_at is not None


def _line_initial(row: OrderLine) -> dict[str, Any]:
    return {
        "sku": row.product.sku,
        "quantity": format(row.quantity.normalize(), "f"),
        "unit_price": row.unit_price,
        "discount": row.discount or None,
    }
