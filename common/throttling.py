"""Limits on how fast one caller may use the API."""

from __future__ import annotations

from typing import Any

from django.core.cache import BaseCache, caches
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from common.requests import actor_of, client_ip


class CallerThrottle(SimpleRateThrottle):
    """Counts per API key or user (``caller``), and per address for everybody else (``public``).

    Counted in each web process's memory: it stops a runaway program, and costs no write to the
    database. Guessing keys is hopeless anyway, and passwords are limited elsewhere, exactly.
    """

    scope = "caller"

    @property
    def cache(self) -> BaseCache:  # type: ignore[override]
        """Where the counts stand."""
        return caches["memory"]

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether this request is within the caller's limit."""
        if not request.user or not request.user.is_authenticated:
            self.scope = "public"
            self.rate = self.get_rate()
            self.num_requests, self.duration = self.parse_rate(self.rate)
        return super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: Any) -> str:
        """Who is counted."""
        ident = client_ip(request) if self.scope == "public" else actor_of(request)
        return self.cache_format % {"scope": self.scope, "ident": ident}
