"""Files that people open in a spreadsheet: text in them must never run as a formula.

A cell that a spreadsheet would run gets an apostrophe before it; reading takes exactly that one
away again (:func:`plain_cell`), so that what went out comes back as it was, texts that began with
an apostrophe themselves included.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any

BOM = "\ufeff"  # without it Excel reads UTF-8 as something else
LINES_AT_ONCE = 200
# The wide forms of East Asian keyboards count too. Apostrophes before it make no difference.
_FORMULA = re.compile(r"'*[ \u00a0\u3000]*[=+\-@|%\t\r\n＝＋－＠]")
_PHONE = re.compile(r"\+\d[\d ().]{4,}")  # calculates nothing
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def safe_cell(value: Any) -> Any:
    """Return a value for a cell: text that a spreadsheet would run gets an apostrophe before it.

    Numbers stay numbers; no value is an empty cell.
    """
    if value is None:
        return ""
    if isinstance(value, str) and _FORMULA.match(value) and not _PHONE.fullmatch(value):
        return f"'{value}"
    return value


def plain_cell(text: str) -> str:
    """Return the text of a cell that :func:`safe_cell` may have written."""
    if text[:1] == "'" and _FORMULA.match(text, 1):
        return text[1:]
    return text


def cell_text(value: Any) -> str:
    """Return a safe cell as text: instants as ISO in UTC to the last digit, nothing as nothing."""
    if isinstance(value, str):
        return str(safe_cell(value))
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | int):
        return str(value)
    return str(safe_cell(str(value)))


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Return the lines of a CSV file that Excel, LibreOffice and programs read, safe cells only."""
    writer = csv.writer(_Echo())
    yield BOM + writer.writerow([safe_cell(name) for name in header])
    for row in rows:
        yield writer.writerow([safe_cell(value) for value in row])


def csv_stream(lines: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield a CSV file in UTF-8 as it is made, some hundred lines at a time; the head is a line."""
    buffer = io.StringIO()
    buffer.write(BOM)
    writer = csv.writer(buffer)
    for number, line in enumerate(lines, start=1):
        writer.writerow(map(cell_text, line))
        if number % LINES_AT_ONCE == 0:
            yield buffer.getvalue().encode("utf-8", "replace")
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode("utf-8", "replace")


def xlsx_file(lines: Iterable[Sequence[Any]]) -> IO[bytes]:
    """Return an XLSX file, open for reading; on disk, so that memory stays small.

    Amounts and counts are numbers there, everything else is text, so that no id loses its zeros.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet()
    for line in lines:
        cells = []
        for value in line:
            is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
            shown = value if is_number else _NO_XML.sub("", cell_text(value))
            cell = WriteOnlyCell(sheet, value=shown)
            if not is_number:
                cell.data_type = "s"  # never a formula, whatever it begins with
            cells.append(cell)
        sheet.append(cells)
    file = TemporaryFile()  # noqa: SIM115 - closed by the response that sends it
    workbook.save(file)
    file.seek(0)
    return file


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        """Return the text."""
        return text
