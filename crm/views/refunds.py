"""Money given back: the list, giving it, and correcting what was recorded."""

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
from common.time import now, organisation_timezone
from crm.forms.money import RefundCorrectionForm, RefundFilterForm, RefundForm
from crm.forms.refusals import show_refusal
from crm.roles import READERS, WRITERS, may_write, reads_texts
from crm.selectors.orders import get_order
from crm.selectors.refunds import get_refund, list_refunds, refunded_amount, refunded_lines
from crm.services.refunds import correct_refund, record_refund
from crm.views.sections import purchase_sections


@require_safe
@roles_required(read=READERS)
def refund_list(request: HttpRequest) -> HttpResponse:
    """Refunds in force, newest first."""
    form = RefundFilterForm(request.GET)
    shop = form.values["shop"]
    page = keyset_page(
        list_refunds(location_id=shop.pk if shop else None),
        order=["-refunded_at", "-id"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "form": form,
        "refunds": page.rows,
        "may_write": may_write(request.user),
        "reads_texts": reads_texts(request.user),
        "sections": purchase_sections(request, "refund_list"),
        **page.urls(request),
    }
    return render(request, "crm/refund_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def refund_new(request: HttpRequest, ref: str) -> HttpResponse:
    """Give money back for a purchase."""
    order = get_order(ref)
    form = RefundForm(
        request.POST or None, lines=list(order.lines.all()), given=refunded_lines(order.pk)
    )
    if request.method == "POST" and form.is_valid():
        try:
            record_refund(
                order_id=order.pk, happened_at=now(), actor=actor_of(request), **form.values()
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The refund is recorded."))
            return redirect("crm:order", ref=order.ref)
    context = {"form": form, "order": order, "left": order.amount - refunded_amount(order.pk)}
    return render(request, "crm/refund_form.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def refund_correct(request: HttpRequest, ref: str) -> HttpResponse:
    """Record what a refund really was."""
    refund = get_refund(ref)
    at = refund.refunded_at.astimezone(organisation_timezone())
    initial = {
        "amount": refund.amount,
        "refunded_at": at.strftime("%Y-%m-%dT%H:%M:%S"),
        "reason": refund.note.text if hasattr(refund, "note") else "",
    }
    form = RefundCorrectionForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            correct_refund(
                refund_id=refund.pk,
                happened_at=now(),
                actor=actor_of(request),
                **form.cleaned_data,
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("crm:order", ref=refund.order.ref)
    context = {"form": form, "refund": refund, "order": refund.order}
    return render(request, "crm/refund_correct.html", context, status=422 if form.is_bound else 200)
