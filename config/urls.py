"""Every page of the product, composed from the apps' own URL files."""

from __future__ import annotations

from importlib.util import find_spec

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config import health
from config.home import home

handler500 = "config.failures.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("healthz/live", health.live, name="live"),
    path("healthz/ready", health.ready, name="ready"),
    path("-/prometheus", health.prometheus, name="prometheus"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api")),
    # Each app's pages stand at the root; its own urls.py says where.
    *(
        path("", include(f"{app}.urls"))
        for app in settings.KEEPWELL_APPS
        if find_spec(f"{app}.urls")
    ),
]
