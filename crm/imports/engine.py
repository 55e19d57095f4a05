"""Running an import: check every row into a scratch file, then apply records in portions.

Nothing is written before the whole file was read. Each portion is one short transaction that
also notes how far the import got, so the same import started again goes on from there.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from common.services import record_event
from common.time import now
from crm.imports.batches import (
    ImportPlan,
    close_failed,
    hold_batch,
    only_one_import,
    open_batch,
    pause_batch,
    release_batch,
)
from crm.imports.bulk import rare_checkpoints
from crm.imports.columns import stored_instant
from crm.imports.foresight import Foresight
from crm.imports.kinds import Context, Counts, Kind, kinds
from crm.imports.mapping import Mapping
from crm.imports.progress import Beat, ImportLetGo, ImportPaused, Progress, Tell
from crm.imports.rejects import group_rejects, keep_rejects, list_rejects, write_rejects_file
from crm.imports.scratch import Scratch
from crm.imports.sources import Chunk, Source, UnreadableFile
from crm.models import ImportBatch

# Table rows per transaction, and how long one should take. On SQLite a page waits for it, so 250 ms
# are the most it may take; PostgreSQL keeps nobody waiting but who writes the same customers.
SMALLEST, USUAL = 4_000, 8_000
LARGEST = {"sqlite": 24_000, "postgresql": 60_000}
TRANSACTION_SECONDS = {"sqlite": 0.15, "postgresql": 0.8}
# Millions of small objects live for a moment and none in a circle: looking for circles as often as
# Python does by itself costs a tenth of the time.
COLLECTED_EVERY = 100_000, 50, 50
ATTEMPTS = 3  # of a portion, where somebody else wrote the same record at the same time
SHOWN_REJECTS = 20
LOST_CONNECTION = (OperationalError, InterfaceError)


@dataclass(slots=True)
class Outcome:
    """What an import did. rows and rejected count rows of the file; the rest counts records.

    also_made: new records of other kinds, such as customers whom a file of orders names.
    problems: refused rows by cause, those of most rows first; see :func:`group_rejects`.
    is_finished: whether the import came to its end; else the same one goes on where it stopped.
    """

    kind: str
    mode: str
    batch: str | None
    rows: int = 0
    rejected: int = 0
    counts: Counts = field(default_factory=Counts)
    also_made: dict[str, int] = field(default_factory=dict)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)
    foreseen: dict[str, Any] = field(default_factory=dict)  # of a check: see :class:`Foresight`
    was_resumed: bool = False
    is_finished: bool = True
    is_paused: bool = False


def import_source(
    *,
    source: Source,
    plan: ImportPlan,
    mapping: Mapping | None = None,
    is_dry_run: bool = False,
    is_invented: bool = False,
    rejects_path: Path | None = None,
    batch: ImportBatch | None = None,
    tell: Tell = lambda text: None,
    beat: Beat = lambda: None,
    seconds: float | None = None,
) -> Outcome:
    """Bring the database to what a source of rows says, and return what that took.

    rejects_path: where to write the refused rows as CSV.
    batch: the row of an uploaded file, to be worked on instead of a new one. Then this does not
    wait while another import of this installation runs.
    tell: is given a line of progress about every second; beat is called as often, and may raise
    :class:`ImportLetGo`.
    seconds: after which writing is let go, for the next run of the same to go on with.
    Short transactions of its own: call it outside of any.

    :raises UnreadableFile: the header or the file is not what it should be; nothing is written.
    :raises AnotherImportRuns: it does not wait.
    """
    mapping = mapping or Mapping()
    context = Context(mapping, plan.mode, plan.actor, is_dry_run, is_invented)
    kind = kinds()[plan.kind](context)
    names = _names(source.header, kind, mapping)
    kind.check_header([*names.values(), *mapping.constants])
    outcome = Outcome(plan.kind, plan.mode, batch.ref if batch else None)
    outcome.ignored_columns = [name for name in source.header if name and name not in names]
    run = Run(kind, outcome, Progress(plan.kind, tell, beat, batch, seconds))
    if is_dry_run:
        with tempfile.TemporaryDirectory(prefix="keepwell-import-") as folder:
            run.scratch = Scratch(Path(folder) / "scratch.sqlite3", kind.stored, kind.kept)
            run.check(source, names, mapping)
            run.foresight = Foresight(plan.kind, context)
            run.apply(None)
            outcome.foreseen = run.foresight.found()
            run.report(rejects_path)
            run.scratch.discard()
        return outcome
    with only_one_import(tell, waits=batch is None):
        batch, scratch = open_batch(plan, batch, kind.stored, kind.kept)
        run.scratch, outcome.batch, run.progress.batch = scratch, batch.ref, batch
        try:
            with _rare_collections():
                if scratch.finding("rows") is not None:
                    run.take_up(batch)
                else:
                    run.check(source, names, mapping)
                with rare_checkpoints():
                    run.apply(batch)
            keep_rejects(batch, scratch)
            run.report(rejects_path)
            run.close(batch)
        except (ImportPaused, ImportLetGo) as stop:
            outcome.is_finished = False
            outcome.is_paused = isinstance(stop, ImportPaused)
            (pause_batch if outcome.is_paused else release_batch)(batch)
        except LOST_CONNECTION:
            raise  # to go on from, when the database is there again
        except Exception as error:
            known = isinstance(error, UnreadableFile)
            close_failed(batch, str(error) if known else type(error).__name__)
            scratch.discard()
            raise
        else:
            scratch.discard()
        finally:
            scratch.close()  # an interrupted run leaves the file, to go on from
    return outcome


@contextmanager
def _rare_collections() -> Iterator[None]:
    usual = gc.get_threshold()
    gc.set_threshold(*COLLECTED_EVERY)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _names(header: list[str], kind: Kind, mapping: Mapping) -> dict[str, str]:
    """Return the file's column names to ours.

    :raises UnreadableFile: the mapping names what is not there.
    """
    if unknown := sorted(
        (set(filter(None, mapping.columns.values())) | mapping.constants.keys())
        - kind.columns.keys()
    ):
        reason = _("The mapping names columns this kind does not have: %(names)s.")
        raise UnreadableFile(reason % {"names": ", ".join(unknown)})
    asked = {name for name, ours in mapping.columns.items() if ours}
    if absent := sorted(asked - set(header)):
        reason = _("The mapping names columns the file does not have: %(names)s.")
        raise UnreadableFile(reason % {"names": ", ".join(absent)})
    names: dict[str, str] = {}
    taken = {kind.aliases.get(ours, ours) for ours in mapping.columns.values()}
    for name in header:
        ours = mapping.columns.get(name) or name.casefold().replace(" ", "_")
        ours = kind.aliases.get(ours, ours)
        if name not in asked and ours in taken:
            continue  # another column was chosen for it
        if ours in kind.columns and ours not in mapping.constants:
            if ours in names.values():
                reason = _("Two columns of the file would be %(name)s.")
                raise UnreadableFile(reason % {"name": ours})
            names[name] = ours
    return names


class Run:
    """One import under way."""

    scratch: Scratch
    foresight: Foresight | None = None  # of a dry run

    def __init__(self, kind: Kind, outcome: Outcome, progress: Progress | None = None) -> None:
        self.kind, self.outcome = kind, outcome
        self.progress = progress or Progress(kind.name)
        self._portion = USUAL

    def check(self, source: Source, names: dict[str, str], mapping: Mapping) -> None:
        """Read the whole source; keep what is usable and what is wrong with the rest."""
        scratch, outcome = self.scratch, self.outcome
        self.kind.refuse, self.kind.number_new = scratch.add_rejects, scratch.number_new

        def refuse(line: int, name: str, value: str, reason: str) -> None:
            outcome.rows += 1
            scratch.add_rejects([(line, name, value, reason)])

        for chunk in source.chunks(refuse):
            rows = len(chunk.lines)
            columns = {ours: chunk.columns[theirs] for theirs, ours in names.items()}
            columns |= {name: [text] * rows for name, text in mapping.constants.items()}
            checked = self.kind.check(Chunk(chunk.lines, columns))
            outcome.rows += rows
            places, rejects = checked.rejects()
            kept: Iterable[Any] = self.kind.rows(checked)
            keys = checked.columns[self.kind.key]
            if rejects:
                scratch.add_rejects(rejects)
                scratch.add_spoiled(keys[place] for place in places if isinstance(keys[place], str))
                kept = [row for place, row in enumerate(kept) if place not in places]
                keys = [key for place, key in enumerate(keys) if place not in places]
            scratch.add_rows(kept, keys)
            self.progress.checked(outcome.rows)
        self.kind.settle(scratch)
        scratch.finish_checking(outcome.rows)
        self.progress.all_checked(outcome.rows)

    def take_up(self, batch: ImportBatch) -> None:
        """Go on where a killed run of the same import stopped."""
        self.kind.refuse = self.scratch.add_rejects
        self.outcome.was_resumed = True
        self.outcome.rows = int(self.scratch.finding("rows") or 0)
        self.outcome.counts = Counts(batch.created, batch.updated, batch.unchanged)

    def apply(self, batch: ImportBatch | None) -> None:
        """Apply all records, portion by portion; portions grow while they stay quick."""
        done = 0
        for mark, records in self._portions(batch.applied_through if batch else ""):
            self.scratch.commit()
            if self.foresight:
                self.foresight.add(records)
            began = time.monotonic()
            self._apply_portion(batch, mark, records)
            pace = TRANSACTION_SECONDS[connection.vendor] / max(time.monotonic() - began, 0.001)
            wanted = max(self._portion * min(pace, 2), SMALLEST)
            self._portion = int(min(wanted, LARGEST[connection.vendor]))
            done += len(records)
            self.progress.written(done)
        if batch:
            self.kind.write_trail = partial(self.kind.trail.write, batch)
            self.kind.finish(self.scratch)

    def _portions(self, after: str) -> Iterator[tuple[str, list[Any]]]:
        records: list[Any] = []
        weight, mark = 0, after
        for mark, key, rows in self.scratch.records(after):
            record = self.kind.gather(key, rows)
            if not record:
                continue
            if isinstance(record, list):
                records += record
            else:
                records.append(record)
            weight += self.kind.weight(rows)
            if weight >= self._portion:
                yield mark, records
                records, weight = [], 0
        if records:
            yield mark, records

    def _apply_portion(self, batch: ImportBatch | None, mark: str, records: list[Any]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with transaction.atomic():
                    if batch:
                        hold_batch(batch)
                    self.kind.trail.forget()
                    counts = self.kind.apply(
                        records, stamp=stored_instant(now()), scratch=self.scratch
                    )
                    if batch:
                        self.kind.trail.write(batch)
                        total = self.outcome.counts
                        ImportBatch.objects.filter(pk=batch.pk).update(
                            rows_total=self.outcome.rows,
                            created=total.created + counts.created,
                            updated=total.updated + counts.updated,
                            unchanged=total.unchanged + counts.unchanged,
                            applied_through=mark,
                        )
                break
            except IntegrityError:
                if attempt == ATTEMPTS:
                    raise
        self.outcome.counts.add(counts)

    def report(self, rejects_path: Path | None) -> None:
        """Count and show what was refused."""
        self.scratch.commit()
        self.outcome.rejected = self.scratch.rejected_rows()
        self.outcome.also_made = {
            f"{noun}s": count for noun, count in self.scratch.count_new().items()
        }
        for line, name, value, reason in list_rejects(self.scratch):
            if len(self.outcome.rejects) == SHOWN_REJECTS:
                break
            self.outcome.rejects.append(
                {"line": line, "column": name, "value": value, "reason": reason}
            )
        self.outcome.problems = group_rejects(self.scratch)
        if rejects_path:
            write_rejects_file(rejects_path, self.scratch)

    @transaction.atomic
    def close(self, batch: ImportBatch) -> None:
        """Declare the import done; one event tells of what it changed."""
        counts, finished_at = self.outcome.counts, now()
        ImportBatch.objects.filter(pk=batch.pk).update(
            status=ImportBatch.Status.DONE,
            rows_total=self.outcome.rows,
            rejected=self.outcome.rejected,
            finished_at=finished_at,
            claimed_until=None,
        )
        if counts.created or counts.updated:
            record_event(
                kind="import.finished",
                subject_kind="import",
                subject_ref=batch.ref,
                occurred_at=finished_at,
                actor=batch.actor,
                codes={
                    "kind": batch.kind,
                    "mode": batch.mode,
                    "created": counts.created,
                    "updated": counts.updated,
                },
            )
