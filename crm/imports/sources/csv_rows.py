"""Rows of a text file: separated by a character, or by runs of blanks."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO

from django.utils.translation import gettext as _

from crm.imports.sources.base import Row
from crm.imports.sources.encodings import encoding_refusal
from crm.imports.sources.limits import Limits

LONGEST_LINE = 1_000_000
BLANKS = " "  # the delimiter that stands for runs of blanks
DELIMITERS = ",;\t|"
SAMPLE_LINES, SAMPLE_CHARACTERS = 60, 200_000
COLUMNS_OF_BLANKS = re.compile(r"^\s|\S(\t|\s{2,})\S")


class _Lines:
    """Physical lines of a text file; those of a broken record can be read again one by one."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self.path = path
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
        except UnicodeError as error:
            raise encoding_refusal(self.path, self.file.encoding) from error
        return line

    def peek(self) -> list[str]:
        """Return some of the next lines without giving them out."""
        lines: list[str] = []
        size = 0
        while len(lines) < SAMPLE_LINES and size < SAMPLE_CHARACTERS and (line := self._next()):
            lines.append(line)
            size += len(line)
        self.again.extend(lines)
        return lines

    def first_of_record(self) -> int:
        """Return the number of the line at which the present record began."""
        return self.number - len(self.record) + 1

    def step_back(self) -> None:
        """Give out the lines of the present record again, but for its first."""
        self.again.extendleft(reversed(self.record[1:]))
        self.number -= len(self.record) - 1
        self.record.clear()


def csv_rows(path: Path, *, encoding: str, delimiter: str, limits: Limits) -> Iterator[Row]:
    """Yield the rows of a text file; what follows a broken row is read again from the next line.

    So of a quote that is opened and never closed only the row with the quote is lost.

    :raises UnreadableFile: the bytes are not of this encoding, or there are too many columns.
    """
    csv.field_size_limit(limits.characters)
    with path.open(encoding=encoding, newline="") as file:
        lines = _Lines(path, file)
        delimiter = delimiter or find_delimiter(lines.peek())
        rows = _blank_rows(lines) if delimiter == BLANKS else _quoted_rows(lines, delimiter)
        for number, (line, cells) in enumerate(rows):
            if not number and not isinstance(cells, str):
                limits.check_width(len(cells))
            yield line, cells


def sample_delimiter(path: Path, encoding: str) -> str:
    """Return what separates the cells of a text file.

    :raises UnreadableFile: its first bytes are not of this encoding.
    """
    with path.open(encoding=encoding, newline="") as file:
        return find_delimiter(_Lines(path, file).peek())


def _blank_rows(lines: _Lines) -> Iterator[Row]:
    for line in lines:
        if cells := line.split():
            yield lines.number, cells
        lines.record.clear()


def _quoted_rows(lines: _Lines, delimiter: str) -> Iterator[Row]:
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


def find_delimiter(lines: Sequence[str]) -> str:
    """Return what separates the cells of some first lines; a comma if nothing does.

    That character with which most rows are as wide as the first one, and the widest.
    """
    best, delimiter = (0, 0), ""
    for candidate in DELIMITERS:
        try:
            reader = csv.reader(lines, delimiter=candidate)
            widths = [len(cells) for cells in islice(reader, SAMPLE_LINES) if any(cells)]
        except csv.Error:
            widths = [lines[0].count(candidate) + 1]  # a broken quote, or a very long cell
        if widths and widths[0] > 1:
            score = (sum(width == widths[0] for width in widths), widths[0])
            best, delimiter = max((best, delimiter), (score, candidate))
    if delimiter:
        return delimiter
    filled = [line for line in lines if line.strip()]
    widths = [len(line.split()) for line in filled]
    if (
        filled
        and widths[0] > 1
        and len(set(widths)) == 1
        and sum(bool(COLUMNS_OF_BLANKS.search(line)) for line in filled) * 5 >= len(filled) * 4
    ):
        return BLANKS
    return ","
