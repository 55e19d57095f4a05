"""Pages turn refusals of the domain into clear pages, as the API turns them into problems."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from common.errors import DomainError


class DomainErrorMiddleware:
    """Renders an uncaught :class:`DomainError` of a page with its status and message."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Called by Django for every request."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Called by Django for an exception a view let through."""
        if not isinstance(error, DomainError):
            return None
        template = (
            "404.html"
            if error.status == 404
            else "403.html"
            if error.status == 403
            else "refused.html"
        )
        return render(request, template, {"error": error}, status=error.status)
