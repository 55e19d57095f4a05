"""Whatever is wrong with a row: nothing breaks, and its line and the reason are told."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from datetime import time as datetime_time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common.time import now
from crm.imports.batches import check_rejects_path
from crm.imports.detection import look_at
from crm.imports.files import import_file
from crm.imports.kinds import Context, kinds
from crm.imports.mapping import Mapping
from crm.imports.rejects import read_rejects_file
from crm.imports.sources import UnreadableFile
from crm.imports.suggestions import suggest_kinds, suggest_mapping
from crm.models import Customer, ImportBatch
from crm.services.import_sweep import sweep_imports
from crm.services.imports import check_import, match_import
from tests.cast import ACTOR
from tests.crm.imports.conftest import counts
from tests.crm.imports.malformed import (
    REQUIRED,
    USABLE,
    WRONG_CELLS,
    WRONG_ROWS,
    bad_rows,
    csv_line,
    make_what_rows_refer_to,
    malformed_file,
    many_bad_rows,
    usable,
)
from tests.crm.imports.uploads import make_upload
from tests.requirements import tries

pytestmark = pytest.mark.django_db
Import = Callable[..., Any]


def told(path: Path) -> dict[int, list[tuple[str, str]]]:
    """Line → the columns and reasons that a file of rejects gives."""
    found: dict[int, list[tuple[str, str]]] = {}
    for line, column, _value, reason in read_rejects_file(path, count=10_000_000):
        found.setdefault(line, []).append((column, reason))
    return found


def test_every_kind_and_every_column_is_spoiled_here() -> None:
    assert len(WRONG_CELLS) + len(WRONG_ROWS) >= 20
    assert set(USABLE) == set(kinds())
    for name, kind in kinds().items():
        columns = kind(Context(Mapping(), "history", ACTOR)).columns
        assert USABLE[name].keys() <= columns.keys(), name
        unused = columns.keys() - USABLE[name].keys()
        # An order is lines or an amount; a refund of a line needs a line.
        allowed = {"orders": {"amount", "cost", "product_name"}, "refunds": {"sku", "quantity"}}
        assert unused == allowed.get(name, set()), name
        required = {one.name for one in columns.values() if one.is_required}
        assert required <= REQUIRED[name], name


@pytest.mark.parametrize("kind", USABLE)
def test_each_malformed_row_is_told_with_line_column_and_reason(
    imported: Import, tmp_path: Path, kind: str
) -> None:
    make_what_rows_refer_to()
    rows = list(bad_rows(kind))
    rejects = tmp_path / "rejects.csv"

    outcome = imported(kind, malformed_file(kind, rows), rejects_path=rejects)

    found = told(rejects)
    # The header is line 1 and the usable row line 2. The quote that is never closed costs its row.
    for line, row in enumerate(rows, start=3):
        assert row.column in {column for column, _reason in found.get(line, ())}, (line, row)
        assert all(reason for _column, reason in found[line]), (line, row)
    assert sorted(found) == list(range(3, len(rows) + 3))
    assert counts(outcome) == (1, 0, 0, len(rows))
    assert outcome.rows == len(rows) + 1


@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: b"external_id,name\n" + text.encode("utf-16")),
        st.lists(st.binary(max_size=30), max_size=5).map(
            lambda cells: b"external_id,name\nc1,\xc3\xa4\nc2,\xc3\xa4\n" + b",".join(cells) + b"\n"
        ),
    )
)
@example(b"external_id,name\nc1,\xc3\xa4\nc2,\xed\xa0\x80\n")  # a lone surrogate in UTF-8
@example(b"external_id,name\nc1,\xc3\xa4\nc2,\xc0\x80\n")  # an overlong NUL
@example("external_id,name\nc1,ä\n".encode("utf-16") + b"\x00\xd8\n\x00")  # one in UTF-16
@example("external_id,name\nc1,ä\n".encode("utf-16") + b"x")  # half a character
@example(b"external_id,name\nc1,\xff\xfe\xfd\n")
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
@example(b"PK\x03\x04 not a workbook")
@settings(
    max_examples=tries(120),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_the_bytes_are_a_file_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    options: Any = {"mode": "history", "actor": ACTOR, "happened_at": now(), "is_dry_run": True}
    with suppress(UnreadableFile):
        findings = look_at(path)
        for kind, _sureness in suggest_kinds(findings):
            suggest_mapping(kind, findings)
    try:
        outcome = import_file(kind="customers", path=path, mapping=Mapping(), **options)
    except UnreadableFile as error:
        reasons = [str(error)]
    else:
        reasons = [row["reason"] for row in outcome.rejects]
        assert bool(outcome.rejected) == bool(reasons)
        assert outcome.rows >= outcome.rejected
    assert all(reasons)
    assert not Customer.objects.exists()


def small_workbook() -> bytes:
    """A workbook of four customers, of everything a cell may be."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["external_id", "name", "birth_date", "acquisition_cost"])
    sheet.append(["c1", "Ann", date(1990, 1, 1), 1.5])
    sheet.append(["#N/A", "#REF!", 1e300, True])
    sheet.append(["c3", "=1+1", -5, 1e18])
    sheet.append([None, datetime_time(1, 2), "x" * 40_000, ""])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


WORKBOOK = small_workbook()
FLAGS, METHOD = (WORKBOOK.index(b"PK\x01\x02") + place for place in (8, 10))


@given(
    changes=st.lists(
        st.tuples(st.integers(4, len(WORKBOOK) - 1), st.integers(0, 255)), min_size=1, max_size=30
    )
)
@example(changes=[(FLAGS, 0x01)])  # encrypted
@example(changes=[(FLAGS, 0x20)])  # patched data
@example(changes=[(METHOD, 99)])  # packed by a method that nobody knows
@example(changes=[(METHOD, 14)])
@example(changes=[(METHOD - 4, 215)])  # needs a version that is not out yet
@settings(
    max_examples=tries(120),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_damaged_workbook_is_read_or_refused(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(WORKBOOK)
    for place, byte in changes:
        content[place] = byte
    path = tmp_path / "file.xlsx"
    path.write_bytes(content)
    options: Any = {"mode": "history", "actor": ACTOR, "happened_at": now(), "is_dry_run": True}
    with suppress(UnreadableFile):
        look_at(path)
    with suppress(UnreadableFile):
        outcome = import_file(kind="customers", path=path, mapping=Mapping(), **options)
        assert all(row["reason"] for row in outcome.rejects)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"external_id,name\nc1,\xc3\xa4\nc2,\xed\xa0\x80\n", 3),
        (b"external_id,name\nc1,\xc3\xa4\nc2,b\nc3,\xc0\x80\n", 4),
        ("external_id,name\nc1,ä\n".encode("utf-16") + b"\x00\xd8\n\x00", 3),
    ],
    ids=["surrogate in UTF-8", "overlong NUL", "surrogate in UTF-16"],
)
def test_letters_that_are_none_refuse_the_file_with_the_line(
    imported: Import, content: bytes, line: int
) -> None:
    with pytest.raises(UnreadableFile, match=rf"line {line}\b"):
        imported("customers", content)
    assert not Customer.objects.exists()
    assert not ImportBatch.objects.filter(status=ImportBatch.Status.DONE).exists()


SECONDS = 60


@pytest.mark.system
@pytest.mark.parametrize("kind", ["customers", "orders"])
def test_a_hundred_thousand_malformed_rows_are_told_one_by_one_within_a_minute(
    imported: Import, tmp_path: Path, kind: str
) -> None:
    make_what_rows_refer_to()
    rows = many_bad_rows(kind, 100_000)
    assert len({row.wrong for row in rows}) >= 20
    content = malformed_file(kind, rows)
    rejects = tmp_path / "rejects.csv"

    began = time.monotonic()
    outcome = imported(kind, content, rejects_path=rejects)
    took = time.monotonic() - began

    found = told(rejects)
    for line, row in enumerate(rows, start=3):
        assert row.column in {column for column, _reason in found[line]}, (line, row)
    assert len(found) == len(rows)
    assert all(reason for cells in found.values() for _column, reason in cells)
    assert counts(outcome) == (1, 0, 0, 100_000)
    assert took < SECONDS


@pytest.mark.system
def test_the_pages_check_tells_a_hundred_thousand_malformed_rows_within_a_minute() -> None:
    make_what_rows_refer_to()
    rows = many_bad_rows("customers", 100_000)
    content = malformed_file("customers", rows)

    began = time.monotonic()
    batch = make_upload(content)
    columns = {name: name for name in USABLE["customers"]}  # whatever the values look like
    match_import(batch_id=batch.pk, kind="customers", mapping=Mapping(columns=columns))
    check_import(batch_id=batch.pk, happened_at=now())
    sweep_imports(now())
    took = time.monotonic() - began

    batch.refresh_from_db()
    assert (batch.checked["rows"], batch.checked["rejected"]) == (100_001, 100_000)
    found = told(check_rejects_path(batch))
    assert [line for line, row in enumerate(rows, start=3) if line not in found] == []
    assert Customer.objects.filter(external_id__startswith="C-").count() == 0
    problems = batch.checked["problems"]
    assert all(one["reason"] and one["count"] and one["lines"] for one in problems)
    assert took < SECONDS


ODD_CELLS = [text for wrong in WRONG_CELLS for text in wrong.texts if len(text) < 100] + [
    *("", "", "", "known", "member", "A", "centre", "bought", "0", "1", "0.0001", "99999999999"),
    *("2100-01-01", "1900-01-01", "2199-12-31T23:59:59-12:00", "1900-01-01T00:00:00+14:00"),
    *("resolved", "closed", "placed", "cancelled", "EUR", "ann@x.org", "yes", "no", "stars"),
    *("''", "'=1", "=1", "a\nb", '"', "ж" * 64, "left", "open", "internal", "spring"),
]


@pytest.mark.system
@pytest.mark.parametrize("mode", ["history", "live"])
@pytest.mark.parametrize("kind", USABLE)
def test_a_check_says_what_comes_of_any_rows_and_the_same_file_again_changes_nothing(
    imported: Import, kind: str, mode: str
) -> None:
    make_what_rows_refer_to()
    dice = random.Random(f"{kind} {mode}")  # noqa: S311 - the same rows each time
    refers = kind not in {"locations", "products", "rates", "costs"}
    for _turn in range(4):
        names = [name for name in USABLE[kind] if name in REQUIRED[kind] or dice.random() < 0.8]
        rows = []
        for _row in range(120):
            row, share = usable(kind, dice.randrange(40)), dice.choice([0, 0.03, 0.1, 0.3])
            rows.append(
                [dice.choice(ODD_CELLS) if dice.random() < share else row[n] for n in names]
            )
        mapping = Mapping(
            create_missing=dice.random() < 0.5,
            number_orders=kind == "orders" and dice.random() < 0.3,
            overwrite=dice.choice(["filled", "empty", "nothing"]),
            decimal_comma=dice.random() < 0.2,
            match_by=dice.choice(["", "", "email"]) if refers else "",
        )
        if mapping.match_by == "email" and kind in {"customers", "leads"} and "email" not in names:
            continue
        text = "".join(map(csv_line, [names, *rows]))
        checked = imported(kind, text, mode=mode, mapping=mapping, is_dry_run=True)
        done = imported(kind, text, mode=mode, mapping=mapping)
        again = imported(kind, text, mode=mode, mapping=mapping)
        assert counts(checked) == counts(done)
        assert counts(again)[:2] == (0, 0)
        assert again.rejected == done.rejected
