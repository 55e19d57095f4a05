"""Rows of complaints, their words and their course as the tables hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from crm.imports.bulk import fetch_rows, insert_rows, next_ids, update_rows
from crm.imports.scratch import Row
from crm.imports.trail import Trail
from feedback.models import Complaint, ComplaintEvent, ComplaintText

PLAIN = (
    "customer_id",
    "product_id",
    "order_id",
    "location_id",
    "category",
    "severity",
    "five_p",
)
COURSE = ("state", "resolved_at", "closed_at")
EMPTY = {"category": "", "severity": Complaint.Severity.NORMAL.value, "five_p": ""}
STEP = ("complaint_id", "from_state", "to_state", "actor", "occurred_at", "recorded_at")
WORDS = ("complaint_id", "description", "contact_name", "contact_email", "resolution")
Steps = Sequence[tuple[str, str, str]]  # from, to, when


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds of one complaint. text_id: None where its words were erased."""

    id: int
    opened_at: str
    plain: Row
    course: Row
    text_id: int | None = None
    text: str = ""

    @property
    def state(self) -> str:
        """How far it got."""
        return str(self.course[0])

    @property
    def customer_id(self) -> int | None:
        """Who complained, if known."""
        found: int | None = self.plain[0]
        return found


@dataclass(slots=True)
class Writes:
    """Rows to write for one portion of complaints. stamp: now, as stored."""

    actor: str
    stamp: str
    complaints: list[Row] = field(default_factory=list)
    texts: list[Row] = field(default_factory=list)
    steps: list[Row] = field(default_factory=list)
    changes: list[tuple[Known, Row]] = field(default_factory=list)  # columns PLAIN and COURSE
    later_steps: list[tuple[Known, Row]] = field(default_factory=list)
    new_texts: list[tuple[Known, str]] = field(default_factory=list)
    changed_texts: list[tuple[Known, str]] = field(default_factory=list)

    def add(
        self, row_id: int, ref: str, number: str, key: str, told: dict[str, Any], steps: Steps
    ) -> None:
        """Note a new complaint."""
        self.complaints.append(
            (
                row_id,
                ref,
                number,
                key,
                *(told[name] or EMPTY.get(name) for name in PLAIN),
                *_course_after((None, None, None), steps),
                Complaint.Source.IMPORT.value,
                False,
                told["opened_at"],
                self.stamp,
            )
        )
        self.texts.append((row_id, told["text"] or "", "", "", ""))
        self.steps += [self._step(row_id, *step) for step in steps]

    def change(self, complaint: Known, plain: Row, text: str, steps: Steps) -> None:
        """Note what else becomes known of a complaint. A correction is a step of its own."""
        if plain != complaint.plain:
            steps = [(complaint.state, complaint.state, self.stamp), *steps]
        if steps:
            self.changes.append((complaint, (*plain, *_course_after(complaint.course, steps))))
            rows = (self._step(complaint.id, *step) for step in steps)
            self.later_steps += [(complaint, row) for row in rows]
        if text != complaint.text:
            texts = self.new_texts if complaint.text_id is None else self.changed_texts
            texts.append((complaint, text))

    def _step(self, row_id: int, before: str, after: str, at: str) -> Row:
        return row_id, before, after, self.actor, at, self.stamp


def _course_after(before: Row, steps: Steps) -> Row:
    """Return state, resolved_at and closed_at after some steps."""
    times = dict(zip(COURSE, before, strict=True))
    for known, state, at in steps:
        if state != known:
            times["state"] = state
            times[f"{state}_at"] = at
    return tuple(times[name] for name in COURSE)


def known_complaints(keys: Sequence[str]) -> dict[str, Known]:
    """Return what the database holds of these complaints, by external id; locked."""
    names = ("external_id", "id", "opened_at", *COURSE, *PLAIN)
    rows = fetch_rows(Complaint, names, where="external_id", among=keys, lock=True)
    texts = {
        complaint_id: (text_id, text)
        for text_id, complaint_id, text in fetch_rows(
            ComplaintText,
            ("id", "complaint_id", "description"),
            where="complaint_id",
            among=[row[1] for row in rows],
        )
    }
    return {
        row[0]: Known(row[1], row[2], row[6:], row[3:6], *texts.get(row[1], (None, "")))
        for row in rows
    }


def write_complaints(writes: Writes, trail: Trail) -> None:
    """Write the rows, and note in the trail what was made and changed."""
    head = ("id", "ref", "number", "external_id")
    tail = ("source", "is_simulated", "opened_at", "recorded_at")
    insert_rows(Complaint, (*head, *PLAIN, *COURSE, *tail), writes.complaints)
    trail.made(Complaint, [row[0] for row in writes.complaints])
    insert_rows(ComplaintText, WORDS, writes.texts)
    insert_rows(ComplaintEvent, STEP, writes.steps)
    _write_changes(writes, trail)
    _write_texts(writes, trail)


def _write_changes(writes: Writes, trail: Trail) -> None:
    names = (*PLAIN, *COURSE)
    update_rows(Complaint, names, [(*row, known.id) for known, row in writes.changes])
    for known, row in writes.changes:
        held = (*known.plain, *known.course)
        trail.compared(Complaint, known.id, names, held, row, customer_id=row[0])
    ids = next_ids(ComplaintEvent, len(writes.later_steps))
    numbered = list(zip(ids, writes.later_steps, strict=True))
    insert_rows(ComplaintEvent, ("id", *STEP), [(pk, *row) for pk, (_known, row) in numbered])
    for pk, (known, _row) in numbered:
        trail.added(ComplaintEvent, pk, customer_id=known.customer_id)


def _write_texts(writes: Writes, trail: Trail) -> None:
    ids = next_ids(ComplaintText, len(writes.new_texts))
    numbered = list(zip(ids, writes.new_texts, strict=True))
    rows = [(pk, known.id, text, "", "", "") for pk, (known, text) in numbered]
    insert_rows(ComplaintText, ("id", *WORDS), rows)
    for pk, (known, _text) in numbered:
        trail.added(ComplaintText, pk, customer_id=known.customer_id)
    changed = [(text, known.text_id) for known, text in writes.changed_texts]
    update_rows(ComplaintText, ("description",), changed)
    for known, text in writes.changed_texts:
        trail.compared(
            ComplaintText,
            known.text_id or 0,
            ("description",),
            (known.text,),
            (text,),
            customer_id=known.customer_id,
        )
