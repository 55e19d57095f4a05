"""What a file is like, found out by looking at it before anybody says anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from django.utils.translation import gettext as _

from crm.imports.date_formats import (
    ISO,
    date_formats,
    fits,
    is_date_cell,
    is_naive_time,
    swapped,
)
from crm.imports.mapping import Mapping
from crm.imports.sources import (
    Row,
    UnreadableFile,
    count_sheet_rows,
    import_limits,
    is_workbook,
    list_sheets,
    name_columns,
    raw_rows,
)
from crm.imports.sources.csv_rows import sample_delimiter
from crm.imports.sources.encodings import BLOCK, find_encoding
from crm.imports.sources.shaping import Shape

SAMPLE_ROWS = 2_000
MORE_ROWS = 200_000  # looked through for a day above 12, where day and month can't be told apart
SHOWN_ROWS = 5
SHOWN_VALUES = 20
NUMBER = re.compile(r"[$€£¥₽]? ?[+-]?\d[\d\s.,’']*( ?[$€£¥₽%])?")
MOSTLY = 0.8
COMMA_IS_DECIMAL = re.compile(r"\D*\d+,(\d{1,2}|\d{4,})\D*|\D*\d{1,3}([.\s]\d{3})+,\d+\D*")
POINT_IS_DECIMAL = re.compile(r"\D*\d+\.(\d{1,2}|\d{4,})\D*|\D*\d{1,3}(,\d{3})+\.\d+\D*")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in a file.

    encoding, delimiter: of a text file.  sheets, sheet: of a workbook, and the one looked at.
    header: names as ``Mapping.columns`` uses them.  samples: the first rows beside the header.
    values: some distinct filled cells per column.
    date_formats: what all dates fit, day first before month first; two mean that a person must
    say; ``""`` is ISO 8601; none where there are no dates.
    has_naive_times: whether the timezone matters.  rows: of data; beyond the sample an estimate.
    """

    is_workbook: bool
    encoding: str
    delimiter: str
    sheets: list[str]
    sheet: str
    has_header: bool
    header: list[str]
    samples: list[list[str]]
    values: dict[str, list[str]]
    decimal_comma: bool
    date_formats: list[str]
    date_columns: list[str]
    number_columns: list[str]
    has_naive_times: bool
    rows: int
    is_rows_estimated: bool

    @property
    def date_format(self) -> str:
        """The likeliest format of dates; empty for ISO 8601, also where there are none."""
        return self.date_formats[0] if self.date_formats else ISO

    @property
    def is_date_unclear(self) -> bool:
        """Whether the day could be the month and the month the day in every row seen."""
        return len(self.date_formats) > 1

    def settle(self, mapping: Mapping) -> Mapping:
        """Return the mapping with what was found where it says nothing."""
        return replace(
            mapping,
            encoding=mapping.encoding or self.encoding,
            delimiter=mapping.delimiter or self.delimiter,
            sheet=mapping.sheet or (self.sheet if len(self.sheets) > 1 else ""),
            has_header=self.has_header,
            decimal_comma=mapping.decimal_comma or self.decimal_comma,
            date_format=mapping.date_format or self.date_format,
        )


def look_at(path: Path, mapping: Mapping | None = None) -> Findings:
    """Return what a file is like. Reads its bytes once or twice, and parses its first rows.

    mapping: what was said about it: its encoding, delimiter, sheet and header are then not found
    out again; its columns made of others, and cells filled down, are shown too.

    :raises UnreadableFile: no file to import, empty, mixed encodings, or beyond the limits.
    """
    said = mapping or Mapping()
    limits = import_limits()
    limits.check_size(path.stat().st_size)
    workbook = is_workbook(path)
    sheets = list_sheets(path, limits) if workbook else []
    if not workbook:
        encoding = said.encoding or find_encoding(path)
        delimiter = said.delimiter or sample_delimiter(path, encoding)
        said = replace(said, encoding=encoding, delimiter=delimiter)
    rows = raw_rows(path, replace(said, decimal_comma=False), limits)
    first = _first_row(rows)
    has_header = said.has_header if mapping else _is_header(first)
    names = name_columns(first, has_header=has_header)
    shape = _shape(names, said)
    wide = (row for row in rows if not isinstance(row[1], str) and len(row[1]) >= len(names))
    fitting: Iterator[Row] = ((line, list(cells[: len(names)])) for line, cells in wide)
    if not has_header:
        fitting = _after(first, fitting)
    shaped = shape.rows(fitting)
    table = [cells for _line, cells in islice(shaped, SAMPLE_ROWS) if not isinstance(cells, str)]
    texts = {name: _filled(row[place] for row in table) for place, name in enumerate(shape.header)}
    formats = {
        name: found for name, column in texts.items() if (found := date_formats(name, column))
    }
    is_more = len(table) == SAMPLE_ROWS
    together = _formats_together(formats, texts)
    if len(together) > 1 and is_more:
        together = _decide(together, formats, shape.header, shaped)
    numbers = [
        name
        for name, column in texts.items()
        if name not in formats and column and all(map(NUMBER.fullmatch, column))
    ]
    return Findings(
        is_workbook=workbook,
        encoding="" if workbook else said.encoding,
        delimiter="" if workbook else said.delimiter,
        sheets=sheets,
        sheet=said.sheet or (sheets[0] if sheets else ""),
        has_header=has_header,
        header=shape.header,
        samples=table[:SHOWN_ROWS],
        values={name: column[:SHOWN_VALUES] for name, column in texts.items()},
        decimal_comma=_is_comma_decimal(
            [
                column
                for name, column in texts.items()
                if name not in formats and _are_mostly_numbers(column)
            ],
            workbook,
        ),
        date_formats=together,
        date_columns=list(formats),
        number_columns=numbers,
        has_naive_times=any(is_naive_time(text) for name in formats for text in texts[name]),
        rows=_about(path, said.sheet, workbook) - has_header if is_more else len(table),
        is_rows_estimated=is_more,
    )


def _first_row(rows: Iterator[Row]) -> list[str]:
    _line, cells = next(rows, (1, _("The file is empty; it needs a header naming its columns.")))
    if isinstance(cells, str):
        raise UnreadableFile(cells)
    return list(cells)


def _is_header(cells: Sequence[str]) -> bool:
    """Whether a first row names columns: none of its cells is a number, date or address."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return not any(
        NUMBER.fullmatch(cell) or re.fullmatch(r"\S+@\S+\.\S+", cell) or date_formats("", [cell])
        for cell in filled
    )


def _shape(names: list[str], mapping: Mapping) -> Shape:
    """Return every column of the file, and those that the mapping puts together."""
    made = {name: ours for name, ours in mapping.columns.items() if name not in names and ours}
    whole = {name: name for name in names if name}
    return Shape(names, Mapping(columns=whole | made, fill_down=mapping.fill_down))


def _after(first: list[str], rows: Iterator[Row]) -> Iterator[Row]:
    yield 1, first
    yield from rows


def _filled(cells: Iterator[str]) -> list[str]:
    """Return the distinct filled cells in their order."""
    return list(dict.fromkeys(text for cell in cells if (text := cell.strip())))


def _formats_together(formats: dict[str, list[str]], texts: dict[str, list[str]]) -> list[str]:
    """Return the format that fits most columns; with its other order, if that fits as many."""
    voters = [
        found
        for name, found in formats.items()
        if not all(is_date_cell(text) for text in texts[name])  # they are read in any case
    ]
    if not voters:
        return [ISO] if formats else []
    scores: dict[str, int] = {}
    for one in [one for found in voters for one in found]:
        # A date alone fits the same format with a time too.
        scores[one] = sum(
            one in found or any(short and one.startswith(short) for short in found)
            for found in voters
        )
    best = max(scores, key=scores.__getitem__)  # the first of several: of the first column
    other = swapped(best)
    return [best, other] if other != best and scores.get(other) == scores[best] else [best]


def _decide(
    together: list[str], formats: dict[str, list[str]], header: list[str], rows: Iterator[Row]
) -> list[str]:
    """Look further down for a day above 12."""
    places = [
        place for place, name in enumerate(header) if set(formats.get(name, ())) & {*together}
    ]
    seen: set[str] = set()
    for _line, cells in islice(rows, MORE_ROWS):
        for place in places if not isinstance(cells, str) else ():
            text = cells[place].strip()
            if text and text not in seen:
                seen.add(text)
                left = [one for one in together if fits(one, [text])]
                if len(left) == 1:
                    return left
    return together


def _are_mostly_numbers(column: Sequence[str]) -> bool:
    """Whether a column is one of numbers, but for a few slips such as “N/A”."""
    return sum(bool(NUMBER.fullmatch(text)) for text in column) >= MOSTLY * max(len(column), 1)


def _is_comma_decimal(columns: Sequence[Sequence[str]], workbook: bool) -> bool:
    """Whether numbers show a comma before their decimals; in a workbook, those that are texts."""
    commas = sum(bool(COMMA_IS_DECIMAL.fullmatch(text)) for column in columns for text in column)
    points = sum(bool(POINT_IS_DECIMAL.fullmatch(text)) for column in columns for text in column)
    return commas > 0 if workbook else commas > points


def _about(path: Path, sheet: str, workbook: bool) -> int:
    return count_sheet_rows(path, sheet) if workbook else _count_lines(path)


def _count_lines(path: Path) -> int:
    """Return how many lines a text file has."""
    newlines, returns = 0, 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            newlines += block.count(b"\n")
            returns += block.count(b"\r")
    return newlines or returns
