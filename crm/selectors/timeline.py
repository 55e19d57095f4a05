"""A person's timeline: events of every app, purchases and contacts in one line, newest first.

Each kind of row comes from its own table by an index that ends in time, a page at a time, so the
last page costs what the first one does. A person of several records reads each record's rows by
the same index and merges them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.utils.functional import Promise

from common.keyset import read_cursor, write_cursor
from common.models import ChangeDetail, Event
from common.registry import EventRenderer, event_renderers
from crm.models import Interaction, Note, Order

PAGE_SIZE = 25
# The filter's names for what stands for itself; kinds of events have a dot.
ORDERS, CONTACTS = "orders", "contacts"
# What stands for itself is not told again by its event, whether entered or imported by the million.
NOT_SHOWN = ("order.recorded", "interaction.recorded")
NOTED = "note.recorded"  # brings the note's words, unless it was put away since
NOT_OF_CUSTOMERS = ("product.", "location.", "calendar.", "custom_field.", "tag.")


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the timeline: an event with its renderer, a purchase, or a contact.

    text: of the note or contact, where the reader may see it.
    """

    at: datetime
    event: Event | None = None
    order: Order | None = None
    contact: Interaction | None = None
    text: str = ""

    @property
    def renderer(self) -> EventRenderer | None:
        """How the event is shown; None for kinds that no app registered, and for other rows."""
        return event_renderers.get(self.event.kind) if self.event else None

    @property
    def label(self) -> str | Promise:
        """What happened, in the reader's language; the bare code where nobody registered one."""
        if self.event is None:
            return ""
        return self.renderer.label if self.renderer else self.event.kind

    @property
    def line(self) -> str:
        """The event's own line, from its codes."""
        return self.renderer.describe(self.event.codes) if self.renderer and self.event else ""

    @property
    def _place(self) -> tuple[datetime, int, int]:
        row: Any = self.order or self.contact or self.event
        return self.at, 1 if self.order else 2 if self.contact else 0, row.pk


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Some entries, and the cursor of earlier ones (empty at the beginning of time)."""

    entries: list[TimelineEntry]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class _Source:
    """A table that the timeline reads. rank: its place among rows of one instant."""

    name: str
    rank: int
    model: type[Model]
    time: str
    related: tuple[str, ...] = ()


SOURCES = (
    _Source("event", 0, Event, "occurred_at"),
    _Source("order", 1, Order, "ordered_at", ("location",)),
    _Source("contact", 2, Interaction, "occurred_at", ("author", "conversation")),
)
OWN_FILTER = {ORDERS: "order", CONTACTS: "contact"}


def customer_timeline(
    *customer_ids: int,
    kind: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str = "",
    size: int = PAGE_SIZE,
    with_texts: bool = False,
) -> TimelinePage:
    """Return a page of one person's timeline; at most seven queries, four without texts.

    customer_ids: all records of the person, their own first.
    kind: ``orders``, ``contacts``, or a kind of event; empty for everything.
    since, until: occurred in ``[since, until)``.
    cursor: as given by the page before; anything else means the newest.
    with_texts: bring the texts of notes and contacts, for those who may read them.
    """
    salt = f"timeline:{customer_ids[0]}:{kind}"
    position = read_cursor(cursor, salt=salt, length=3)
    after = position[1] if position else None
    found: list[TimelineEntry] = []
    for source in SOURCES:
        if kind and OWN_FILTER.get(kind, "event") != source.name:
            continue
        where = _before(source.time, source.rank, after)
        if since:
            where &= Q(**{f"{source.time}__gte": since})
        if until:
            where &= Q(**{f"{source.time}__lt": until})
        if source.name == "event":
            where &= Q(kind=kind) if kind else ~Q(kind__in=NOT_SHOWN)
        found += (
            TimelineEntry(at=getattr(row, source.time), **{source.name: row})
            for row in _latest(source, customer_ids, where, size + 1)
        )
    found.sort(key=lambda entry: entry._place, reverse=True)
    page, more = found[:size], len(found) > size
    cursor = write_cursor("after", page[-1]._place, salt=salt) if more else ""
    return TimelinePage(entries=_with_texts(page) if with_texts else page, next_cursor=cursor)


def timeline_kinds() -> Iterable[tuple[str, str | Promise]]:
    """Return (kind, label) of the events that can stand in a timeline, by label."""
    return sorted(
        (
            (renderer.kind, renderer.label)
            for renderer in event_renderers.values()
            if renderer.kind not in NOT_SHOWN and not renderer.kind.startswith(NOT_OF_CUSTOMERS)
        ),
        key=lambda pair: str(pair[1]),
    )


def _latest(source: _Source, customer_ids: Sequence[int], where: Q, size: int) -> Iterable[Any]:
    """Return the newest rows of a source; each record's by the index, which IN would not use."""
    order = (f"-{source.time}", "-id")
    rows: QuerySet[Any] = source.model._default_manager.select_related(*source.related)
    if len(customer_ids) == 1:
        return rows.filter(where, customer_id=customer_ids[0]).order_by(*order)[:size]
    parts = [
        source.model._default_manager.filter(where, customer_id=customer_id)
        .order_by(*order)
        .values_list("pk")[:size]
        for customer_id in customer_ids
    ]
    return rows.filter(pk__in=_ids(parts)).order_by(*order)[:size]


def _ids(parts: Collection[QuerySet[Any, Any]]) -> list[int]:
    """Return the ids that limited queries find; one query (Django can't unite these on SQLite)."""
    statements: list[str] = []
    parameters: list[Any] = []
    for part in parts:
        statement, given = part.query.sql_with_params()
        statements.append(f"SELECT * FROM ({statement}) AS part")  # noqa: S608 - Django's own SQL
        parameters += given
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(statements), parameters)
        return [row[0] for row in cursor.fetchall()]


def _with_texts(entries: list[TimelineEntry]) -> list[TimelineEntry]:
    """Put texts beside notes and contacts, and names beside labels; at most two queries."""
    events = [entry.event for entry in entries if entry.event]
    refs = {event.subject_ref for event in events if event.kind == NOTED}
    kept = Note.objects.filter(ref__in=refs, archived_at__isnull=True)
    notes = dict(kept.values_list("ref", "text")) if refs else {}
    named = [event.pk for event in events if event.subject_kind == "tag"]
    names: dict[int, str] = dict(
        ChangeDetail.objects.filter(event_id__in=named).values_list("event_id", "content__name")
        if named
        else ()
    )

    def text_of(entry: TimelineEntry) -> str:
        if entry.contact:
            return entry.contact.text
        if entry.event is None:
            return ""
        if entry.event.subject_kind == "tag":
            return names.get(entry.event.pk, "")
        return notes.get(entry.event.subject_ref, "") if entry.event.kind == NOTED else ""

    return [replace(entry, text=text_of(entry)) for entry in entries]


def _before(field: str, rank: int, after: list[Any] | None) -> Q:
    """Return the condition for rows of one source that come after a place of the merged list."""
    if after is None:
        return Q()
    at, its_rank, its_id = after
    if rank < its_rank:
        return Q(**{f"{field}__lte": at})
    if rank > its_rank:
        return Q(**{f"{field}__lt": at})
    return Q(**{f"{field}__lte": at}) & (Q(**{f"{field}__lt": at}) | Q(pk__lt=its_id))
