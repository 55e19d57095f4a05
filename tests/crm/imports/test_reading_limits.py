"""What is too much is refused clearly, before work where possible, and nothing is written."""

import zipfile

import openpyxl
import pytest

from crm.imports.detection import look_at
from crm.imports.sources import UnreadableFile, import_limits
from crm.imports.sources.workbook_rows import check_parts
from crm.models import Customer, ImportBatch
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db
TEXT = "external_id,name\n1,Ann\n2,Bob\n3,Cid\n"


def nothing_was_written():
    return not Customer.objects.exists() and not ImportBatch.objects.filter(status="done").exists()


def test_a_file_of_too_many_bytes_is_refused_before_anything_is_read(imported, settings):
    settings.KEEPWELL_IMPORT_MAX_BYTES = len(TEXT) - 1

    with pytest.raises(UnreadableFile, match="MB"):
        imported("customers", TEXT)

    assert nothing_was_written()
    assert not ImportBatch.objects.exists()
    settings.KEEPWELL_IMPORT_MAX_BYTES = len(TEXT)
    assert counts(imported("customers", TEXT)) == (3, 0, 0, 0)


def test_a_file_of_too_many_rows_is_refused_whole(imported, settings):
    settings.KEEPWELL_IMPORT_MAX_ROWS = 2

    with pytest.raises(UnreadableFile, match="more than 2 rows"):
        imported("customers", TEXT)

    assert nothing_was_written()
    settings.KEEPWELL_IMPORT_MAX_ROWS = 3
    assert counts(imported("customers", TEXT)) == (3, 0, 0, 0)


def test_a_file_of_too_many_columns_is_refused_at_its_header(imported, settings):
    settings.KEEPWELL_IMPORT_MAX_CELLS = 1

    with pytest.raises(UnreadableFile, match="2 columns"):
        imported("customers", TEXT)

    assert nothing_was_written()


def test_a_cell_that_is_too_long_costs_its_row_only(imported, settings):
    settings.KEEPWELL_IMPORT_MAX_CELL_CHARS = 11

    outcome = imported("customers", "external_id,name\n1,Ann Brook Carter\n2,Bob\n")

    assert [row["line"] for row in outcome.rejects] == [2]
    assert list(Customer.objects.values_list("name", flat=True)) == ["Bob"]


@pytest.fixture
def workbook(tmp_path):
    book = openpyxl.Workbook()
    for row in TEXT.splitlines():
        book.active.append(row.split(","))
    path = tmp_path / "file.xlsx"
    book.save(path)
    return path


def test_the_limits_hold_for_workbooks_too(imported, workbook, settings):
    content = workbook.read_bytes()
    for name, least in (("ROWS", 2), ("CELLS", 1)):
        setting = f"KEEPWELL_IMPORT_MAX_{name}"
        before = getattr(settings, setting)
        setattr(settings, setting, least)
        with pytest.raises(UnreadableFile):
            imported("customers", content)
        setattr(settings, setting, before)
    assert nothing_was_written()
    assert counts(imported("customers", content)) == (3, 0, 0, 0)


def test_a_workbook_packed_to_burst_is_refused_unopened(imported, workbook):
    with zipfile.ZipFile(workbook, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet9.xml", b"\x00" * 60_000_000)
    size = workbook.stat().st_size
    assert size < 200_000

    with pytest.raises(UnreadableFile, match="unpacks to 60"):
        imported("customers", workbook.read_bytes())
    with pytest.raises(UnreadableFile, match="unpacks to 60"):
        look_at(workbook)

    assert nothing_was_written()


def test_a_workbook_that_lies_about_its_size_is_refused(imported, workbook, settings):
    settings.KEEPWELL_IMPORT_MAX_BYTES = workbook.stat().st_size
    with pytest.raises(UnreadableFile, match="unpacks"):
        check_parts(workbook, import_limits())  # what it unpacks to counts as well

    assert nothing_was_written()


def test_looking_at_a_file_keeps_to_the_limits(csv_file, settings):
    settings.KEEPWELL_IMPORT_MAX_CELLS = 1

    with pytest.raises(UnreadableFile, match="2 columns"):
        look_at(csv_file(TEXT))
