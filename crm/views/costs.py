"""What winning and serving customers cost: a year by month, a month, and recording."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError, NotFound
from common.requests import actor_of
from common.time import Period, local_date, now
from crm.forms.money import CostFilterForm, CostForm
from crm.forms.refusals import show_refusal
from crm.roles import COST_READERS, MONEY_WRITERS, may_write
from crm.selectors.costs import cost_history, cost_months, cost_years, list_costs
from crm.services.costs import record_cost
from crm.views.sections import purchase_sections


@require_safe
@roles_required(read=COST_READERS)
def cost_list(request: HttpRequest) -> HttpResponse:
    """A year's costs by month; the latest year that has any unless another is asked for."""
    form = CostFilterForm(request.GET)
    years = cost_years()
    year = int(form.values["year"] or (years[0] if years else local_date(now()).year))
    shop = form.values["shop"]
    months = cost_months(year, location_id=shop.pk if shop else None)
    context = {
        "form": form,
        "year": year,
        "months": months,
        "has_any": bool(years),
        "may_write": may_write(request.user, MONEY_WRITERS),
        "sections": purchase_sections(request, "cost_list"),
    }
    return render(request, "crm/cost_list.html", context)


@require_safe
@roles_required(read=COST_READERS)
def cost_month(request: HttpRequest, month: str) -> HttpResponse:
    """One month: what is in force, and every row ever recorded."""
    try:
        period = Period.parse(month)
    except ValidationError as error:
        raise NotFound from error
    if period.unit != "month":
        raise NotFound
    in_force = list_costs(month=period.first_day).order_by("category", "location__name", "id")
    costs = list(in_force[:500])
    ids = {cost.pk for cost in costs}
    history = cost_history(period.first_day)
    context = {
        "month": period.first_day,
        "costs": costs,
        "earlier": [row for row in history if row.pk not in ids],
        "may_write": may_write(request.user, MONEY_WRITERS),
    }
    return render(request, "crm/cost_month.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MONEY_WRITERS)
def cost_new(request: HttpRequest) -> HttpResponse:
    """Record what a month cost; the same month, category and shop again corrects it."""
    names = ("month", "category", "location", "amount", "currency")
    initial = {name: request.GET[name][:64] for name in names if name in request.GET}
    initial.setdefault("month", f"{local_date(now()):%Y-%m}")
    form = CostForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            cost = record_cost(happened_at=now(), actor=actor_of(request), **form.values())
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The cost is recorded."))
            return redirect("crm:cost_month", month=f"{cost.month:%Y-%m}")
    return render(
        request, "crm/cost_form.html", {"form": form}, status=422 if form.is_bound else 200
    )
