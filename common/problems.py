"""Errors of the API as RFC 9457 problem details."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from common.contention import refusal_of
from common.errors import DomainError

CONTENT_TYPE = "application/problem+json"
MEMBERS = {"type", "status", "code", "title", "errors"}  # of every problem; context can't take them


def problem(
    *,
    status: int,
    code: str,
    title: str,
    errors: dict[str, Any] | None = None,
    **extra: Any,
) -> Response:
    """Return a problem-details response. errors: field → list of messages."""
    body = {"type": "about:blank", "status": status, "code": code, "title": title}
    if errors:
        body["errors"] = errors
    body.update(extra)
    return Response(body, status=status, content_type=CONTENT_TYPE)


def plain_problem(
    request: HttpRequest, *, status: int, code: str, title: str, **extra: str
) -> HttpResponse:
    """Return a problem where no API view was reached: middleware, error pages."""
    body = {"type": "about:blank", "status": status, "code": code, "title": title} | extra
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)


def is_api(request: HttpRequest) -> bool:
    """Whether a program asked rather than a person."""
    return request.path.startswith("/api/")


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal becomes a problem; a bug stays a bug (500)."""
    error = refusal_of(error)
    if isinstance(error, DomainError):
        answer = problem(
            status=error.status,
            code=error.code,
            title=str(error.message),
            errors=error.fields,
            **{
                f"its_{key}" if key in MEMBERS else key: str(value)
                for key, value in error.context.items()
                if value is not None
            },
        )
        if error.is_transient:
            answer["Retry-After"] = "1"
        return answer
    if isinstance(error, ValidationError):
        fields = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        return problem(status=400, code="invalid", title=_("Invalid input."), errors=fields)
    if isinstance(error, RequestDataTooBig):
        return problem(status=413, code="body_too_large", title=_("The body is too large."))
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return problem(status=400, code="bad_request", title=_("The request can't be read."))
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    if isinstance(error, exceptions.ValidationError):
        detail = error.detail
        errors = detail if isinstance(detail, dict) else {"": detail}
        answer = problem(status=400, code="invalid", title=_("Invalid input."), errors=dict(errors))
    else:
        code = getattr(error.detail, "code", None) or error.default_code
        answer = problem(status=response.status_code, code=str(code), title=str(error.detail))
    for header, value in response.items():
        if header.lower() not in {"content-type", "content-length"}:
            answer[header] = value
    return answer
