"""The API's root: every app adds the ``api_urls`` of its ``api.py`` under ``/api/v1/``."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class UnknownUrl(APIView):
    """Answers for URLs that don't exist, so that a program gets a problem and not a page."""

    permission_classes = [AllowAny]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse before method, body or caller are looked at."""
        raise NotFound

    def get(self, request: Request, path: str) -> Response:
        """Never reached; makes the view answer to GET."""
        raise NotFound


def api_urls() -> list[URLPattern | URLResolver]:
    """Return the endpoints of every app that has some, from the front door down."""
    found: list[URLPattern | URLResolver] = []
    for app in settings.KEEPWELL_APPS:
        if find_spec(f"{app}.api"):
            found += getattr(import_module(f"{app}.api"), "api_urls", [])
    return found


urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    *api_urls(),
    re_path(r"^(?P<path>[\s\S]*)$", UnknownUrl.as_view(), name="api-unknown"),
]
