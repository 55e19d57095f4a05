"""Saying what a figure is to reach."""

from __future__ import annotations

from decimal import Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.permissions import ADMINS, roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from metrics.forms import TargetForm
from metrics.kpis import get_kpi
from metrics.selectors.targets import list_targets
from metrics.services.targets import set_target
from metrics.views.asking import ask
from metrics.views.groups import snapshots_of
from metrics.views.told import tell
from metrics.words import Shown, show_value


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=ADMINS)
def target(request: HttpRequest, key: str) -> HttpResponse:
    """What a figure is to reach; an empty field takes the target away."""
    kpi = get_kpi(key)
    present = list_targets().get(key)
    form = TargetForm(request.POST or None, kpi=kpi, initial={"value": _plain(present)})
    if request.method == "POST" and form.is_valid():
        value = form.cleaned_data["value"]
        try:
            set_target(key=key, value=value, happened_at=now(), actor=actor_of(request))
        except DomainError as error:
            show_refusal(form, error)
        else:
            said = _("The target is taken away.")
            if value is not None:
                said = _("The target is %(target)s.") % {"target": show_value(kpi, value)}
            messages.success(request, said)
            return redirect("metrics:figure", key)
    return render(
        request,
        "metrics/target.html",
        {"kpi": kpi, "form": form, "shown": _present(request, key)},
        status=422 if form.errors else 200,
    )


def _present(request: HttpRequest, key: str) -> Shown | None:
    """The figure as its own page begins with it; two queries."""
    asked = ask(request, unit="month" if get_kpi(key).per == "as_of" else "quarter")
    told = tell(key, snapshots_of([key], asked), asked)
    return told.shown if told else None


def _plain(value: Decimal | None) -> str:
    """A number as one types it: 70, not 7E+1 or 70.0000."""
    return "" if value is None else f"{value.normalize():f}"
