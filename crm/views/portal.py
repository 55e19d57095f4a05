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
from common.registry import portal_panels
from common.time import now
from crm.roles import EVERYBODY
from crm.selectors import find_customer_of_user, language_of
from crm.selectors.consent import consent_board
from crm.services.profiles import choose_language
from crm.views.my_privacy import own_customer


@require_safe
@roles_required(read=EVERYBODY)
def me(request: HttpRequest) -> HttpResponse:
    """Greeting, panels of all apps, consent, language."""
    customer = find_customer_of_user(request.user)
    if customer is None:
        return render(request, "portal/nobody.html")
    context: dict[str, Any] = {
        "customer": customer,
        "panels": [
            {"template": panel.template, "context": values}
            for panel in sorted(portal_panels, key=lambda one: one.order)
            if (values := panel.load(customer.pk, request)) is not None
        ],
        "consents": [lines[0] for _purpose, lines in consent_board(customer.pk).purposes],
        "languages": settings.LANGUAGES,
        "language": language_of(customer),
    }
    return render(request, "portal/me.html", context)


@require_POST
@roles_required(read=EVERYBODY)
def my_language(request: HttpRequest) -> HttpResponse:
    """Choose the language of this page and of emails."""
    customer = own_customer(request)
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
