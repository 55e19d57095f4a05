"""What foreign money is worth: the list, and recording a day's rate."""

from __future__ import annotations

from django.conf import settings
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
from crm.forms.money import RateFilterForm, RateForm
from crm.forms.refusals import show_refusal
from crm.roles import MONEY_WRITERS, READERS, may_write
from crm.selectors.rates import list_rates, rate_of
from crm.services.rates import record_rate
from crm.views.sections import purchase_sections


@require_safe
@roles_required(read=READERS)
def rate_list(request: HttpRequest) -> HttpResponse:
    """Rates in force, latest day first."""
    form = RateFilterForm(request.GET)
    page = keyset_page(
        list_rates(currency=form.values["currency"] or ""),
        order=["-date", "-id"],
        cursor=request.GET.get("cursor", ""),
    )
    context = {
        "form": form,
        "rates": [{"row": row, "rate": rate_of(row).normalize()} for row in page.rows],
        "home": settings.KEEPWELL_CURRENCY,
        "may_write": may_write(request.user, MONEY_WRITERS),
        "sections": purchase_sections(request, "rate_list"),
        **page.urls(request),
    }
    return render(request, "crm/rate_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MONEY_WRITERS)
def rate_new(request: HttpRequest) -> HttpResponse:
    """Record a day's rate; the same day again corrects it."""
    initial = {
        name: request.GET[name][:20] for name in ("currency", "date", "rate") if name in request.GET
    }
    form = RateForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            record_rate(happened_at=now(), actor=actor_of(request), **form.cleaned_data)
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The rate is recorded."))
            return redirect("crm:rate_list")
    return render(
        request, "crm/rate_form.html", {"form": form}, status=422 if form.is_bound else 200
    )
