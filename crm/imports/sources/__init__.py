"""Files as streams of chunks of columns; memory never grows with the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from django.utils.translation import gettext as _

from crm.imports.mapping import Mapping
from crm.imports.sources.base import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    Chunk,
    Refuse,
    Row,
    Source,
    UnreadableFile,
)
from crm.imports.sources.csv_rows import csv_rows
from crm.imports.sources.encodings import find_encoding
from crm.imports.sources.limits import Limits, check_file_size, import_limits
from crm.imports.sources.shaping import Shape, unguarded
from crm.imports.sources.workbook_rows import (
    count_sheet_rows,
    is_workbook,
    list_sheets,
    workbook_rows,
)

__all__ = [
    "CHUNK_ROWS",
    "LONGEST_CELL",
    "Chunk",
    "Limits",
    "Refuse",
    "Row",
    "Source",
    "UnreadableFile",
    "check_file_size",
    "count_sheet_rows",
    "import_limits",
    "is_workbook",
    "list_sheets",
    "name_columns",
    "open_source",
    "raw_rows",
]
LONGEST_CELL = 32_767  # of a row through the API; a spreadsheet's limit too


def open_source(path: Path, mapping: Mapping | None = None) -> Source:
    """Return a CSV or XLSX file as a source.

    mapping: what it says about encoding, delimiter, sheet, header and columns; the rest is found.

    :raises UnreadableFile: neither, empty, without header, or larger than the limits allow.
    """
    mapping = mapping or Mapping()
    limits = import_limits()
    rows = raw_rows(path, mapping, limits)
    first = next(rows, (1, _("The file is empty; it needs a header naming its columns.")))
    _line, cells = first
    if isinstance(cells, str):
        raise UnreadableFile(cells)
    names = name_columns(cells, has_header=mapping.has_header)
    if not mapping.has_header:
        rows = chain([first], rows)
    shape = Shape(names, mapping)
    return Source(shape.header, lambda refuse: _chunks(shape, limits.count(rows), refuse))


def raw_rows(path: Path, mapping: Mapping, limits: Limits) -> Iterator[Row]:
    """Yield the rows of a file as they stand, the header included.

    :raises UnreadableFile: on the first row or later; see :func:`open_source`.
    """
    limits.check_size(path.stat().st_size)
    if is_workbook(path):
        return workbook_rows(
            path, sheet=mapping.sheet, decimal_comma=mapping.decimal_comma, limits=limits
        )
    encoding = mapping.encoding or find_encoding(path)
    if encoding == "utf-8":
        encoding = "utf-8-sig"
    return csv_rows(path, encoding=encoding, delimiter=mapping.delimiter, limits=limits)


def name_columns(cells: Sequence[str], *, has_header: bool) -> list[str]:
    """Return the names of the columns; ``1``, ``2``, … where the file has none.

    :raises UnreadableFile: a name stands twice.
    """
    if not has_header:
        return [str(number) for number in range(1, len(cells) + 1)]
    header = [" ".join(unguarded(cell).removeprefix("\ufeff").split())[:255] for cell in cells]
    while header and not header[-1]:
        header.pop()
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise UnreadableFile(
            _("The header names a column twice: %(names)s.") % {"names": ", ".join(twice)}
        )
    return header


def _chunks(shape: Shape, rows: Iterator[Row], refuse: Refuse) -> Iterator[Chunk]:
    lines: list[int] = []
    kept: list[list[str]] = []
    size = 0

    def chunk() -> Chunk:
        columns: dict[str, Sequence[str]] = dict(
            zip(shape.header, zip(*kept, strict=True), strict=True)
        )
        return Chunk(list(lines), columns)

    for line, cells in shape.rows(_fitting(shape.width, rows)):
        if isinstance(cells, str):
            refuse(line, "", "", cells)
            continue
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


def _fitting(width: int, rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows; those that are not as wide as the header with the reason why not."""
    for line, cells in rows:
        if not isinstance(cells, str):
            if len(cells) != width:
                if any(cells[width:]) or len(cells) < width:
                    reason = _("This row has %(cells)s cells; the header has %(width)s.")
                    yield line, reason % {"cells": len(cells), "width": width}
                    continue
                del cells[width:]
            if "\0'" in "\0" + "\0".join(cells):  # any that begins so, at a third of the cost
                cells = [unguarded(cell) for cell in cells]
        yield line, cells
