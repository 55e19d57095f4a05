"""A fact store of its own for every test, and as a rule a handful of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings

from accounts.models import User
from metrics.kpis import KPIS

# Spark is no part of the everyday environment: `make test-spark`.
collect_ignore = [] if find_spec("pyspark") else ["test_engines_spark.py"]


@pytest.fixture(autouse=True)
def facts_folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """KEEPWELL_DATA_DIR is a new folder, whose files need not survive a power cut."""
    settings.KEEPWELL_DATA_DIR = tmp_path
    monkeypatch.setattr("metrics.facts.store.os.fsync", lambda handle: None)
    return tmp_path / "facts"


@pytest.fixture
def browser(client_for: Callable[[User], Client], mara: User) -> Client:
    """A manager's."""
    return client_for(mara)


@pytest.fixture
def berlin() -> Iterator[None]:
    """An organisation in Berlin that reckons in dollars; for tests of generated histories."""
    with override_settings(KEEPWELL_TIMEZONE="Europe/Berlin", KEEPWELL_CURRENCY="USD"):
        yield


# What a recompute works out unless a test asks for ``every_figure``, which takes a second.
FEW = (
    "retention_rate",
    "retention_rate_source",
    "churn_rate",
    "repeat_purchase_rate_90d",
    "repeat_purchase_rate_lifetime",
    "average_order_value",
    "complaint_rate",
    "nps",
)


@pytest.fixture
def every_figure() -> None:
    """Recomputes work out the whole registry."""


@pytest.fixture(autouse=True)
def few_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recomputes work out a few figures of every kind, unless ``every_figure`` is asked for."""
    if "every_figure" not in request.fixturenames:
        few = {key: KPIS[key] for key in FEW}
        monkeypatch.setattr("metrics.services.snapshots.KPIS", few)
