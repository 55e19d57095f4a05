"""Crash reports say where it broke, never whose data it was."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import crashes
from config.logs import MASK


def test_a_report_keeps_the_trace_and_drops_whose_data_it_was() -> None:
    event = {
        "exception": {"values": [{"type": "ValueError", "value": "no kim@customers.example"}]},
        "request": {
            "method": "POST",
            "url": "https://shop.example/customers/?q=Kim",
            "data": {"text": "words"},
            "cookies": {"sessionid": "x"},
        },
        "user": {"id": 7},
        "breadcrumbs": {"values": ["SELECT"]},
    }
    assert crashes.without_personal_data(event, {}) == {
        "exception": {"values": [{"type": "ValueError", "value": f"no {MASK}"}]},
        "request": {"method": "POST", "url": "https://shop.example/customers/"},
    }


def test_without_the_extra_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(crashes, "import_module", missing)
    with pytest.raises(ImproperlyConfigured, match="uv sync --extra sentry"):
        crashes.report_crashes("https://key@sentry.example/1")
