"""Files as streams of chunks of columns; memory never grows with the file."""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import InvalidInput

CHUNK_ROWS = 10_000
CHUNK_CHARACTERS = 8_000_000  # a chunk of huge cells ends earlier
LONGEST_LINE = 1_000_000
LONGEST_CELL = 32_767  # a spreadsheet's limit too
BROKEN_WORKBOOK = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    IndexError,
    TypeError,
    OSError,
    EOFError,
    SyntaxError,  # what the XML parser raises
)
Refuse = Callable[[int, str, str, str], None]  # line, column, value, reason
Row = tuple[int, list[str] | str]  # line; its cells, or why it can't be read


class UnreadableFile(InvalidInput):
    """The file as a whole is not what it should be; nothing was imported."""

    code = "import_unreadable"
    message = gettext_lazy("The file can't be read.")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows as columns of text. lines: where each row begins in the file, from 1."""

    lines: Sequence[int]
    columns: dict[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Source:
    """A header and the chunks below it; ``chunks(refuse)`` can be called once."""

    header: list[str]
    chunks: Callable[[Refuse], Iterable[Chunk]]


def open_source(path: Path, *, delimiter: str = "") -> Source:
    """Return a CSV (UTF-8, with or without BOM) or XLSX file (its first sheet) as a source.

    delimiter: of a CSV file; empty means whichever of comma, semicolon and tab the header has.

    :raises UnreadableFile: neither, empty, or no header.
    """
    with path.open("rb") as file:
        is_workbook = file.read(4) == b"PK\x03\x04"
    rows = _workbook_rows(path) if is_workbook else _csv_rows(path, delimiter)
    _line, cells = next(rows, (1, _("The file is empty; it needs a header naming its columns.")))
    if isinstance(cells, str):
        raise UnreadableFile(cells)
    header = [_column_name(cell) for cell in cells]
    while header and not header[-1]:
        header.pop()
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise UnreadableFile(
            _("The header names a column twice: %(names)s.") % {"names": ", ".join(twice)}
        )
    return Source(header, lambda refuse: _chunks(header, rows, refuse))


def _column_name(cell: str) -> str:
    return " ".join(cell.split())[:255]


def _chunks(header: list[str], rows: Iterable[Row], refuse: Refuse) -> Iterator[Chunk]:
    width = len(header)
    lines: list[int] = []
    kept: list[list[str]] = []
    size = 0

    def chunk() -> Chunk:
        columns: dict[str, Sequence[str]] = dict(zip(header, zip(*kept, strict=True), strict=True))
        columns.pop("", None)
        return Chunk(list(lines), columns)

    for line, cells in rows:
        if isinstance(cells, str):
            refuse(line, "", "", cells)
            continue
        if len(cells) != width:
            if any(cells[width:]) or len(cells) < width:
                reason = _("This row has %(cells)s cells; the header has %(width)s.")
                refuse(line, "", "", reason % {"cells": len(cells), "width": width})
                continue
            del cells[width:]
        lines.append(line)
        kept.append(cells)
        size += sum(map(len, cells))
        if len(kept) >= CHUNK_ROWS or size > CHUNK_CHARACTERS:
            yield chunk()
            lines.clear()
            kept.clear()
            size = 0
    if kept:
        yield chunk()


class _Lines:
    """Physical lines of a text file; those of a broken record can be read again one by one."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.number = 0  # of the last line given out
        self.record: list[str] = []  # lines given out since the record began
        self.again: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        while line := (self.again.popleft() if self.again else self._next()):
            self.number += 1
            self.record.append(line)
            yield line

    def _next(self) -> str:
        try:
            line = self.file.readline(LONGEST_LINE)
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith(("\n", "\r")):
                rest = self.file.readline(LONGEST_LINE)  # the row is refused as too wide anyway
        except UnicodeDecodeError as error:
            reason = _("The file is not UTF-8 text: see near line %(line)s.")
            raise UnreadableFile(reason % {"line": self.number + 1}) from error
        return line

    def peek(self) -> str:
        """Return the next line without giving it out."""
        self.again.appendleft(line := self._next())
        return line

    def first_of_record(self) -> int:
        """Return the number of the line at which the present record began."""
        return self.number - len(self.record) + 1

    def step_back(self) -> None:
        """Give out the lines of the present record again, but for its first."""
        self.again.extendleft(reversed(self.record[1:]))
        self.number -= len(self.record) - 1
        self.record.clear()


def _csv_rows(path: Path, delimiter: str) -> Iterator[Row]:
    """Rows of a CSV file; what follows a broken row is read again from the next line.

    So of a quote that is opened and never closed only the row with the quote is lost.
    """
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = _Lines(file)
        delimiter = delimiter or max(",;\t", key=lines.peek().count)
        width = 0
        while True:
            broken = ""
            try:
                for cells in csv.reader(iter(lines), delimiter=delimiter, strict=True):
                    if len(lines.record) > 1 and width and len(cells) != width:
                        broken = _("A quote is opened in this row and not closed.")
                        break
                    if any(cells):
                        width = width or len(cells)
                        yield lines.first_of_record(), cells
                    lines.record.clear()
            except csv.Error as error:
                broken = _("The quotes of this row don't fit, or a cell is too long (%(error)s).")
                broken %= {"error": error}
            if not broken:
                return
            yield lines.first_of_record(), broken
            lines.step_back()


def _workbook_rows(path: Path) -> Iterator[Row]:
    import openpyxl

    try:
        with path.open("rb") as file:
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheet = workbook.worksheets[0]
            sheet.reset_dimensions()  # some programs state wrong ones
            width = 0
            for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
                cells = [_cell_text(value) for value in row]
                while cells and not cells[-1]:
                    cells.pop()
                if not cells:
                    continue
                width = width or len(cells)
                yield number, cells + [""] * (width - len(cells))  # a sheet has no ragged rows
    except BROKEN_WORKBOOK as error:
        raise UnreadableFile(_("The file is not a readable XLSX workbook.")) from error


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        # Spreadsheets keep 15 digits; what lies beyond is noise of binary fractions.
        return format(Decimal(format(value, ".15g")), "f")
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value)
