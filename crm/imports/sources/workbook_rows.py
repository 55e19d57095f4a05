"""Rows of an XLSX workbook."""

from __future__ import annotations

import datetime as dt
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from crm.imports.sources.base import Row, UnreadableFile
from crm.imports.sources.limits import Limits

MOST_PARTS = 10_000  # files inside of the file
MOST_RATIO = 300  # unpacked to packed bytes; real workbooks reach a few dozen
RATIO_MATTERS = 50_000_000  # unpacked bytes
MOST_SHARED = 500_000_000  # bytes of the table of texts, which must be held in memory
BROKEN_WORKBOOK = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    RuntimeError,  # encrypted, or packed in a way that nobody unpacks here
    OverflowError,  # a date beyond all dates
    KeyError,
    ValueError,
    IndexError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    SyntaxError,  # what the XML parser raises
)


def is_workbook(path: Path) -> bool:
    """Whether the file is packed as XLSX workbooks are."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def list_sheets(path: Path, limits: Limits) -> list[str]:
    """Return the names of the workbook's sheets.

    :raises UnreadableFile: not a workbook.
    """
    import openpyxl

    try:
        check_parts(path, limits)
        with path.open("rb") as file:
            workbook = openpyxl.load_workbook(file, read_only=True)
            return [sheet.title for sheet in workbook.worksheets]
    except BROKEN_WORKBOOK as error:
        raise _broken() from error


def count_sheet_rows(path: Path, sheet: str) -> int:
    """Return how many rows a sheet says it has; 0 if it does not say."""
    import openpyxl

    try:
        with path.open("rb") as file:
            workbook = openpyxl.load_workbook(file, read_only=True)
            return int(_sheet(workbook, sheet).max_row or 0)
    except BROKEN_WORKBOOK as error:
        raise _broken() from error


def workbook_rows(path: Path, *, sheet: str, decimal_comma: bool, limits: Limits) -> Iterator[Row]:
    """Yield the rows of a sheet, the first one if it has no name; values as text.

    decimal_comma: how numbers are written, so that they are read as the texts beside them.

    :raises UnreadableFile: not a workbook, no such sheet, or packed to burst.
    """
    import openpyxl

    try:
        check_parts(path, limits)
        with path.open("rb") as file:
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
            found = _sheet(workbook, sheet)
            found.reset_dimensions()  # some programs state wrong ones
            width = 0
            for number, row in enumerate(found.iter_rows(values_only=True), start=1):
                cells = [cell_text(value, decimal_comma=decimal_comma) for value in row]
                while cells and not cells[-1]:
                    cells.pop()
                if not cells:
                    continue
                if not width:
                    width = len(cells)
                    limits.check_width(width)
                if max(map(len, cells)) > limits.characters:
                    yield number, _("A cell of this row is too long.")
                    continue
                yield number, cells + [""] * (width - len(cells))  # a sheet has no ragged rows
    except BROKEN_WORKBOOK as error:
        raise _broken() from error


def check_parts(path: Path, limits: Limits) -> None:
    """Pass if the workbook does not unpack to more than it may; the archive's word is kept to.

    :raises UnreadableFile: it does.
    """
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    packed = max(sum(part.compress_size for part in parts), 1)
    shared = sum(part.file_size for part in parts if part.filename.endswith("sharedStrings.xml"))
    is_bomb = unpacked > RATIO_MATTERS and unpacked / packed > MOST_RATIO
    if is_bomb or len(parts) > MOST_PARTS or shared > MOST_SHARED or unpacked > limits.size:
        raise UnreadableFile(
            _("This workbook unpacks to %(size)s MB, which is too much. Save it as CSV.")
            % {"size": f"{unpacked / 1e6:,.1f}"}
        )


def _sheet(workbook: Any, name: str) -> Any:
    if not name:
        return workbook.worksheets[0]
    for sheet in workbook.worksheets:
        if sheet.title.strip().casefold() == name.casefold():
            return sheet
    known = ", ".join(sheet.title for sheet in workbook.worksheets)
    raise UnreadableFile(
        _("The workbook has no sheet %(name)s; it has: %(known)s.") % {"name": name, "known": known}
    )


def _broken() -> UnreadableFile:
    return UnreadableFile(_("The file is not a readable XLSX workbook."))


def cell_text(value: Any, *, decimal_comma: bool = False) -> str:
    """Return a cell's value as it would stand in a CSV file; a date as ISO text with its time."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        # Spreadsheets keep 15 digits; what lies beyond is noise of binary fractions.
        text = format(Decimal(format(value, ".15g")), "f")
        return text.replace(".", ",") if decimal_comma else text
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, dt.date):
        return f"{value.isoformat()}T00:00:00"
    if isinstance(value, dt.time):
        return value.isoformat()
    return str(value)
