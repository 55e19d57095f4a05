"""How much a file may hold: settings of the installation, refused before work where possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from crm.imports.sources.base import Row, UnreadableFile


@dataclass(frozen=True, slots=True)
class Limits:
    """size: bytes of the file (of a workbook also unpacked).  rows: of data.  cells: in a row.

    characters: in a cell.
    """

    size: int
    rows: int
    cells: int
    characters: int

    def check_size(self, size: int) -> None:
        """Pass if a file of so many bytes may be read.

        :raises UnreadableFile: it is too large.
        """
        if size > self.size:
            raise UnreadableFile(
                _("The file has %(size)s MB; at most %(limit)s MB can be imported at once.")
                % {"size": f"{size / 1e6:,.1f}", "limit": f"{self.size / 1e6:,.1f}"}
            )

    def check_width(self, width: int) -> None:
        """Pass if a row may have so many cells.

        :raises UnreadableFile: too many.
        """
        if width > self.cells:
            raise UnreadableFile(
                _("The file has %(cells)s columns; at most %(limit)s can be imported.")
                % {"cells": width, "limit": self.cells}
            )

    def count(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Pass the rows on.

        :raises UnreadableFile: on the first row too many; nothing has been written by then.
        """
        for number, row in enumerate(rows, start=1):
            if number > self.rows:
                raise UnreadableFile(
                    _("The file has more than %(limit)s rows, the most at once. Split it.")
                    % {"limit": f"{self.rows:,}"}
                )
            yield row


def import_limits() -> Limits:
    """Return what this installation allows."""
    return Limits(
        settings.KEEPWELL_IMPORT_MAX_BYTES,
        settings.KEEPWELL_IMPORT_MAX_ROWS,
        settings.KEEPWELL_IMPORT_MAX_CELLS,
        settings.KEEPWELL_IMPORT_MAX_CELL_CHARS,
    )


def check_file_size(path: Path) -> None:
    """Pass if the file may be read at all.

    :raises UnreadableFile: it is too large.
    """
    import_limits().check_size(path.stat().st_size)
