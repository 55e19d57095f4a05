"""Files that people open in a spreadsheet: text in them must never run as a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

BOM = "\ufeff"  # without it Excel reads UTF-8 as something else
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def safe_cell(value: Any) -> Any:
    """Return a value for a cell: text that a spreadsheet would run gets an apostrophe before it.

    Numbers stay numbers; no value is an empty cell.
    """
    if value is None:
        return ""
    if isinstance(value, str) and value.lstrip(" \u00a0\u3000").startswith(_STARTS_FORMULA):
        return f"'{value}"
    return value


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Return the lines of a CSV file that Excel, LibreOffice and programs read, safe cells only."""
    writer = csv.writer(_Echo())
    yield BOM + writer.writerow([safe_cell(name) for name in header])
    for row in rows:
        yield writer.writerow([safe_cell(value) for value in row])


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        """Return the text."""
        return text
