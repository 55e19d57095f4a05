"""The programme at a glance: what is owed, what is promised, what happened last."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import STAFF_ROLES
from accounts.permissions import MANAGERS, roles_required
from common.errors import InvalidInput
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from crm.roles import may_write
from loyalty import selectors
from loyalty.forms.programme import ProgrammeForm
from loyalty.selectors.adjustments import adjustments_to_decide
from loyalty.selectors.checks import count_drifts
from loyalty.selectors.rules import list_rules
from loyalty.selectors.wording import worth_of
from loyalty.services import open_programme
from loyalty.views.sections import loyalty_sections

PAGE_SIZE = 25


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=STAFF_ROLES, write=MANAGERS)
def programme(request: HttpRequest) -> HttpResponse:
    """What is owed, the rules and the newest changes; a form where there is no programme yet."""
    if request.method == "POST":
        return _open_programme(request)
    found = selectors.find_programme()
    if found is None:
        form = ProgrammeForm() if may_write(request.user, MANAGERS) else None
        return render(request, "loyalty/programme_new.html", {"form": form})
    at = now()
    page = keyset_page(
        selectors.list_transactions(),
        order=["-id"],
        cursor=request.GET.get("cursor", ""),
        size=PAGE_SIZE,
    )
    conditions = selectors.conditions_of(found, at)
    may_manage = may_write(request.user, MANAGERS)
    totals = selectors.get_totals()
    context: dict[str, Any] = {
        "programme": found,
        "terms": conditions,
        "totals": totals,
        "worth": worth_of(conditions, totals.outstanding),
        "rules": [state for state in list_rules(found, at) if state.is_paying or state.coming],
        "transactions": page.rows,
        "drifts": count_drifts(),
        "may_manage": may_manage,
        "waiting": adjustments_to_decide().count() if may_manage else 0,
        "sections": loyalty_sections(request, "programme"),
        **page.urls(request),
    }
    return render(request, "loyalty/programme.html", context)


def _open_programme(request: HttpRequest) -> HttpResponse:
    form = ProgrammeForm(request.POST)
    if form.is_valid():
        try:
            open_programme(happened_at=now(), actor=actor_of(request), **form.cleaned_data)
        except InvalidInput as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The programme is open."))
            return redirect("loyalty:programme")
    return render(request, "loyalty/programme_new.html", {"form": form}, status=422)
