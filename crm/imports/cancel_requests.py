"""Import of requests to leave: who asked when, why, and whether they stayed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from common.refs import new_refs
from crm.imports import columns as read
from crm.imports.bulk import fetch_rows, insert_rows, update_rows
from crm.imports.columns import Bad, Column, Stored
from crm.imports.events import LiveEvents
from crm.imports.foresight import Consequences, register_watcher
from crm.imports.kinds import Checked, Context, Counts, Kind, register_kind
from crm.imports.lookups import Lookup, customer_column, customer_lookup
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row, Scratch
from crm.imports.standards import Standards
from crm.models import CancelDecision, CancelReason, CancelRequest
from crm.selectors.identity import persons_of
from crm.services.runs import Start

OPEN = CancelRequest.Outcome.OPEN
OPENED = "cancel_request.opened"
TOLD = ("requested_at", "reason_id", "outcome")
DECISION = ("id", "request_id", "outcome", "actor", "decided_at", "recorded_at")


@register_kind
class CancelRequests(Kind):
    """Requests to leave by the caller's id.

    Files don't say when somebody decided: of a past request that is new to us it is taken to be
    when they asked, of all others now. Another outcome is a new decision; the last one is in force.
    """

    name = "cancel_requests"
    key = "external_id"
    order = 70
    derived: ClassVar = {"reason_id": "reason"}
    stored = ("customer_id", *TOLD)

    def list_columns(self, mapping: Mapping) -> list[Column]:
        """Columns of a file of requests to leave."""
        return [
            Column("external_id", read.line(64), is_required=True),
            customer_column(mapping),
            Column("requested_at", read.instant(mapping), is_required=True),
            Column("reason", read.line(80)),
            Column("outcome", read.choice(*CancelRequest.Outcome.values)),
        ]

    def complete(self, checked: Checked) -> None:
        """Look up customers and reasons."""
        if not hasattr(self, "_customers"):
            self._customers = customer_lookup(self.context.mapping)
            self._reasons = ReasonLookup()
        checked.resolve("customer_id", self._customers)
        checked.resolve("reason", self._reasons)
        checked.columns["reason_id"] = checked.columns.get("reason", [None] * len(checked.lines))

    def gather(self, key: str, rows: list[Row]) -> Any:
        """Return one request; of its rows the last filled cell counts, but they name one person."""
        first = rows[0]
        reason = _("Line %(line)s gives this request to another customer.") % {"line": first[0]}
        strange = [row for row in rows if row[2] != first[2]]
        self.refuse((row[0], "customer_id", "", reason) for row in strange)
        told = list(first[3:])
        for row in rows[1:]:
            if row[2] == first[2]:
                told = [old if new is None else new for old, new in zip(told, row[3:], strict=True)]
        return key, (first[0], first[2], tuple(told))

    def weight(self, rows: list[Row]) -> int:
        """A request, its decision, and what it starts."""
        if not hasattr(self, "_standards"):
            self._standards = Standards(self.context, OPENED)
        return 4 + self._standards.weight

    def apply(self, records: list[Any], *, stamp: str, scratch: Scratch) -> Counts:
        """Insert new requests and their outcomes; correct known ones by a new decision."""
        names = ("external_id", "id", "ref", "customer_id", "decided_at", *TOLD)
        known = {
            row[0]: row[1:]
            for row in fetch_rows(
                CancelRequest,
                names,
                where="external_id",
                among=[key for key, _told in records],
                lock=True,
            )
        }
        work = _Work(self, stamp)
        new = [(key, told) for key, told in records if key not in known]
        work.add_new(new)
        persons = persons_of({row[2] for row in known.values()} | {one[1][1] for one in records})
        for key, (line, customer_id, told) in records:
            if (row := known.get(key)) is None:
                continue
            if persons[row[2]] != persons[customer_id]:
                self.refuse([(line, "customer_id", "", _("This request is another customer's."))])
                continue
            work.correct(key, row, told)
        if not self.context.is_dry_run:
            work.write()
            self._standards.start(
                Start(
                    customer_id,
                    f"cancel_request:{ref}",
                    subject_kind="cancel_request",
                    subject_ref=ref,
                )
                for (_key, (_line, customer_id, told)), ref in zip(new, work.refs, strict=True)
                if told[2] in (None, OPEN)
            )
        return work.counts


class _Work:
    """The rows of one portion."""

    def __init__(self, kind: CancelRequests, stamp: str) -> None:
        self.kind, self.stamp = kind, stamp
        self.counts = Counts()
        self.refs: list[str] = []
        self.requests: list[Row] = []
        self.states: list[Row] = []
        self.decisions: list[Row] = []  # without their id
        self.added: list[tuple[int, int]] = []  # place of a decision, customer; of known requests
        self.events = LiveEvents(kind.context)
        self.reasons = dict(CancelReason.objects.values_list("id", "code"))

    def add_new(self, records: Sequence[Any]) -> None:
        """Take requests that were not known."""
        is_live = self.events.is_live
        actor = self.kind.context.actor
        self.refs = new_refs(len(records))
        ids = self.kind.new_ids(CancelRequest, len(records))
        self.kind.trail.made(CancelRequest, ids)
        for (key, (_line, customer_id, told)), row_id, ref in zip(
            records, ids, self.refs, strict=True
        ):
            requested_at, reason_id, outcome = told
            outcome = outcome or OPEN
            decided_at = None
            if outcome != OPEN:
                decided_at = max(requested_at, self.stamp) if is_live else requested_at
                self.decisions.append((row_id, outcome, actor, decided_at, self.stamp))
            self.requests.append(
                (
                    row_id,
                    ref,
                    key,
                    customer_id,
                    decided_at,
                    requested_at,
                    reason_id,
                    outcome,
                    "",
                    actor,
                    self.stamp,
                )
            )
            self.counts.created += 1
            self.kind.note(key, "created")
            self._tell(OPENED, ref, customer_id, reason_id)
            if outcome != OPEN:
                self._tell("cancel_request.decided", ref, customer_id, reason_id, outcome)

    def correct(self, key: str, row: Row, told: Row) -> None:
        """Bring a known request to what the file says."""
        row_id, ref, customer_id, decided_at, *held = row
        wanted = self.kind.overwritten(TOLD, held, told)
        if wanted == tuple(held):
            self.counts.unchanged += 1
            self.kind.note(key, "unchanged")
            return
        requested_at, reason_id, outcome = wanted
        decided_before = decided_at
        if outcome != held[2]:
            decided_at = max(requested_at, self.stamp)
            decision = (row_id, outcome, self.kind.context.actor, decided_at, self.stamp)
            self.added.append((len(self.decisions), customer_id))
            self.decisions.append(decision)
            self._tell("cancel_request.decided", ref, customer_id, reason_id, outcome)
        if outcome == OPEN:
            decided_at = None
        elif decided_at < requested_at:
            decided_at = requested_at
        self.states.append((*wanted, decided_at, row_id))
        self.kind.trail.compared(
            CancelRequest,
            row_id,
            (*TOLD, "decided_at"),
            (*held, decided_before),
            (*wanted, decided_at),
            customer_id=customer_id,
        )
        self.counts.updated += 1
        self.kind.note(key, "updated")

    def write(self) -> None:
        """Write the rows in the caller's transaction."""
        names = ("id", "ref", "external_id", "customer_id", "decided_at", *TOLD)
        insert_rows(CancelRequest, (*names, "text", "actor", "recorded_at"), self.requests)
        update_rows(CancelRequest, (*TOLD, "decided_at"), self.states)
        ids = self.kind.new_ids(CancelDecision, len(self.decisions))
        rows = [(row_id, *row) for row_id, row in zip(ids, self.decisions, strict=True)]
        insert_rows(CancelDecision, DECISION, rows)
        for place, customer_id in self.added:
            self.kind.trail.added(CancelDecision, ids[place], customer_id=customer_id)
        self.events.write()

    def _tell(
        self, kind: str, ref: str, customer_id: int, reason_id: int | None, outcome: str = ""
    ) -> None:
        codes = {"outcome": outcome} if outcome else {}
        if reason_id is not None:
            codes["reason"] = self.reasons[reason_id]
        self.events.add(kind, subject=("cancel_request", ref), customer_id=customer_id, codes=codes)


class ReasonLookup(Lookup):
    """Finds reasons for leaving by their code, or by a name in any language and in any case."""

    def __init__(self) -> None:
        reasons = sorted(
            CancelReason.objects.all(), key=lambda one: (one.archived_at is None, -one.position)
        )
        self.codes: dict[str, int] = {}
        for reason in reasons:  # of equal names the first one on the list is meant
            self.codes |= {str(name).casefold(): reason.pk for name in reason.names.values()}
        self.codes |= {reason.code: reason.pk for reason in reasons}
        known = ", ".join(sorted(reason.code for reason in reasons)[:20])
        unknown = _("There is no such reason for leaving. Known: %(codes)s.") % {
            "codes": known or "–"
        }
        super().__init__(CancelReason, "code", unknown)

    def fetch(self, texts: Sequence[str]) -> dict[Stored | Bad, int | Bad | None]:
        """Return the id, or why there is none, of each of the texts."""
        return {text: self.codes.get(text.casefold(), self.unknown) for text in texts}


class _RequestsAhead:
    """Counts the requests of a file that start standards."""

    def __init__(self, context: Context) -> None:
        self._standards = Standards(context, OPENED)
        self._count = 0

    def add(self, records: list[Any]) -> None:
        """Count those that nobody knows and that are not decided."""
        open_ones = [key for key, (_line, _who, told) in records if told[2] in (None, OPEN)]
        names = ("external_id",)
        known = fetch_rows(CancelRequest, names, where="external_id", among=open_ones)
        self._count += len(open_ones) - len(known)

    def found(self, mode: str) -> Consequences:
        """Return the tasks of the standards they start."""
        return self._standards.ahead(mode, self._count)


register_watcher("cancel_requests", _RequestsAhead)
