"""The terms of the programme: what is promised, since when, and changing it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from crm.roles import may_write
from crm.selectors.actors import names_of_actors
from loyalty.forms.conditions import ConditionsForm
from loyalty.models import Programme, TermsVersion
from loyalty.selectors import find_programme, get_programme
from loyalty.selectors.previews import versions_of_terms
from loyalty.selectors.wording import describe_promises
from loyalty.services import change_terms
from loyalty.services.programme import checked_terms
from loyalty.views.public import public_terms
from loyalty.views.sections import loyalty_sections


@require_safe
@roles_required(read=STAFF_ROLES)
def conditions(request: HttpRequest) -> HttpResponse:
    """What members are promised, and every version of it."""
    programme = find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    at = now()
    versions = versions_of_terms(programme, at)
    authors = names_of_actors({row.version.actor for row in versions})
    context = {
        "programme": programme,
        "rows": [{"row": row, "author": authors.get(row.version.actor, "")} for row in versions],
        "may_manage": may_write(request.user, MANAGERS),
        "sections": loyalty_sections(request, "conditions"),
        **public_terms(programme),
    }
    return render(request, "loyalty/conditions.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def conditions_edit(request: HttpRequest) -> HttpResponse:
    """Change the terms from now or a later time on."""
    programme = find_programme()
    if programme is None:
        return redirect("loyalty:programme")
    latest = programme.terms_versions.latest("valid_from")
    form = ConditionsForm(request.POST if request.method == "POST" else None, latest=latest)
    is_saved = request.method == "POST" and request.POST.get("do", "save") == "save"
    if is_saved and form.is_valid():
        at = now()
        try:
            change_terms(
                programme_id=programme.pk,
                valid_from=form.cleaned_data["valid_from"] or at,
                happened_at=at,
                actor=actor_of(request),
                **form.content(),
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The terms are changed."))
            return redirect("loyalty:conditions")
    context: dict[str, Any] = {"form": form, "programme": programme}
    if form.is_bound and not is_saved:
        context |= _preview(form, programme)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "loyalty/conditions_form.html", context, status=status)


@require_POST
@roles_required(read=MANAGERS)
def conditions_preview(request: HttpRequest) -> HttpResponse:
    """Fragment: the sentences customers will read of the terms as they are typed."""
    context = _preview(ConditionsForm(request.POST), get_programme())
    return render(request, "loyalty/parts/conditions_preview.html", context)


def _preview(form: ConditionsForm, programme: Programme) -> dict[str, Any]:
    if form.is_valid():
        try:
            promised = TermsVersion(**checked_terms(form.content()))
            tiers = list(programme.tiers.order_by("rank"))
            return {"preview": describe_promises(promised, tiers, programme.currency)}
        except DomainError as error:
            show_refusal(form, error)
    missing = [
        {"label": form.fields[name].label if name in form.fields else "", "texts": texts}
        for name, texts in form.errors.items()
    ]
    return {"missing": missing}
