"""What the base layout needs on every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def layout(request: HttpRequest) -> dict[str, Any]:
    """Menu entries the user's role may see."""
    return {}
