"""Import of complaints: what they are about, and their course."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext as _

from common.refs import new_refs
from common.validators import clean_text
from crm.imports import columns as read
from crm.imports.bulk import fetch_rows
from crm.imports.columns import Column, Stored
from crm.imports.events import LiveEvents
from crm.imports.foresight import Consequences, register_watcher
from crm.imports.kinds import Checked, Context, Counts, Kind, register_kind
from crm.imports.lookups import Lookup, customer_column, customer_lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.imports.standards import Standards
from crm.models import Location, Order, Product, Step
from crm.services.runs import Start
from feedback.imports.complaint_rows import PLAIN, Known, Writes, known_complaints, write_complaints
from feedback.models import Complaint
from feedback.models.complaints import new_number
from feedback.services.complaints import MAX_DESCRIPTION

State = Complaint.State
RECEIVED, RESOLVED, CLOSED = State.RECEIVED.value, State.RESOLVED.value, State.CLOSED.value
COURSE = (RECEIVED, RESOLVED, CLOSED)
TRIGGER = "complaint.opened"


@register_kind
class Complaints(Kind):
    """Complaints by the caller's id. Their course is never rewritten, it only goes on."""

    name = "complaints"
    key = "external_id"
    order = 120
    derived: ClassVar = {"product_id": "product_sku", "location_id": "location"}
    stored = (*PLAIN, "opened_at", "text", "status", "resolved_at")

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of complaints."""
        return [
            Column("external_id", read.line(64), is_required=True),
            Column("opened_at", read.instant(mapping), is_required=True),
            customer_column(mapping, is_required=False),
            Column("product_sku", read.line(64)),
            Column("order_id", read.line(64)),
            Column("location", read.line(64)),
            Column("category", read.choice(*Complaint.Category.values)),
            Column("severity", read.choice(*Complaint.Severity.values)),
            Column("five_p", read.choice(*Step.FiveP.values)),
            Column("text", _words),
            Column("status", read.choice(*COURSE)),
            Column("resolved_at", read.instant(mapping)),
        ]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._customers = customer_lookup(context.mapping)
        self._products = Lookup(Product, "sku", _("There is no product with this SKU."))
        self._orders = Lookup(Order, "external_id", _("There is no purchase with this id."))
        self._shops = Lookup(Location, "code", _("There is no shop with this code."))
        self._standards = Standards(context, TRIGGER)

    def complete(self, checked: Checked) -> None:
        """Look up codes; check that status and times go together."""
        checked.resolve("customer_id", self._customers)
        checked.resolve("product_sku", self._products)
        checked.resolve("order_id", self._orders)
        checked.resolve("location", self._shops)
        columns = checked.columns
        for ours, theirs in self.derived.items():
            if theirs in columns:
                columns[ours] = columns[theirs]
        _check_course(checked)

    def weight(self, rows: list[Row]) -> int:
        """A complaint, its words and up to three steps."""
        return 5 + self._standards.weight

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert new complaints; correct known ones and let their course go on."""
        known = known_complaints([key for key, _row in records])
        writes, counts = Writes(self.context.actor, stamp), Counts()
        events = LiveEvents(self.context)
        new = [record for record in records if record[0] not in known]
        ids = self.new_ids(Complaint, len(new))
        started = []
        for (key, row), row_id, ref in zip(new, ids, new_refs(len(new)), strict=True):
            told = dict(zip(self.stored, row, strict=True))
            number = new_number()
            course = _course(told)
            writes.add(row_id, ref, number, key, told, course)
            counts.created += 1
            self.note(key, "created")
            for _before, state, _at in course:
                events.add(
                    f"complaint.{state}",
                    subject=("complaint", ref),
                    codes={"number": number, "category": told["category"] or ""},
                    customer_id=told["customer_id"],
                )
            if course[-1][1] == RECEIVED:
                started.append((ref, told))
        for key, row in records:
            if (complaint := known.get(key)) is not None:
                told = dict(zip(self.stored, row, strict=True))
                self._change(key, complaint, told, scratch, writes, counts)
        if not self.context.is_dry_run:
            write_complaints(writes, self.trail)
            events.write()
            self._standards.start(
                Start(
                    told["customer_id"], f"complaint:{ref}", told["location_id"], "complaint", ref
                )
                for ref, told in started
                if told["customer_id"] is not None
            )
        return counts

    def _change(
        self,
        key: str,
        complaint: Known,
        told: dict[str, Any],
        scratch: Scratch,
        writes: Writes,
        counts: Counts,
    ) -> None:
        """Take over what a row tells about a known complaint, or refuse it with the reason."""
        if wrong := _why_not(complaint, told):
            column, reason = wrong
            self.refuse((line, column, "", reason) for line in scratch.lines_of([key]))
            return
        plain = self.overwritten(PLAIN, complaint.plain, tuple(told[name] for name in PLAIN))
        (text,) = self.overwritten(("text",), (complaint.text,), (told["text"],))
        steps = []
        if self.context.mapping.overwrite != "nothing":
            done = COURSE.index(complaint.state)
            steps = [step for step in _course(told) if COURSE.index(step[1]) > done]
        if not steps and plain == complaint.plain and text == complaint.text:
            counts.unchanged += 1
            self.note(key, "unchanged")
            return
        counts.updated += 1
        self.note(key, "updated")
        writes.change(complaint, plain, text, steps)


class _Ahead:
    """Counts the complaints that would start a standard."""

    def __init__(self, context: Context) -> None:
        self._standards = Standards(context, TRIGGER)
        self._count = 0

    def add(self, records: list[Any]) -> None:
        """Count those that are new, open and of somebody known."""
        keys = [key for key, _row in records]
        rows = fetch_rows(Complaint, ("external_id",), where="external_id", among=keys)
        known = {key for (key,) in rows}
        for key, row in records:
            told = dict(zip(Complaints.stored, row, strict=True))
            is_open = told["status"] in (None, RECEIVED) and not told["resolved_at"]
            self._count += key not in known and is_open and told["customer_id"] is not None

    def found(self, mode: str) -> Consequences:
        """Return the tasks of the standards they start."""
        return self._standards.ahead(mode, self._count)


register_watcher("complaints", _Ahead)


def _words(text: str) -> Stored:
    return clean_text(text, max_length=MAX_DESCRIPTION) or None


def _check_course(checked: Checked) -> None:
    """A time of resolution belongs to a complaint that is resolved, and is not before it."""
    columns, nothing = checked.columns, [None] * len(checked.lines)
    states, ends = columns.get("status", nothing), columns.get("resolved_at", nothing)
    for place, (state, end) in enumerate(zip(states, ends, strict=True)):
        opened = columns["opened_at"][place]
        if state in (RESOLVED, CLOSED) and end is None:
            checked.spoil("status", place, _("Say when it was resolved, in resolved_at."))
        elif state == RECEIVED and isinstance(end, str):
            reason = _("A complaint that is not resolved has no time of that.")
            checked.spoil("resolved_at", place, reason)
        elif isinstance(end, str) and isinstance(opened, str) and end < opened:
            reason = _("It can't be resolved before it was opened.")
            checked.spoil("resolved_at", place, reason)


def _course(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the steps a complaint went: from, to, when."""
    steps = [("", RECEIVED, told["opened_at"])]
    if told["resolved_at"] and told["status"] != RECEIVED:
        steps.append((RECEIVED, RESOLVED, told["resolved_at"]))
        if told["status"] == CLOSED:
            steps.append((RESOLVED, CLOSED, told["resolved_at"]))
    return steps


def _why_not(complaint: Known, told: dict[str, Any]) -> tuple[str, str] | None:
    """Return the column and the reason for which the course can't become what a row tells."""
    if told["opened_at"] != complaint.opened_at:
        return "opened_at", _("It was opened at %(time)s UTC; that is never rewritten.") % {
            "time": complaint.opened_at
        }
    status = told["status"] or (RESOLVED if told["resolved_at"] else None)
    if status is None:
        return None
    if COURSE.index(status) < COURSE.index(complaint.state) and told["status"]:
        return "status", _("It is resolved already; its course is never rewritten.")
    resolved_at = complaint.course[1]
    if resolved_at and told["resolved_at"] not in (None, resolved_at):
        return "resolved_at", _("It was resolved at %(time)s UTC; that is never rewritten.") % {
            "time": resolved_at
        }
    return None
