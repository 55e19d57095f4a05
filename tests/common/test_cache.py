"""Django's cache in the database, where throttles of signing in are counted."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client

import config.settings
from common.models import CacheRow

pytestmark = pytest.mark.django_db


@pytest.fixture
def _in_the_database(settings: Any) -> None:
    settings.CACHES = {**config.settings.CACHES}


@pytest.mark.system  # they migrate
@pytest.mark.usefixtures("_in_the_database")
def test_its_table_is_made_by_the_migrations() -> None:
    cache = caches["default"]
    assert "db" in type(cache).__module__
    assert cache.add("a", [1.5], timeout=60)
    assert not cache.add("a", [2.5], timeout=60)
    cache.set("a", "Кофе", timeout=60)
    assert cache.get("a") == "Кофе"
    assert CacheRow.objects.count() == 1


@pytest.mark.usefixtures("_in_the_database")
def test_limits_of_signing_in_hold_across_processes() -> None:
    answers = [
        Client().post("/accounts/login/code/", {"email": "nobody@example.com"}).status_code
        for _n in range(4)
    ]
    assert answers == [302, 302, 302, 200]
    assert CacheRow.objects.exists()
