"""Pages turn refusals of the domain into clear pages, as the API turns them into problems."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from common.contention import refusal_of
from common.errors import DomainError, InvalidInput
from common.problems import is_api, plain_problem

SWAPPED = {200, 422}  # answers that htmx puts into the page
LEADING_ON = {"HX-Redirect", "HX-Refresh", "HX-Location"}


class DomainErrorMiddleware:
    """Renders an uncaught :class:`DomainError` of a page with its status and message."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Called by Django for every request."""
        # No page, file or parameter has NUL in it, and PostgreSQL would choke on one.
        if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return self._refuse(request, InvalidInput(_("The address can't be read.")))
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Called by Django for an exception a view let through."""
        if isinstance(error, ValidationError):  # a shared validator, called outside of a form
            error = InvalidInput(" ".join(error.messages))
        error = refusal_of(error)
        return self._refuse(request, error) if isinstance(error, DomainError) else None

    def _refuse(self, request: HttpRequest, error: DomainError) -> HttpResponse:
        if is_api(request):
            return plain_problem(
                request, status=error.status, code=error.code, title=str(error.message)
            )
        template = {404: "404.html", 403: "403.html"}.get(error.status, "refused.html")
        return render(request, template, {"error": error}, status=error.status)


class ToastMiddleware:
    """Puts messages behind the fragment an htmx request asked for; a page shows them itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Called by Django for every request."""
        response = self.get_response(request)
        # Not asked for by htmx, leading on to another page, or with nothing to put it behind.
        if (
            not getattr(request, "htmx", False)
            or response.status_code not in SWAPPED
            or response.headers.keys() & LEADING_ON
            or response.streaming
            or not response["Content-Type"].startswith("text/html")
        ):
            return response
        messages = get_messages(request)
        if len(messages):
            response.content += render_to_string(
                "parts/toasts_added.html", {"messages": messages}, request
            ).encode()
        return response
