"""What became of refused rows: kept with the batch, and written as a CSV file on request."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import transaction

from common.spreadsheets import plain_cell, safe_cell
from crm.imports.bulk import portions
from crm.imports.scratch import Reject, Scratch
from crm.models import ImportBatch, ImportReject

LONGEST_VALUE, LONGEST_REASON = 255, 500
MOST_PROBLEMS, FIRST_LINES = 50, 10
_NUMBER = re.compile(r"\d+")
_SIGNED = re.compile(r"[+-]\d+([.,]\d+)?")  # a number calculates nothing
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def list_rejects(scratch: Scratch) -> Iterator[Reject]:
    """Yield refused rows with values that can be stored and shown."""
    for line, name, value, reason in scratch.rejects():
        shown = _UNPRINTABLE.sub("\ufffd", value)[:LONGEST_VALUE]
        yield line, name[:64], shown, reason[:LONGEST_REASON]


def keep_rejects(batch: ImportBatch, scratch: Scratch) -> None:
    """Store the refused rows with their batch, replacing those of an interrupted attempt."""
    ImportReject.objects.filter(batch=batch).delete()
    for portion in portions(list_rejects(scratch), 2_000):
        with transaction.atomic():
            ImportReject.objects.bulk_create(
                [
                    ImportReject(batch=batch, line=line, column=name, value=value, reason=reason)
                    for line, name, value, reason in portion
                ]
            )


def write_rejects_file(path: Path, scratch: Scratch) -> None:
    """Write the refused rows as CSV with the columns line, column, value, reason.

    People open it in a spreadsheet: what would run there gets an apostrophe before it.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "column", "value", "reason"])
        for line, name, value, reason in list_rejects(scratch):
            safe = value if _SIGNED.fullmatch(value) else safe_cell(value)
            writer.writerow([line, name, safe, safe_cell(reason)])


def read_rejects_file(path: Path, *, start: int = 0, count: int = 100) -> list[Reject]:
    """Return some of the rows that :func:`write_rejects_file` wrote, counted from ``start`` on.

    Empty when the file is gone: it is thrown away when somebody is erased.
    """
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = islice(csv.reader(file), start + 1, start + 1 + count)
        return [
            (int(line), name, plain_cell(value), plain_cell(reason))
            for line, name, value, reason in rows
        ]


@dataclass(slots=True)
class _Problem:
    """Refused cells of one column with one cause."""

    column: str
    reason: str
    count: int = 0
    lines: list[int] = field(default_factory=list)


def group_rejects(scratch: Scratch) -> list[dict[str, Any]]:
    """Return what was wrong by column and cause: column, reason, count, and the first lines.

    The most frequent first, at most ``MOST_PROBLEMS``. Reasons that differ only in their numbers
    (other lines, numbers of cells) are one, with “…” in place of the numbers. No values of cells.
    """
    problems: dict[tuple[str, str], _Problem] = {}
    for line, name, _value, reason in scratch.rejects():
        cause = _NUMBER.sub("…", reason)
        problem = problems.get((name, cause))
        if problem is None:
            problem = problems[name, cause] = _Problem(name[:64], reason[:LONGEST_REASON])
        elif problem.reason != reason:
            problem.reason = cause[:LONGEST_REASON]
        problem.count += 1
        if len(problem.lines) < FIRST_LINES:
            problem.lines.append(line)
    found = sorted(problems.values(), key=lambda one: (-one.count, one.lines[0], one.column))
    return [
        {"column": one.column, "reason": one.reason, "count": one.count, "lines": one.lines}
        for one in found[:MOST_PROBLEMS]
    ]
