"""Imports for their pages and the API: the list, one of them, how far it is, what it refused."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from common.display import format_number
from common.errors import NotFound
from common.time import now
from crm.imports.batches import check_rejects_path
from crm.imports.mapping import Mapping, parse_mapping
from crm.imports.scratch import Reject
from crm.imports.sources import open_source
from crm.models import ImportBatch, ImportReject, ImportSource

Status = ImportBatch.Status
READING_SHARE = 40  # per cent of the bar: the file is checked once more before it is written
MOST_READ = 50_000  # refused rows looked at for the values of problems
MOST_VALUES = 12  # of one problem, to be mended each
UNDER_WAY = (Status.QUEUED, Status.RUNNING, Status.PAUSED)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import or a check is. percent: None where nobody can tell."""

    text: str
    percent: int | None
    is_busy: bool

    @property
    def said(self) -> int:
        """The tenth it is in: screen readers are told when it changes, not every two seconds."""
        return (self.percent or 0) // 10


@dataclass(slots=True)
class Problem:
    """Refused cells of one column with one cause. values: the most frequent, with how often."""

    column: str
    reason: str
    count: int
    lines: list[int] = field(default_factory=list)
    values: list[tuple[str, int]] = field(default_factory=list)
    more_values: int = 0


def mapping_of(batch: ImportBatch) -> Mapping:
    """Return how the batch's file is to be read."""
    return parse_mapping(batch.mapping)


def list_imports() -> QuerySet[ImportBatch]:
    """Return imports of files, those given up before anything was written left out."""
    given_up = Q(status=Status.STOPPED, rows_total=0, error="")
    return ImportBatch.objects.filter(file_digest__gt="").exclude(given_up)


def get_import(ref: str) -> ImportBatch:
    """Return the import of a file.

    :raises NotFound: there is none.
    """
    batch = ImportBatch.objects.filter(ref=ref, file_digest__gt="").first()
    if batch is None:
        raise NotFound
    return batch


def sources_of(kind: str) -> list[ImportSource]:
    """Return the saved mappings of a kind, the one used last first."""
    return list(ImportSource.objects.filter(kind=kind).order_by("-used_at")[:50])


def progress_of(batch: ImportBatch) -> Progress:
    """Return how far a batch is."""
    if batch.status == Status.CHECKING:
        expected = batch.checked.get("expected") or 0
        return Progress(
            _rows_text(batch.rows_checked), _share(batch.rows_checked, expected, 99), True
        )
    if batch.status == Status.UNDOING:
        return Progress(_("Being undone …"), None, True)
    if batch.status == Status.QUEUED or (
        batch.status == Status.RUNNING and not batch.rows_checked and not batch.rows_total
    ):
        return Progress(_waiting_text(batch), 0, True)
    if not batch.rows_total:
        expected = batch.checked.get("rows") or 0
        percent = _share(batch.rows_checked, expected, READING_SHARE)
        return Progress(_rows_text(batch.rows_checked), percent, True)
    return _writing(batch)


def _writing(batch: ImportBatch) -> Progress:
    done = batch.created + batch.updated + batch.unchanged
    found = batch.checked
    expected = sum(found.get(name) or 0 for name in ("created", "updated", "unchanged"))
    text = _("%(done)s records written") % {"done": _grouped(done)}
    if expected:
        text = _("%(done)s of %(all)s records written")
        text %= {"done": _grouped(done), "all": _grouped(max(expected, done))}
    written = _share(done, expected, 100 - READING_SHARE)
    percent = None if written is None else min(READING_SHARE + written, 99)
    is_busy = batch.status == Status.RUNNING
    return Progress(text, 100 if batch.status == Status.DONE else percent, is_busy)


def _rows_text(rows: int) -> str:
    if not rows:
        return _("The file is being opened …")
    return _("%(rows)s rows checked") % {"rows": _grouped(rows)}


def _waiting_text(batch: ImportBatch) -> str:
    others = ImportBatch.objects.filter(status=Status.RUNNING, claimed_until__gt=now())
    if others.exclude(pk=batch.pk).exists():
        return _("Waits for another import to end.")
    return _("Begins within seconds.")


def _share(done: int, of: int, percent: int) -> int | None:
    return min(done * percent // of, percent) if of else None


def _grouped(number: int) -> str:
    return format_number(number)


def list_check_rejects(batch: ImportBatch) -> Iterator[Reject]:
    """Yield the rows that the last check refused: line, column, value, reason."""
    path = check_rejects_path(batch)
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as file:
        for line, name, value, reason in islice(csv.reader(file), 1, None):
            yield int(line), name, value, reason


def list_rejects(batch: ImportBatch, *, after: int = 0) -> Iterator[Reject]:
    """Yield the rows that the import refused, or that its check would have it refuse.

    after: only those of lines after this one.
    """
    if batch.status in (Status.UPLOADED, Status.CHECKING):
        yield from (reject for reject in list_check_rejects(batch) if reject[0] > after)
        return
    rows = ImportReject.objects.filter(batch=batch, line__gt=after).order_by("line", "id")
    for row in rows.iterator(chunk_size=2_000):
        yield row.line, row.column, row.value, row.reason


def problems_of(batch: ImportBatch) -> list[Problem]:
    """Return what the last check would refuse by cause, the most frequent first, with values."""
    problems = {
        (found["column"], _NUMBER.sub("…", found["reason"])): Problem(
            found["column"], found["reason"], found["count"], found["lines"]
        )
        for found in batch.checked.get("problems", [])
    }
    counters: dict[tuple[str, str], Counter[str]] = {}
    for _line, name, value, reason in islice(list_check_rejects(batch), MOST_READ):
        cause = name, _NUMBER.sub("…", reason)
        if cause in problems:
            counters.setdefault(cause, Counter())[value] += 1
    for cause, counter in counters.items():
        problem = problems[cause]
        problem.values = counter.most_common(MOST_VALUES)
        problem.more_values = len(counter) - len(problem.values)
    return list(problems.values())


def grouped_rejects(batch: ImportBatch) -> list[Problem]:
    """Return what a finished import refused by cause, the most frequent first."""
    problems: dict[tuple[str, str], Problem] = {}
    for line, name, _value, reason in islice(list_rejects(batch), MOST_READ):
        cause = name, _NUMBER.sub("…", reason)
        problem = problems.setdefault(cause, Problem(name, reason, 0))
        problem.count += 1
        if len(problem.lines) < 10:
            problem.lines.append(line)
    return sorted(problems.values(), key=lambda one: -one.count)[:50]


def rejected_rows(batch: ImportBatch, path: Path) -> tuple[list[str], Iterator[list[str]]]:
    """Return the header of a batch's file, and its refused rows as they stand there.

    Reads the file once more; what could not be read as a row at all is left out.

    :raises UnreadableFile: the file is not what it was.
    """
    lines = {line for line, _name, _value, _reason in list_rejects(batch)}
    given = parse_mapping(batch.mapping)
    plain = replace(given, columns={}, fill_down={})
    source = open_source(path, plain)

    def rows() -> Iterator[list[str]]:
        if not lines:
            return
        last = max(lines)
        for chunk in source.chunks(lambda line, name, value, reason: None):
            columns = [chunk.columns[name] for name in source.header]
            for place, line in enumerate(chunk.lines):
                if line in lines:
                    yield [str(column[place]) for column in columns]
            if chunk.lines and chunk.lines[-1] >= last:
                return

    return list(source.header), rows()


def answer_of(batch: ImportBatch) -> dict[str, Any]:
    """Return a batch as the API tells it, without addresses."""
    found = batch.checked
    check = None
    if found.get("state"):
        check = {
            name: found.get(name)
            for name in ("state", "reason", "rows", "created", "updated", "unchanged", "rejected")
        }
        check["problems"] = found.get("problems", [])
        check["consequences"] = (found.get("foreseen") or {}).get("consequences", {})
    progress = progress_of(batch)
    return {
        "ref": batch.ref,
        "kind": batch.kind,
        "mode": batch.mode,
        "status": batch.status,
        "file_name": batch.file_name,
        "mapping": batch.mapping,
        "rows_checked": batch.rows_checked,
        "rows": batch.rows_total,
        "created": batch.created,
        "updated": batch.updated,
        "unchanged": batch.unchanged,
        "rejected": batch.rejected,
        "progress": progress.percent,
        "check": check,
        "error": batch.error,
        "started_at": batch.started_at,
        "finished_at": batch.finished_at,
    }
