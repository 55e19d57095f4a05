"""Quick sale: one screen for shops without a till system, and the slip it ends with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError, NotFound
from common.refs import new_ref
from common.requests import actor_of
from common.time import now
from common.undo import offer_undo
from crm.forms.refusals import show_refusal
from crm.forms.sales import Basket, SaleForm, read_discount
from crm.models import Customer, Order
from crm.roles import READERS, WRITERS, may_write, sees_contacts
from crm.selectors import get_customer
from crm.selectors.contacts import contacts_of
from crm.selectors.orders import get_order
from crm.selectors.sales import find_buyers, find_products, shops_for
from crm.services.sales import record_sale
from crm.tables import shown_contact
from crm.views.tabs import is_fragment

SHOP_IN_SESSION = "sale_shop"  # where the last sale of this browser was made


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def quick_sale(request: HttpRequest) -> HttpResponse:
    """Sell: each button posts the whole screen and says what it does by ``do``."""
    form = SaleForm(request.POST if request.method == "POST" else None)
    basket = Basket.of(request.POST)
    customer = _buyer(request)
    if request.method != "POST":
        return _screen(request, form, basket, customer)
    form.is_valid()
    do, _colon, what = request.POST.get("do", "add").partition(":")
    if do == "pay":
        return _pay(request, form, basket, customer)
    state: dict[str, Any] = {}
    if do == "add":
        state["products"] = _add(form, basket, what)
    elif do in ("more", "less"):
        basket.step(what, 1 if do == "more" else -1)
    elif do == "remove":
        basket.remove(what)
    elif do == "pick":
        customer = _customer(what)
    elif do == "new":
        state["is_new"] = True
    elif do == "nobody":
        customer, state["is_new"], state["who"] = None, False, ""
    return _screen(request, form, basket, customer, **state)


@require_safe
@roles_required(read=WRITERS)
def quick_sale_products(request: HttpRequest) -> HttpResponse:
    """Products that fit what is being typed."""
    text = request.GET.get("q", "")[:200]
    context = {"products": find_products(text), "asked": text.strip()}
    return render(request, "crm/parts/sale_products.html", context)


@require_safe
@roles_required(read=WRITERS)
def quick_sale_customers(request: HttpRequest) -> HttpResponse:
    """Customers who fit what is being typed."""
    text = request.GET.get("who", "")[:254].strip()
    found = find_buyers(text) if text else []
    contacts = contacts_of([customer.pk for customer in found])
    rows = [
        {"customer": one, "contact": shown_contact(contacts[one.pk], request.user)} for one in found
    ]
    return render(request, "crm/parts/sale_customers.html", {"found": rows, "asked": text})


@require_safe
@roles_required(read=READERS)
def order_slip(request: HttpRequest, ref: str) -> HttpResponse:
    """What the customer takes along: number, goods, total."""
    order = get_order(ref)
    context = {
        "order": order,
        "before_discount": sum(
            (line.amount + line.discount for line in order.lines.all()), Decimal(0)
        ),
        "may_write": may_write(request.user),
        "sees_contacts": sees_contacts(request.user),
    }
    return render(request, "crm/order_slip.html", context)


def _pay(
    request: HttpRequest, form: SaleForm, basket: Basket, customer: Customer | None
) -> HttpResponse:
    if not form.errors and basket.is_usable:
        try:
            order = _record(request, form, basket, customer)
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            shop = form.cleaned_data["location"]
            request.session[SHOP_IN_SESSION] = shop.code if shop else ""
            offer_undo(request, _("Sold."), "order.cancelled", order_id=order.pk)
            return redirect("crm:order_slip", ref=order.ref)
    return _screen(
        request,
        form,
        basket,
        customer,
        status=422,
        is_new=bool(form.cleaned_data.get("newcomer")),
    )


def _record(
    request: HttpRequest, form: SaleForm, basket: Basket, customer: Customer | None
) -> Order:
    data = form.cleaned_data
    lines = basket.new_lines()
    amount = None if lines else data["amount"]
    try:
        discount = read_discount(data["discount"], basket.total if lines else amount or Decimal(0))
    except ValidationError as error:
        raise ValidationError({"discount": error.messages}) from error
    return record_sale(
        token=data["token"],
        lines=lines,
        amount=amount,
        discount=discount,
        customer_id=customer.pk if customer else None,
        newcomer=None if customer else form.newcomer_of(),
        location_id=data["location"].pk if data["location"] else None,
        happened_at=now(),
        actor=actor_of(request),
    )


def _add(form: SaleForm, basket: Basket, sku: str) -> list[Any]:
    """Put in the product of a button, or the only one that fits; return those to choose from."""
    wanted = sku or form.cleaned_data.get("q", "")
    found = find_products(wanted)
    if len(found) == 1:
        basket.add(found[0])
        return []
    if wanted and not found:
        form.add_error("q", _("No product fits."))
    return found


def _screen(
    request: HttpRequest,
    form: SaleForm,
    basket: Basket,
    customer: Customer | None,
    *,
    status: int = 200,
    **state: Any,
) -> HttpResponse:
    """Show the screen as it is now; only the form of it to htmx."""
    data = getattr(form, "cleaned_data", {})
    shops, own = shops_for(request.user)
    last = request.session.get(SHOP_IN_SESSION)
    chosen = form["location"].value() if form.is_bound else (own.code if own else last)
    is_new = state.get("is_new", bool(data.get("newcomer")) and customer is None)
    try:
        discount = read_discount(data.get("discount") or "", basket.total)
    except ValidationError:
        discount = Decimal(0)
    context = {
        "form": form,
        "token": data.get("token") or new_ref(),
        "basket": basket,
        "customer": customer,
        "contact": shown_contact(contacts_of([customer.pk])[customer.pk], request.user)
        if customer
        else None,
        "is_new": is_new,
        "who": state.get("who", data.get("who", "")),
        "q": data.get("q", "") if form.errors.get("q") or state.get("products") else "",
        "products": state.get("products", []),
        "shops": shops,
        "shop": chosen or "",
        "total": max(basket.total - discount, Decimal(0)),
        "discount": discount,
        "currency": settings.KEEPWELL_CURRENCY,
        "do": request.POST.get("do", "").partition(":")[0],
    }
    template = "crm/parts/sale.html" if is_fragment(request) else "crm/sale.html"
    return render(request, template, context, status=status)


def _buyer(request: HttpRequest) -> Customer | None:
    given = request.POST if request.method == "POST" else request.GET
    return _customer(given.get("customer", ""))


def _customer(ref: str) -> Customer | None:
    if not ref.isalnum():
        return None
    try:
        return get_customer(ref)
    except NotFound:
        return None
