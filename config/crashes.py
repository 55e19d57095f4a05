"""Crash reports to Sentry, when ``SENTRY_DSN`` is set: where it broke, never whose data it was."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.logs import cleaned_address, cleaned_text


def report_crashes(dsn: str) -> None:
    """Send unhandled errors of web and worker to ``dsn``.

    :raises ImproperlyConfigured: the ``sentry`` extra is not installed, or the address is wrong.
    """
    try:
        sentry = import_module("sentry_sdk")
    except ImportError as error:
        raise ImproperlyConfigured(
            "SENTRY_DSN is set, but sentry-sdk is not installed: uv sync --extra sentry."
        ) from error
    try:
        sentry.init(
            dsn=dsn,
            send_default_pii=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            before_send=without_personal_data,
        )
    except ValueError as error:
        raise ImproperlyConfigured(f"SENTRY_DSN cannot be used: {error}.") from error


def without_personal_data(event: dict[str, Any], _hint: dict[str, Any]) -> dict[str, Any]:
    """Keep the trace; of the request only method and path, of messages no addresses."""
    for key in ("user", "extra", "breadcrumbs"):
        event.pop(key, None)
    request = event.pop("request", None)
    if request:
        event["request"] = {
            "method": request.get("method", ""),
            "url": cleaned_address(request.get("url", "")),
        }
    for value in event.get("exception", {}).get("values", []):
        value["value"] = cleaned_text(str(value.get("value", "")))
    if "transaction" in event:
        event["transaction"] = cleaned_address(event["transaction"])
    return event
