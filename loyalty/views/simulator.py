"""What would a purchase earn, and why."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import roles_required
from common.errors import DomainError
from common.time import now
from crm.forms.refusals import show_refusal
from loyalty.forms.simulation import SimulationForm
from loyalty.selectors import find_programme
from loyalty.selectors.simulation import Simulation, simulate_order, simulate_recorded
from loyalty.views.moments import last_day_before
from loyalty.views.sections import loyalty_sections


@require_safe
@roles_required(read=STAFF_ROLES)
def simulator(request: HttpRequest) -> HttpResponse:
    """Try the rules on a purchase, step by step; nothing is written."""
    programme = find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    form = SimulationForm(request.GET if request.GET else None)
    context: dict[str, Any] = {
        "form": form,
        "programme": programme,
        "sections": loyalty_sections(request, "rules"),
    }
    if form.is_bound and form.is_valid():
        try:
            context["found"] = _simulated(form)
            context["last_day"] = last_day_before(context["found"].earning.expires_at)
            context["order"] = form.cleaned_data["order"]
        except DomainError as error:
            show_refusal(form, error)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "loyalty/simulator.html", context, status=status)


def _simulated(form: SimulationForm) -> Simulation:
    data = form.cleaned_data
    if data["order"] is not None:
        return simulate_recorded(data["order"].pk)
    customer, location = data["customer"], data["location"]
    return simulate_order(
        at=data["at"] or now(),
        amount=data["amount"],
        lines=form.lines(),
        customer_id=customer.pk if customer else None,
        location_id=location.pk if location else None,
        channel=data["channel"],
    )
