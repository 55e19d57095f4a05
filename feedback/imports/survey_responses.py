"""Import of survey answers: scores stand for ever, words beside them may be filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from common.refs import new_refs
from common.validators import clean_text
from crm.imports import columns as read
from crm.imports.bulk import fetch_rows, insert_rows, next_ids, update_rows
from crm.imports.columns import Column, Stored
from crm.imports.events import LiveEvents
from crm.imports.kinds import Checked, Context, Counts, Kind, register_kind
from crm.imports.lookups import customer_column, customer_lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from feedback.models import Response, ResponseComment, Survey
from feedback.models.surveys import SCALES
from feedback.services.past import find_past_surveys, past_survey
from feedback.services.surveys import MAX_COMMENT

FIXED = ("customer_id", "kind", "score", "answered_at")  # what makes an answer what it is
STORED = (
    "id",
    "ref",
    "external_id",
    "survey_id",
    *FIXED,
    "is_simulated",
    "recorded_at",
)


@register_kind
class SurveyResponses(Kind):
    """Answers by the caller's id, without an invitation of ours."""

    name = "survey_responses"
    key = "external_id"
    order = 130
    derived: ClassVar = {"survey_key": "kind"}
    stored = (*FIXED, "survey_key", "comment")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of survey answers."""
        return [
            Column("external_id", read.line(64), is_required=True),
            customer_column(mapping),
            Column("kind", read.choice(*SCALES), is_required=True),
            Column("score", read.whole, is_required=True),
            Column("answered_at", read.instant(mapping), is_required=True),
            Column("survey", read.line(40)),
            Column("comment", _words),
        ]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._customers = customer_lookup(context.mapping)
        self._kinds: dict[str, str] = {}  # survey's key → what it measures

    def complete(self, checked: Checked) -> None:
        """Look up customers and surveys; check scores against the scale of their kind."""
        checked.resolve("customer_id", self._customers)
        columns = checked.columns
        kinds, scores = columns["kind"], columns["score"]
        surveys = columns.get("survey") or [None] * len(checked.lines)
        columns["survey_key"] = [key or kind for key, kind in zip(surveys, kinds, strict=True)]
        self._learn_kinds(columns["survey_key"], kinds)
        for place, (kind, score, key) in enumerate(
            zip(kinds, scores, columns["survey_key"], strict=True)
        ):
            if not isinstance(kind, str):
                continue
            lowest, highest = SCALES[kind]
            if isinstance(score, int) and not lowest <= score <= highest:
                reason = _("Scores of this kind go from %(lowest)s to %(highest)s.")
                checked.spoil("score", place, reason % {"lowest": lowest, "highest": highest})
            if isinstance(key, str) and self._kinds[key] != kind:
                name = "survey" if surveys[place] else "kind"
                reason = _("The survey %(survey)s measures something else: %(kind)s.")
                checked.spoil(name, place, reason % {"survey": key, "kind": self._kinds[key]})

    def _learn_kinds(self, keys: Sequence[Any], kinds: Sequence[Any]) -> None:
        """Find out what each survey measures; a new one measures what its first answer says."""
        new = {key for key in keys if isinstance(key, str)} - self._kinds.keys()
        if new:
            found = find_past_surveys(new)
            self._kinds |= {key: survey.kind for key, survey in found.items()}
        for key, kind in zip(keys, kinds, strict=True):
            if isinstance(key, str) and isinstance(kind, str):
                self._kinds.setdefault(key, kind)

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return the answer; rows that give another one than the first are refused."""
        first = rows[0]
        if len(rows) == 1:
            return key, first[2:]
        agreeing = [row for row in rows if row[2:7] == first[2:7]]
        reason = _("Line %(line)s gives another answer with this id.") % {"line": first[0]}
        self.refuse((row[0], self.key, key, reason) for row in rows if row[2:7] != first[2:7])
        comments = [row[7] for row in agreeing if row[7] is not None]
        return key, (*first[2:7], comments[-1] if comments else None)

    def weight(self, rows: list[Row]) -> int:
        """An answer, perhaps words."""
        return 2

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert new answers; fill in words; refuse to change what was answered."""
        known = _known_answers([key for key, _row in records])
        new = [record for record in records if record[0] not in known]
        counts = Counts(created=len(new))
        self._add(new, stamp)
        for key, _row in new:
            self.note(key, "created")
        comments = _comments([answer[0] for answer in known.values()])
        filled: list[tuple[int, int, str]] = []
        changed: list[tuple[int, int, str, str]] = []
        for key, row in records:
            if (answer := known.get(key)) is None:
                continue
            row_id, survey_key, *fixed = answer
            if wrong := self._differing(row, fixed, survey_key):
                column, reason = wrong
                self.refuse((line, column, "", reason) for line in scratch.lines_of([key]))
                continue
            comment_id, held = comments.get(row_id, (None, ""))
            (wanted,) = self.overwritten(("comment",), (held,), (row[-1],))
            is_changed = wanted != held
            if is_changed and comment_id is None:
                filled.append((row_id, row[0], wanted))
            elif is_changed and comment_id is not None:
                changed.append((comment_id, row[0], held, wanted))
            counts.updated += is_changed
            counts.unchanged += not is_changed
            self.note(key, "updated" if is_changed else "unchanged")
        if not self.context.is_dry_run:
            self._write_comments(filled, changed)
        return counts

    def _differing(self, row: Row, fixed: Sequence[Any], survey_key: str) -> tuple[str, str] | None:
        """Return the column in which a row gives another answer, and why that can't be."""
        reason = _("This answer is known with %(value)s; answers are never changed.")
        for name, held, told in zip(FIXED, fixed, row, strict=False):
            if held != told:
                shown = _("another customer") if name == "customer_id" else held
                return name, reason % {"value": shown}
        if "survey" in self.present and row[4] != survey_key:
            return "survey", reason % {"value": survey_key}
        return None

    def _add(self, new: list[Any], stamp: str) -> None:
        """Insert answers, with the surveys they belong to."""
        ids = self.new_ids(Response, len(new))
        if self.context.is_dry_run or not new:
            return
        surveys = self._surveys_of({row[4]: row[1] for _key, row in new})
        rows, comments = [], []
        events = LiveEvents(self.context)
        for row_id, ref, (key, row) in zip(ids, new_refs(len(new)), new, strict=True):
            customer_id, kind, score, answered_at, survey_key, comment = row
            survey_id = surveys[survey_key]
            fixed = (customer_id, kind, score, answered_at)
            rows.append((row_id, ref, key, survey_id, *fixed, False, stamp))
            if comment:
                comments.append((row_id, comment))
            events.add(
                "survey.answered",
                subject=("response", ref),
                codes={"kind": kind, "score": score},
                customer_id=customer_id,
            )
        insert_rows(Response, STORED, rows)
        insert_rows(ResponseComment, ("response_id", "text"), comments)
        self.trail.made(Response, ids)
        events.write()

    def _surveys_of(self, kinds: dict[str, str]) -> dict[str, int]:
        """Return the surveys' ids by key, making those that lack. kinds: what each measures."""
        found = {key: survey.pk for key, survey in find_past_surveys(kinds).items()}
        lacking = sorted(kinds.keys() - found.keys())
        made = {key: past_survey(key=key, kind=kinds[key]).pk for key in lacking}
        self.trail.made(Survey, made.values())
        return found | made

    def _write_comments(
        self, filled: list[tuple[int, int, str]], changed: list[tuple[int, int, str, str]]
    ) -> None:
        ids = next_ids(ResponseComment, len(filled))
        rows = [
            (pk, response_id, text)
            for pk, (response_id, _who, text) in zip(ids, filled, strict=True)
        ]
        insert_rows(ResponseComment, ("id", "response_id", "text"), rows)
        for pk, (_response, customer_id, _text) in zip(ids, filled, strict=True):
            self.trail.added(ResponseComment, pk, customer_id=customer_id)
        update_rows(ResponseComment, ("text",), [(row[3], row[0]) for row in changed])
        for pk, customer_id, held, wanted in changed:
            self.trail.compared(
                ResponseComment, pk, ("text",), (held,), (wanted,), customer_id=customer_id
            )


def _words(text: str) -> Stored:
    return clean_text(text, max_length=MAX_COMMENT) or None


def _known_answers(keys: Sequence[str]) -> dict[str, Row]:
    """Return id, key of the survey and what is fixed, by external id."""
    rows = fetch_rows(
        Response,
        ("external_id", "id", "survey_id", *FIXED),
        where="external_id",
        among=keys,
    )
    surveys = dict(Survey.objects.values_list("id", "key")) if rows else {}
    return {row[0]: (row[1], surveys[row[2]], *row[3:]) for row in rows}


def _comments(response_ids: Sequence[int]) -> dict[int, tuple[int, str]]:
    """Return response id → id and words of its comment."""
    rows = fetch_rows(
        ResponseComment, ("response_id", "id", "text"), where="response_id", among=response_ids
    )
    return {response_id: (row_id, text) for response_id, row_id, text in rows}
