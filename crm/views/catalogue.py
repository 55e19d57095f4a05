"""Products and shops."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from crm.forms import LocationForm, ProductFilterForm, ProductForm
from crm.forms.refusals import show_refusal
from crm.roles import CATALOGUE_WRITERS, LOCATION_WRITERS, READERS, may_write
from crm.selectors.catalogue import get_location, get_product
from crm.selectors.lists import list_locations, list_products
from crm.services import record_location, record_product, update_location, update_product


@require_safe
@roles_required(read=READERS)
def product_list(request: HttpRequest) -> HttpResponse:
    """Products by name."""
    form = ProductFilterForm(request.GET)
    page = keyset_page(
        list_products(text=form.values["text"] or "", kind=form.values["kind"] or ""),
        order=["name", "id"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "form": form,
        "products": page.rows,
        "may_write": may_write(request.user, CATALOGUE_WRITERS),
        **page.urls(request),
    }
    return render(request, "crm/product_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=CATALOGUE_WRITERS)
def product_new(request: HttpRequest) -> HttpResponse:
    """Record a product."""
    form = ProductForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            product = record_product(happened_at=now(), actor=actor_of(request), **form.values())
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("%(name)s is recorded.") % {"name": product})
            return redirect("crm:product_list")
    status = 422 if form.is_bound else 200
    return render(request, "crm/product_form.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=CATALOGUE_WRITERS)
def product_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change a product."""
    product = get_product(ref)
    plain = ("sku", "name", "category", "kind", "price", "cost", "currency", "consumption_days")
    initial = {name: getattr(product, name) for name in plain}
    initial["special_offer"] = product.special_offer.sku if product.special_offer else ""
    form = ProductForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            update_product(
                product_id=product.pk,
                happened_at=now(),
                actor=actor_of(request),
                **form.values(),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("crm:product_list")
    context = {"form": form, "product": product}
    return render(request, "crm/product_form.html", context, status=422 if form.is_bound else 200)


@require_safe
@roles_required(read=READERS)
def location_list(request: HttpRequest) -> HttpResponse:
    """Shops by name."""
    page = keyset_page(list_locations(), order=["name", "id"], cursor=request.GET.get("cursor", ""))
    context = {
        "locations": page.rows,
        "may_write": may_write(request.user, LOCATION_WRITERS),
        **page.urls(request),
    }
    return render(request, "crm/location_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=LOCATION_WRITERS)
def location_new(request: HttpRequest) -> HttpResponse:
    """Record a shop."""
    form = LocationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            record_location(happened_at=now(), actor=actor_of(request), **form.values())
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The shop is recorded."))
            return redirect("crm:location_list")
    status = 422 if form.is_bound else 200
    return render(request, "crm/location_form.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=LOCATION_WRITERS)
def location_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Change a shop's name, timezone or opening hours."""
    location = get_location(code)
    initial = {"code": location.code, "name": location.name, "timezone": location.timezone}
    initial["calendar"] = location.calendar.ref if location.calendar else ""
    form = LocationForm(request.POST or None, initial=initial, is_known=True)
    if request.method == "POST" and form.is_valid():
        update_location(
            location_id=location.pk,
            happened_at=now(),
            actor=actor_of(request),
            **form.values(),
        )
        messages.success(request, _("Saved."))
        return redirect("crm:location_list")
    context = {"form": form, "location": location}
    return render(request, "crm/location_form.html", context, status=422 if form.is_bound else 200)
