"""What every kind of import has in common: columns, checking of chunks, applying of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext as _

from crm.imports.bulk import next_ids
from crm.imports.columns import Bad, Column, Memo
from crm.imports.lookups import Lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Reject, Row, Scratch
from crm.imports.sources import Chunk, UnreadableFile
from crm.imports.trail import Trail


@dataclass(slots=True)
class Counts:
    """Records (not rows) by what the import did to them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def add(self, other: Counts) -> None:
        """Add another chunk's counts."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged


@dataclass(slots=True)
class Checked:
    """A chunk with stored values. suspects: columns in which something may be bad."""

    lines: Sequence[int]
    columns: dict[str, list[Any]]
    suspects: set[str] = field(default_factory=set)
    texts: dict[str, Sequence[str]] = field(default_factory=dict)  # as they stand in the file

    def resolve(self, name: str, lookup: Lookup) -> None:
        """Replace codes by database ids."""
        if name in self.columns:
            self.columns[name] = lookup.find(self.columns[name])
            if lookup.has_bad:
                self.suspects.add(name)

    def spoil(self, name: str, place: int, reason: str | Bad) -> None:
        """Declare one cell unusable."""
        self.columns[name][place] = reason if isinstance(reason, Bad) else Bad(reason)
        self.suspects.add(name)

    def rejects(self) -> tuple[set[int], list[Reject]]:
        """Return the places of the unusable rows, and everything wrong with them."""
        places: set[int] = set()
        found: list[Reject] = []
        secret: set[int] = set()
        for name in sorted(self.suspects):
            texts = self.texts.get(name, ())
            for place, value in enumerate(self.columns[name]):
                if isinstance(value, Bad):
                    places.add(place)
                    text = texts[place] if texts else ""
                    found.append((self.lines[place], name, text, value.reason))
                    if value.is_secret:
                        secret.add(self.lines[place])
        return places, [
            (line, name, "" if line in secret else text, reason)
            for line, name, text, reason in found
        ]


@dataclass(frozen=True, slots=True)
class Context:
    """What an import is told beside the file. entry: ``history`` or ``live``."""

    mapping: Mapping
    entry: str
    actor: str
    is_dry_run: bool = False
    is_invented: bool = False  # names and addresses belong to nobody (demo data)


class Kind:
    """One kind of file. Subclasses say what its columns are and what becomes of its records.

    stored: what of a row is kept for applying, beside line and key; columns absent from the file
    are stored as None.
    """

    name: ClassVar[str]
    key: str  # the column whose value tells records apart; may follow from the mapping
    order: ClassVar[int] = 100  # its place among files that refer to each other
    stored: tuple[str, ...]
    derived: ClassVar[dict[str, str]] = {}  # stored column → the file's column it comes from

    def __init__(self, context: Context) -> None:
        self.context = context
        self.aliases: dict[str, str] = {}  # another name in a header → column
        self.columns = {column.name: column for column in self.list_columns(context.mapping)}
        self.present: set[str] = set()
        self._memos: dict[str, Memo] = {}
        # Is told what became of each record: its key, and created, updated or unchanged.
        self.note: Callable[[str, str], None] = lambda key, outcome: None
        self.refuse: Callable[[Iterable[Reject]], None] = lambda rejects: None
        # Returns a number below zero per code that nobody knows: see Scratch.number_new.
        self.number_new: Callable[[str, Iterable[str]], dict[str, int]] = lambda noun, codes: {}
        self.trail = Trail()  # apply() notes here what it makes and changes
        # Writes what was noted, in the caller's transaction; for what finish() does.
        self.write_trail: Callable[[], None] = lambda: None

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Return the columns this kind knows."""
        raise NotImplementedError

    def check_header(self, names: Iterable[str]) -> None:
        """Learn which columns there are.

        :raises UnreadableFile: a required one is missing.
        """
        self.present = set(names) & self.columns.keys()
        missing = [
            column.name
            for column in self.columns.values()
            if column.is_required and column.name not in self.present
        ]
        if missing:
            raise UnreadableFile(
                _("The file lacks columns: %(missing)s. Columns of this kind: %(known)s.")
                % {"missing": ", ".join(missing), "known": ", ".join(self.columns)},
                missing=missing,
            )
        theirs = self.context.mapping.values
        self._memos = {
            name: Memo(column, theirs.get(name))
            for name, column in self.columns.items()
            if name in names
        }

    def check(self, chunk: Chunk) -> Checked:
        """Return the chunk with stored values; what is unusable is marked."""
        checked = Checked(chunk.lines, {}, texts=chunk.columns)
        for name, memo in self._memos.items():
            checked.columns[name] = memo.read(chunk.columns[name])
            if memo.has_bad:
                checked.suspects.add(name)
        self.complete(checked)
        return checked

    def complete(self, checked: Checked) -> None:
        """Look up codes and check what concerns several columns."""

    @property
    def kept(self) -> tuple[str, ...]:
        """Those of the stored columns that this file fills."""
        return tuple(name for name in self.stored if self.derived.get(name, name) in self.present)

    def rows(self, checked: Checked) -> Iterable[Row]:
        """Return a checked chunk as rows for the scratch file."""
        columns = checked.columns
        stored = (columns[name] for name in self.kept)
        return zip(checked.lines, columns[self.key], *stored, strict=True)

    def settle(self, scratch: Scratch) -> None:
        """Refuse rows for reasons that only show when the whole file was read."""

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return one record made of its rows, a list of several, or None if none is usable."""
        return key, merged(rows)

    def weight(self, rows: list[Row]) -> int:
        """Return how much of a transaction a record takes; in table rows."""
        return 4 * len(rows)

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Bring the database to what the records say, in the caller's transaction.

        stamp: now, as stored. A dry run only counts.
        """
        raise NotImplementedError

    def takes(self, name: str, held: Any) -> bool:
        """Whether a known record takes what the file says in a column.

        name: of the stored column. held: what the record has there, as stored; no text and no
        value are empty, a zero is not. A cell that says nothing is the caller's to leave out.
        """
        mapping = self.context.mapping
        if mapping.overwrite == "nothing":
            return False
        is_kept = mapping.overwrite == "empty" or self.derived.get(name, name) in mapping.kept
        return not is_kept or held in (None, "")

    def overwritten(
        self, names: Sequence[str], held: Sequence[Any], told: Sequence[Any]
    ) -> tuple[Any, ...]:
        """Return what a known record's columns are to hold, as the mapping's ``overwrite`` says.

        told: what the file says, None where it says nothing.
        """
        return tuple(
            old if new is None or new == old or not self.takes(name, old) else new
            for name, old, new in zip(names, held, told, strict=True)
        )

    def new_ids(self, model: type[models.Model], count: int) -> Sequence[int]:
        """Reserve database ids; a dry run makes some up."""
        return range(count) if self.context.is_dry_run else next_ids(model, count)

    def finish(self, scratch: Scratch) -> None:
        """Do what is left when all records stand (not in a dry run); repeatable."""


def merged(rows: list[Row]) -> Row:
    """Return the stored values of several rows of one record: the last filled cell counts."""
    if len(rows) == 1:
        return rows[0][2:]
    values = list(rows[0][2:])
    for row in rows[1:]:
        for place, value in enumerate(row[2:]):
            if value is not None:
                values[place] = value
    return tuple(values)


_kinds: dict[str, type[Kind]] = {}


def register_kind(kind: type[Kind]) -> type[Kind]:
    """Make a kind known by its name; apps above add their own when they are ready."""
    _kinds[kind.name] = kind
    return kind


def kinds() -> dict[str, type[Kind]]:
    """Return every kind by its name, in the order in which files are best imported."""
    return dict(sorted(_kinds.items(), key=lambda item: item[1].order))
