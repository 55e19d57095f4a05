"""The customers' own page. It shows whoever is signed in only what is theirs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import roles_required
from common.errors import InvalidInput, NotFound
from common.registry import portal_panels
from common.time import now
from crm.forms import ConsentForm
from crm.models import ConsentEvent, Customer
from crm.roles import EVERYBODY
from crm.selectors import consents_of, find_customer_of_user, language_of
from crm.services import record_consent
from crm.services.profiles import choose_language


@require_safe
@roles_required(read=EVERYBODY)
def me(request: HttpRequest) -> HttpResponse:
    """Greeting, panels of all apps, consent, language."""
    customer = find_customer_of_user(request.user)
    if customer is None:
        return render(request, "portal/nobody.html")
    in_force = consents_of(customer.pk)
    context: dict[str, Any] = {
        "customer": customer,
        "panels": [
            {"template": panel.template, "context": values}
            for panel in sorted(portal_panels, key=lambda one: one.order)
            if (values := panel.load(customer.pk, request)) is not None
        ],
        "consents": [
            {
                "purpose": purpose,
                "is_granted": purpose.value in in_force and in_force[purpose.value].is_granted,
            }
            for purpose in ConsentEvent.Purpose
        ],
        "languages": settings.LANGUAGES,
        "language": language_of(customer),
    }
    return render(request, "portal/me.html", context)


@require_POST
@roles_required(read=EVERYBODY)
def my_consent(request: HttpRequest) -> HttpResponse:
    """Give or withdraw consent, by the same one button."""
    customer = _customer(request)
    form = ConsentForm(request.POST)
    if not form.is_valid():
        raise InvalidInput
    is_granted = form.cleaned_data["is_granted"] == "yes"
    record_consent(
        customer_id=customer.pk,
        purpose=form.cleaned_data["purpose"],
        is_granted=is_granted,
        happened_at=now(),
        actor=f"customer:{customer.pk}",
        source="portal",
    )
    messages.success(
        request, _("Thank you. You can change this any time.") if is_granted else _("Switched off.")
    )
    return redirect("crm:me")


@require_POST
@roles_required(read=EVERYBODY)
def my_language(request: HttpRequest) -> HttpResponse:
    """Choose the language of this page and of emails."""
    customer = _customer(request)
    language = request.POST.get("language", "")
    choose_language(
        customer_id=customer.pk,
        user_id=request.user.pk or 0,
        language=language,
        happened_at=now(),
        actor=f"customer:{customer.pk}",
    )
    with translation.override(language):
        messages.success(request, _("Saved."))
    response = redirect("crm:me")
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=365 * 24 * 3600,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        samesite="Lax",
    )
    return response


def _customer(request: HttpRequest) -> Customer:
    customer = find_customer_of_user(request.user)
    if customer is None:
        raise NotFound
    return customer
