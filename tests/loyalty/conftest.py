"""A programme and a few shortcuts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from common.time import now
from loyalty.models import Programme
from loyalty.services import open_programme
from tests.cast import ACTOR, NOON
from tests.crm.imports.conftest import _own_data_folder, csv_file, imported

LONG_AGO = NOON - timedelta(days=400)


@pytest.fixture
def open_with(db: None) -> Callable[..., Programme]:
    """``terms -> the running programme``: 1 point per 1.00, 14 days for returns by default."""

    def opened(*, starts_at: datetime = LONG_AGO, **terms: Any) -> Programme:
        fields = {"name": "Sunny", "happened_at": now(), "actor": ACTOR} | terms
        return open_programme(starts_at=starts_at, **fields)

    return opened


@pytest.fixture
def programme(open_with: Callable[..., Programme]) -> Programme:
    """1 point per 1.00, rounded down, usable after 14 days for returns."""
    return open_with()


@pytest.fixture
def usable_at_once(open_with: Callable[..., Programme]) -> Programme:
    """1 point per 1.00, to be spent from the delivery on."""
    return open_with(pending_days=0)


__all__ = ["_own_data_folder", "csv_file", "imported", "open_with", "programme", "usable_at_once"]
