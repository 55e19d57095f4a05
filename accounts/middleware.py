"""What a signed-in user brings along: a language, and the duty of a second factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from accounts.permissions import lead_whole_page, page_of_fragment
from common.problems import is_api, plain_problem

GetResponse = Callable[[HttpRequest], HttpResponse]
# Where somebody without the second factor still gets to: signing in and out, language, health.
OPEN_PREFIXES = ("/accounts/", "/i18n/", "/healthz/")


def owes_second_factor(request: HttpRequest) -> bool:
    """Whether somebody of the business signed in without the second factor asked of them."""
    user = request.user
    if not settings.REQUIRE_STAFF_TOTP or not user.is_authenticated or not user.works_here:
        return False
    records = get_authentication_records(request, user)
    return all(record["method"] != "mfa" for record in records)


class UserLanguageMiddleware:
    """A signed-in user's own language wins over the browser's."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Called by Django for every request."""
        user = request.user
        if user.is_authenticated and user.language:
            translation.activate(user.language)
            request.LANGUAGE_CODE = translation.get_language()
        return self.get_response(request)


class SecondFactorMiddleware:
    """No page opens for the business's people before they showed their second factor.

    Who has none yet is led to set one up. A session that began before it was set up elsewhere
    has not shown it either, and is asked to.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Called by Django for every request."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Called by Django before the page's view."""
        if request.path.startswith(OPEN_PREFIXES) or not owes_second_factor(request):
            return None
        if is_api(request):
            title = gettext("Show your second factor in the browser first.")
            return plain_problem(request, status=403, code="second_factor", title=title)
        if is_mfa_enabled(request.user, [Authenticator.Type.TOTP]):
            page = page_of_fragment(request) or request.get_full_path()
            answer = redirect_to_login(page, reverse("mfa_reauthenticate"))
        else:
            answer = redirect("mfa_activate_totp")
        return lead_whole_page(request, answer)
