"""Writing small files and importing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from common.time import now
from crm.imports.engine import Outcome
from crm.imports.files import import_file
from crm.imports.mapping import Mapping
from tests.cast import ACTOR, make_location, make_product


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path: Path, settings: Any) -> None:
    """Scratch files and the lock of imports of this test only."""
    settings.KEEPWELL_DATA_DIR = tmp_path / "data"


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """``text -> path`` of a file with it, in UTF-8."""

    def write(text: str | bytes, name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def imported(db: None, csv_file: Callable[..., Path]) -> Callable[..., Outcome]:
    """``kind, text -> outcome`` of importing it as history."""

    def run(kind: str, text: str | bytes, **options: Any) -> Outcome:
        mapping = options.pop("mapping", Mapping())
        defaults = {"mode": "history", "actor": ACTOR, "happened_at": now()}
        return import_file(kind=kind, path=csv_file(text), mapping=mapping, **(defaults | options))

    return run


@pytest.fixture
def catalogue(db: None) -> None:
    """Products A, B and C and a shop called centre."""
    for sku in "ABC":
        make_product(sku=sku)
    make_location(code="centre")


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    """created, updated, unchanged, rejected."""
    done = outcome.counts
    return done.created, done.updated, done.unchanged, outcome.rejected


def orders_file(rows: Sequence[Sequence[object]]) -> str:
    """A file of order lines: order_id, customer_id, ordered_at, sku, quantity, unit_price."""
    lines = ["order_id,customer_id,ordered_at,sku,quantity,unit_price"]
    return "\n".join([*lines, *(",".join(map(str, row)) for row in rows)]) + "\n"
