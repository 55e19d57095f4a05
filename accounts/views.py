"""Pages around signing in that are not allauth's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.totp.views import ActivateTOTPView
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import check_for_language
from django.views.decorators.http import require_POST
from django.views.i18n import set_language as set_language_cookie

from accounts.services import change_language

View = Callable[..., HttpResponseBase]


def staff_only(view: View) -> View:
    """Decorator for allauth's pages about passwords and second factors, which customers lack."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.works_here:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


class EnrolSecondFactor(ActivateTOTPView):  # type: ignore[misc]
    """Allauth's page; whoever enrols has thereby shown the second factor in this session."""

    def form_valid(self, form: Any) -> HttpResponse:
        """Activate, and remember it."""
        response: HttpResponse = super().form_valid(form)
        record_authentication(self.request, self.request.user, method="mfa", type="totp")
        return response


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Switch the language: a cookie for this browser, and remembered for a signed-in user."""
    language = request.POST.get("language", "")
    if request.user.is_authenticated and check_for_language(language):
        change_language(user_id=request.user.pk, language=language)
    return set_language_cookie(request)


def locked_out(
    request: HttpRequest, original_response: HttpResponse, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Answer of django-axes to too many wrong passwords."""
    return render(request, "429.html", status=429)
