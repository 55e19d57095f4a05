"""docs/data-formats.md names every column of every kind, and its examples come in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crm.imports.kinds import Context, kinds
from crm.imports.mapping import Mapping, parse_mapping
from crm.imports.presets import presets
from crm.services import NewLine
from tests.cast import ACTOR, NOON, make_customer, make_location, make_order, make_product
from tests.crm.imports.conftest import counts
from tests.crm.imports.malformed import make_programme

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
TEXT = (Path(__file__).parents[3] / "docs" / "data-formats.md").read_text()
TABLE = dict(re.findall(r"^\| (\w+) \| (\*\*.*) \|$", TEXT, re.MULTILINE))


def test_every_column_of_every_kind_is_described() -> None:
    assert set(TABLE) == set(kinds())
    for name, kind in kinds().items():
        columns = kind(Context(Mapping(), "history", ACTOR)).columns
        described = re.sub(r"\([^)]*\)|[;,]|and either|or(?= \*)", " ", TABLE[name])
        words = set(re.findall(r"[a-z_]+", described))
        assert words == columns.keys(), name
        bold = set(re.findall(r"\*\*(\w+)\*\*", TABLE[name]))
        required = {one.name for one in columns.values() if one.is_required}
        of_orders = {"sku", "quantity", "unit_price", "amount"}  # lines, or an amount
        assert bold - (of_orders if name == "orders" else set()) == required, name


def test_kinds_stand_in_the_order_in_which_they_are_best_imported() -> None:
    found = re.search(r"refers to the ones before it: \*\*(.*?)\*\*", TEXT, re.S)
    assert found
    assert [name.strip() for name in found[1].split(",")] == list(kinds())


def test_its_examples_come_in(imported: Callable[..., Any]) -> None:
    make_location(code="north")
    product = make_product(sku="TEA-1")
    ann = make_customer(external_id="C-7")
    line = NewLine(product_id=product.pk, quantity=Decimal(1), unit_price=Decimal(10))
    make_order(customer=ann, external_id="O-1001", ordered_at=NOON, lines=[line])
    make_programme()
    examples = re.findall(r"```csv\n(.*?)```", TEXT, re.S)
    found = [kind_of(text.split("\n")[0].split(",")) for text in examples]
    assert len(found) == len(set(found)) == 8
    for kind, text in zip(found, examples, strict=True):
        created, _updated, _unchanged, rejected = counts(imported(kind, text))
        assert (created, rejected) == (len(text.split("\n")) - 2, 0), kind


def kind_of(header: list[str]) -> str:
    """Return the only kind that has these columns and needs no others."""
    fitting = []
    for name, kind in kinds().items():
        columns = kind(Context(Mapping(), "history", ACTOR)).columns
        required = {one.name for one in columns.values() if one.is_required}
        if required <= set(header) <= columns.keys():
            fitting.append(name)
    (found,) = fitting
    return found


def test_its_mapping_and_settings_are_those_there_are() -> None:
    blocks = [
        json.loads(one)
        for one in re.findall(r"```json\n(.*?)```", TEXT, re.S)
        if 'columns":' in one
    ]
    mapping = parse_mapping(next(one for one in blocks if "date_format" in one))
    assert mapping.timezone == "Europe/Moscow"
    table = TEXT[TEXT.index("| Setting | Says |") : TEXT.index("`--preset KEY`")]
    cells = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == set(Mapping.__dataclass_fields__)
    told = TEXT[TEXT.index("`--preset KEY`") :]
    assert all(key in told or key.startswith("cdnow") for key in presets())
