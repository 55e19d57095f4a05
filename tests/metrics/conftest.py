"""A fact store of its own for every test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def facts_folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """KEEPWELL_DATA_DIR is a new folder, whose files need not survive a power cut."""
    settings.KEEPWELL_DATA_DIR = tmp_path
    monkeypatch.setattr("metrics.facts.store.os.fsync", lambda handle: None)
    return tmp_path / "facts"
