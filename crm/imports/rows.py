"""Rows that come through the API: the same engine as for files, in one transaction, row by row.

A row that can't be used is refused with what is wrong in which field; the others are written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping as Fields
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import InvalidInput
from crm.imports.engine import Outcome, Run
from crm.imports.kinds import Context, Kind, kinds
from crm.imports.mapping import Mapping
from crm.imports.scratch import Scratch
from crm.imports.sources import LONGEST_CELL, Chunk, Source
from crm.models import ImportBatch

MOST_ROWS = 1_000
MOST_LINES = 500  # of one order
CREATED, UPDATED, UNCHANGED, REJECTED = "created", "updated", "unchanged", "rejected"
KEY_NAMES = {"orders": "external_id"}  # what the API calls the key, where a file calls it otherwise
LINES = "lines"


class TooManyRows(InvalidInput):
    """More rows than one request may bring."""

    code = "too_many_rows"
    status = 413
    message = gettext_lazy("Send at most 1,000 rows at once.")


@dataclass(slots=True)
class RowResult:
    """What became of one row. errors: field → messages, for a row that was refused."""

    key: str = ""
    outcome: str = REJECTED
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, name: str, reason: str) -> None:
        """Say what is wrong; the same once."""
        self.outcome = REJECTED
        texts = self.errors.setdefault(name, [])
        if reason not in texts:
            texts.append(reason)


@transaction.atomic
def import_rows(
    *, kind: str, rows: Sequence[Any], actor: str, happened_at: datetime
) -> list[RowResult]:
    """Create or change records as if entered today; return what became of each row, in order.

    rows: objects with the columns of ``kind`` as in docs/data-formats.md; an order may hold its
    ``lines`` as a list, and is then refused as a whole. Null and empty say nothing.

    :raises TooManyRows: over ``MOST_ROWS``; nothing is written.
    """
    if len(rows) > MOST_ROWS:
        raise TooManyRows
    subject = kinds()[kind](Context(Mapping(), ImportBatch.Mode.LIVE, actor))
    cells = _Cells(subject, rows)
    if not cells.lines:
        return cells.results
    subject.check_header(cells.header)
    outcomes: dict[str, str] = {}
    subject.note = outcomes.__setitem__
    batch = ImportBatch.objects.create(
        kind=kind, mode=ImportBatch.Mode.LIVE, actor=actor, file_name="", started_at=happened_at
    )
    run = Run(subject, Outcome(kind, ImportBatch.Mode.LIVE, batch.ref))
    with tempfile.TemporaryDirectory(prefix="keepwell-rows-") as folder:
        run.scratch = Scratch(Path(folder) / "scratch.sqlite3", subject.stored, subject.kept)
        try:
            run.check(cells.source(), dict(zip(cells.header, cells.header, strict=True)), Mapping())
            cells.take_rejects(run.scratch)
            cells.take_keys(run.scratch)
            run.apply(batch)
            run.report(None)
            cells.take_rejects(run.scratch)
        finally:
            run.scratch.discard()
    run.close(batch)
    cells.take_outcomes(outcomes)
    return cells.results


class _Cells:
    """The rows as lines of text, and which line belongs to which row."""

    def __init__(self, kind: Kind, rows: Sequence[Any]) -> None:
        self.kind = kind
        self.key_name = KEY_NAMES.get(kind.name, kind.key)
        self.results = [RowResult() for _row in rows]
        self.lines: list[dict[str, str]] = []
        self.row_of: list[int] = []
        for place, row in enumerate(rows):
            if lines := self._read(row, self.results[place]):
                self.lines += lines
                self.row_of += [place] * len(lines)
        used = {name for line in self.lines for name in line}
        required = {column.name for column in kind.columns.values() if column.is_required}
        if kind.name == "orders":
            required.add("amount")  # so that a row without lines lacks it, not the whole request
        self.header = [name for name in kind.columns if name in used | required]

    def _read(self, row: Any, result: RowResult) -> list[dict[str, str]]:
        """Return the lines of a row, none if it can't be read."""
        if not isinstance(row, Fields):
            result.refuse("", _("A row must be an object."))
            return []
        fields = dict(row)
        if self.key_name != self.kind.key and self.key_name in fields:
            fields.setdefault(self.kind.key, fields.pop(self.key_name))
        own_lines: Any = fields.pop(LINES, None) if self.kind.name == "orders" else None
        head = self._texts(fields, result, "")
        result.key = head.get(self.kind.key, "").strip()[:64]
        if own_lines is None:
            lines = [head]
        elif not isinstance(own_lines, list) or not 1 <= len(own_lines) <= MOST_LINES:
            result.refuse(LINES, _("Give a list of 1 to 500 lines."))
            return []
        else:
            lines = []
            for number, line in enumerate(own_lines, start=1):
                if not isinstance(line, Fields):
                    reason = _("Line %(number)s: a line must be an object.")
                    result.refuse(LINES, reason % {"number": number})
                    continue
                lines.append(head | self._texts(line, result, LINES))
        return [] if result.errors else lines

    def _texts(self, fields: Fields[str, Any], result: RowResult, inside: str) -> dict[str, str]:
        texts: dict[str, str] = {}
        for name, value in fields.items():
            shown = inside or str(name)[:60]
            if name not in self.kind.columns:
                known = _("Unknown field.")
                result.refuse(shown, f"{str(name)[:60]}: {known}" if inside else known)
                continue
            text = _text(value)
            if text is None or len(text) > LONGEST_CELL:
                result.refuse(shown, _("Give a text, a number, or yes or no."))
            elif text:
                texts[name] = text
        return texts

    def source(self) -> Source:
        """Return the lines as the engine reads them; they are numbered from 1."""
        columns: dict[str, Sequence[str]] = {
            name: [line.get(name, "") for line in self.lines] for name in self.header
        }
        chunk = Chunk(range(1, len(self.lines) + 1), columns)
        return Source(self.header, lambda refuse: [chunk])

    def take_rejects(self, scratch: Scratch) -> None:
        """Note what the engine refused; of a row with lines, every line is then taken out."""
        refused: set[int] = set()
        for number, name, _value, reason in scratch.rejects():
            place = self.row_of[number - 1]
            shown = self.key_name if name == self.kind.key else name
            self.results[place].refuse(shown, reason)
            refused.add(place)
        scratch.remove_lines(
            number for number, place in enumerate(self.row_of, start=1) if place in refused
        )

    def take_keys(self, scratch: Scratch) -> None:
        """Note the keys as the engine cleaned them."""
        for number, key in scratch.connection.execute("SELECT line, key FROM line"):
            self.results[self.row_of[number - 1]].key = key

    def take_outcomes(self, outcomes: dict[str, str]) -> None:
        """Note what became of the records of the rows that were not refused."""
        for result in self.results:
            if not result.errors:
                result.outcome = outcomes[result.key]


def _text(value: Any) -> str | None:
    """Return a value of JSON as the text of a cell; None if it is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, float):
        return format(Decimal(format(value, ".15g")), "f") if abs(value) < 1e15 else None
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ";".join(value)
    return None
