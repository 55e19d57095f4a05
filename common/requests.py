"""What an edge needs to know of a request before it calls a service."""

from __future__ import annotations

from typing import Any

from common.services import SYSTEM


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


__all__ = ["SYSTEM", "actor_of"]
