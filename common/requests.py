"""What an edge needs to know of a request before it calls a service."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.utils.http import url_has_allowed_host_and_scheme

from common.services import SYSTEM

LONGEST_ADDRESS = 1_500  # encoded three times as long; redirects of over 8,192 are refused


def actor_of(request: Any) -> str:
    """Return who acts: ``key:<id>`` for an API key, ``user:<id>`` for a session, else ``public``.

    request: a Django or DRF request.
    """
    key = getattr(request, "auth", None)
    if key is not None and getattr(key, "pk", None):
        return f"key:{key.pk}"
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return f"user:{user.pk}"
    return "public"


def client_ip(request: Any) -> str:
    """Return the address of the client, as IPv4 or IPv6 text, for counting and never for trust.

    With ``settings.TRUSTED_PROXIES`` = n the n-th last entry of ``X-Forwarded-For`` is the
    client's: what stands before it is whatever the client claims. A local socket has no address
    and counts as this machine.
    """
    candidates = [request.META.get("REMOTE_ADDR", "")]
    if settings.TRUSTED_PROXIES:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        candidates.insert(0, forwarded[-min(settings.TRUSTED_PROXIES, len(forwarded))])
    for candidate in candidates:
        try:
            return str(ip_address(candidate.strip()))
        except ValueError:
            continue
    return "127.0.0.1"


def own_page(address: str) -> str:
    """Return an address given by a form if it is the path of a page of ours, else nothing."""
    is_path = address.startswith("/") and len(address) <= LONGEST_ADDRESS
    return address if is_path and url_has_allowed_host_and_scheme(address, None) else ""


__all__ = ["SYSTEM", "actor_of", "client_ip", "own_page"]
