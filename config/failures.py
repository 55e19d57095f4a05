"""The last page: shown when nothing else could be, so it relies on nothing."""

from __future__ import annotations

import structlog
from django.http import HttpRequest, HttpResponse
from django.template import loader

from common.problems import is_api, plain_problem


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 with a reference that the logs know, without user, session or database."""
    reference = structlog.contextvars.get_contextvars().get("request_id", "")
    if is_api(request):
        title = "Something broke on our side."
        return plain_problem(
            request, status=500, code="server_error", title=title, reference=str(reference)
        )
    try:
        page = loader.get_template("500.html").render({"reference": reference})
    except Exception:  # noqa: BLE001  whatever broke may have broken this page too
        page = f"Something broke on our side. Reference: {reference or '-'}"
    response = HttpResponse(page, status=500)
    if reference:
        response["X-Request-ID"] = reference
    return response
