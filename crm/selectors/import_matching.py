"""How a file would be read: what its columns become, five rows side by side with our values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _

from common import display
from common.money import from_units
from common.services import SYSTEM
from common.time import organisation_timezone
from common.validators import holds_unusable_text
from crm.imports.columns import Bad, Column, Memo
from crm.imports.detection import Findings, look_at
from crm.imports.kinds import Context, Kind, kinds
from crm.imports.mapping import Mapping, parse_mapping
from crm.imports.presets import Preset, presets, recognise
from crm.imports.sources import UnreadableFile
from crm.imports.suggestions import SURE, suggest_columns, suggest_kinds, suggest_mapping
from crm.models import ImportSource
from crm.selectors.import_words import column_label
from crm.selectors.imports import sources_of

SAMPLE_ROWS = 5
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?$")
_DAY = re.compile(r"\d{4}-\d\d-\d\d$")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a sample row: their text, our value as people read it, or why there is none."""

    theirs: str
    ours: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ColumnMatch:
    """A column of the file, or one put together of several, and what becomes of it.

    is_guess: it may as well be another one.
    """

    place: int
    theirs: str
    ours: str
    cells: list[Cell] = field(default_factory=list)
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """A required column that the file lacks."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Match:
    """How a file would be read. reason: why it can't be imported like this; empty if it can."""

    kind: str
    mapping: Mapping
    findings: Findings
    columns: list[ColumnMatch]
    choices: list[tuple[str, str]]
    missing: list[Missing]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class First:
    """What a file seems to be. source: the name of the saved mapping or preset it was read by."""

    kind: str
    mapping: Mapping
    findings: Findings
    source: str = ""


def first_match(path: Path, kind: str = "") -> First:
    """Return how a new file is best read: as the last one like it, by a preset, else by guessing.

    kind: if somebody said it.

    :raises UnreadableFile: it can't be read at all.
    """
    findings = look_at(path, None)
    if holds_unusable_text("".join(findings.header)) or not any(findings.header):
        raise UnreadableFile(_("There is no table in this file: its first row is no text."))
    if saved := _saved(findings, kind):
        mapping = parse_mapping(saved.mapping)
        findings = look_at(path, mapping)
        return First(saved.kind, findings.settle(mapping), findings, saved.name)
    preset = recognise(findings)
    if preset is not None and kind in ("", preset.kind):
        mapping = preset.mapping_for(findings.header)
        findings = look_at(path, mapping)
        mapping = suggested(preset.kind, findings, findings.settle(mapping))
        return First(preset.kind, mapping, findings, str(preset.label)[:60])
    if not kind:
        ranked = suggest_kinds(findings)
        kind = ranked[0][0] if ranked else "customers"
    return First(kind, suggest_mapping(kind, findings), findings)


def _saved(findings: Findings, kind: str) -> ImportSource | None:
    sources = ImportSource.objects.filter(kind=kind) if kind else ImportSource.objects.all()
    known = (source for source in sources.order_by("-used_at")[:200] if source.kind in kinds())
    header = own_columns(findings.header)
    return next((source for source in known if source.header == header), None)


def own_columns(names: Iterable[str]) -> list[str]:
    """Return the columns that a file has itself, sorted: without those put together of others."""
    known = set(filter(None, names))
    return sorted(name for name in known if not _is_joined(name, known))


def _is_joined(name: str, known: set[str]) -> bool:
    parts = re.split(r" \+ | \| ", name)
    return len(parts) > 1 and known.issuperset(parts)


def suggested(kind: str, findings: Findings, mapping: Mapping) -> Mapping:
    """Return the mapping with every column of the file matched: as it says, as guessed, or not."""
    known = dict(mapping.columns)
    taken = {ours for ours in known.values() if ours} | mapping.constants.keys()
    parts = {part for name in known for part in re.split(r" \+ | \| ", name)}
    for name, suggestion in suggest_columns(kind, findings).items():
        if name not in known and name not in parts and suggestion.ours not in taken:
            known[name] = suggestion.ours
            taken.add(suggestion.ours)
    for name in findings.header:
        if name and name not in known and name not in parts:
            known[name] = ""
    return replace(mapping, columns=known)


def presets_for(kind: str) -> list[Preset]:
    """Return what programs' exports of this kind look like."""
    return [preset for preset in presets().values() if preset.kind == kind]


def by_choice(kind: str, chosen: str, findings: Findings) -> Mapping | None:
    """Return the mapping of a preset (``preset:<key>``) or saved source (``source:<name>``)."""
    what, _colon, name = chosen.partition(":")
    if what == "preset" and (preset := presets().get(name)) and preset.kind == kind:
        return suggested(kind, findings, findings.settle(preset.mapping_for(findings.header)))
    if what == "source":
        for source in sources_of(kind):
            if source.name == name:
                return suggested(kind, findings, fitting(parse_mapping(source.mapping), findings))
    return None


@dataclass(frozen=True, slots=True)
class Likeness:
    """Like what a file is read. choice: as :func:`by_choice` takes it; sure: their columns.

    note: what such an export does not tell.
    """

    choice: str
    name: str
    sure: frozenset[str]
    note: str = ""


def likeness_of(kind: str, chosen: str, source: str, findings: Findings) -> Likeness | None:
    """Return the preset or saved source that was chosen, or whose name the file bears.

    chosen: as :func:`by_choice` takes it, empty if nothing was chosen.
    """
    for saved in sources_of(kind):
        if chosen == f"source:{saved.name}" or (not chosen and saved.name == source):
            columns = saved.mapping.get("columns", {})
            sure = frozenset(name for name, ours in columns.items() if ours)
            return Likeness(f"source:{saved.name}", saved.name, sure)
    for preset in presets_for(kind):
        label = str(preset.label)
        if chosen == f"preset:{preset.key}" or (not chosen and label[:60] == source):
            columns = preset.mapping_for(findings.header).columns
            sure = frozenset(name for name, ours in columns.items() if ours)
            return Likeness(f"preset:{preset.key}", label, sure, str(preset.note))
    return None


def fitting(mapping: Mapping, findings: Findings) -> Mapping:
    """Return the mapping without columns that the file does not have."""
    names = set(findings.header)
    columns = {
        name: ours
        for name, ours in mapping.columns.items()
        if name in names or set(re.split(r" \+ | \| ", name)) <= names
    }
    return replace(mapping, columns=columns)


def match_of(path: Path, kind: str, mapping: Mapping) -> Match:
    """Return how a file would be read by a mapping.

    :raises UnreadableFile: not at all.
    """
    findings = look_at(path, mapping)
    subject = kinds()[kind](Context(mapping, "history", SYSTEM, is_dry_run=True))
    guesses = suggest_columns(kind, findings)
    columns = []
    for place, name in enumerate(findings.header):
        if not name:
            continue
        ours, guess = mapping.columns.get(name, ""), guesses.get(name)
        texts = [row[place] if place < len(row) else "" for row in findings.samples]
        columns.append(
            ColumnMatch(
                place,
                name,
                ours,
                _cells(subject, mapping, ours, texts[:SAMPLE_ROWS]),
                is_guess=bool(guess and guess.ours == ours and guess.sureness < SURE),
            )
        )
    missing, reason = _lacks(subject, mapping)
    return Match(kind, mapping, findings, columns, column_choices(subject), missing, reason)


def column_choices(subject: Kind) -> list[tuple[str, str]]:
    """Return the columns a kind knows, with what people call them, required ones first."""
    required = [name for name, column in subject.columns.items() if column.is_required]
    others = [name for name in subject.columns if name not in required]
    return [(name, column_label(name)) for name in (*required, *others)]


def columns_of(kind: str, mapping: Mapping | None = None) -> dict[str, Column]:
    """Return the columns of a kind by name."""
    context = Context(mapping or Mapping(), "history", SYSTEM, is_dry_run=True)
    return dict(kinds()[kind](context).columns)


def _lacks(subject: Kind, mapping: Mapping) -> tuple[list[Missing], str]:
    names = [ours for ours in mapping.columns.values() if ours]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        labels = ", ".join(column_label(name) for name in twice)
        return [], _("Two columns of the file would be %(name)s.") % {"name": labels}
    try:
        subject.check_header([*names, *mapping.constants])
    except UnreadableFile as error:
        missing = [
            Missing(name, column_label(name))
            for name in error.context.get("missing", [])
            if name in subject.columns
        ]
        if missing:
            labels = ", ".join(one.label for one in missing)
            return missing, _("Still to be matched: %(names)s.") % {"names": labels}
        return [], str(error)
    return [], ""


def _cells(subject: Kind, mapping: Mapping, ours: str, texts: Sequence[str]) -> list[Cell]:
    column = subject.columns.get(ours)
    if column is None:
        return [Cell(text[:80]) for text in texts]
    memo = Memo(column, mapping.values.get(ours))
    cells = []
    for text in texts:
        value = memo[text]
        if isinstance(value, Bad):
            cells.append(Cell(text[:80], reason=value.reason))
        else:
            cells.append(Cell(text[:80], ours=shown(column, value)))
    return cells


def shown(column: Column, value: Any) -> str:
    """Return a stored value as people read it; nothing for nothing."""
    if value is None:
        return ""
    made_by = getattr(column.parse, "__qualname__", "").partition(".")[0]
    if isinstance(value, int):
        if made_by == "boolean":
            return _("yes") if value else _("no")
        return display.format_number(from_units(value) if made_by == "amount" else value)
    text = str(value)
    if _INSTANT.match(text):
        local = datetime.fromisoformat(text).replace(tzinfo=UTC).astimezone(organisation_timezone())
        time = formats.time_format(local.timetz(), "TIME_FORMAT")
        return f"{formats.date_format(local.date(), 'DATE_FORMAT')}, {time}"
    if _DAY.match(text):
        return formats.date_format(date.fromisoformat(text), "DATE_FORMAT")
    return ", ".join(text.split("\n"))[:80]
