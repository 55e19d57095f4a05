"""Lists given out as files: each app says which lists it has, who may take them, and their rows.

One page answers for all of them (``crm.views.exports``), one include puts the button on a page
(``parts/export.html``), and each file is recorded as an event ``<list>.exported``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _

from common import registry
from common.errors import Conflict, NotFound
from common.keyset import keyset_page
from common.refs import new_ref
from common.services import record_event

AT_ONCE = 1_000  # rows of a list read at a time
MOST_XLSX_ROWS = 100_000
CSV, XLSX = "csv", "xlsx"


class TooLongForXlsx(Conflict):
    """A spreadsheet of that length opens nowhere."""

    code = "too_long_for_xlsx"
    message = _("More than 100,000 rows don't fit a spreadsheet. Take CSV, or narrow the filters.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for. query: the filters of the list's page, as in its address.

    request: of whom; its role decides what they get. everything: every column there is.
    """

    request: HttpRequest
    query: QueryDict
    at: datetime
    everything: bool = False

    @property
    def user(self) -> Any:
        """Who asks."""
        return self.request.user


@dataclass(frozen=True, slots=True)
class Export:
    """A list as it is to be written.

    columns: the head, under the names an import knows.
    lines: below it, read as they are written.
    count: how many lines there will be.
    filters: what was asked for, as ids and codes; of words only that there were some.
    notes: codes that stand in the event beside them.
    """

    columns: Sequence[str]
    lines: Iterable[Sequence[Any]]
    count: Callable[[], int]
    filters: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def with_head(self) -> Iterator[Sequence[Any]]:
        """Return every line of the file."""
        yield self.columns
        yield from self.lines


@dataclass(frozen=True, slots=True)
class ExportList:
    """A list that can be taken out. key: in the address, the file's name and the event.

    roles: who may; ``open`` gives each what they may see of it.
    """

    key: str
    roles: frozenset[Any]
    open: Callable[[Asked], Export]


_lists: dict[str, ExportList] = {}


def register_export(key: str, *, roles: Iterable[Any], open: Callable[[Asked], Export]) -> None:  # noqa: A002 - what it does
    """Make a list known; called in ``AppConfig.ready()``."""
    _lists[key] = ExportList(key, frozenset(roles), open)
    registry.register_event(f"{key}.exported", _("List exported"), "download", _described)


def export_lists() -> dict[str, ExportList]:
    """Return every list by its key."""
    return dict(_lists)


def find_list(key: str) -> ExportList:
    """Return the list with this key.

    :raises NotFound: there is none.
    """
    if key not in _lists:
        raise NotFound
    return _lists[key]


def portions(queryset: QuerySet[Any, Any], order: Sequence[str]) -> Iterator[list[Any]]:
    """Yield the rows of a list in its order, a thousand at a time, so that memory stays small.

    order: as for :func:`common.keyset.keyset_page`.
    """
    cursor = ""
    while True:
        page = keyset_page(queryset, order=order, cursor=cursor, size=AT_ONCE)
        if page.rows:
            yield page.rows
        cursor = page.next_cursor
        if not cursor:
            return


def export_of(
    queryset: QuerySet[Any, Any],
    *,
    order: Sequence[str],
    columns: Mapping[str, Callable[[Any], Any]],
    filters: Mapping[str, Any] | None = None,
    prepare: Callable[[list[Any]], None] = lambda rows: None,
) -> Export:
    """Return an export with one line per row of a queryset.

    columns: name → what it holds of a row. prepare: reads what several rows need at once.
    """

    def lines() -> Iterator[list[Any]]:
        for rows in portions(queryset, order):
            prepare(rows)
            for row in rows:
                yield [value(row) for value in columns.values()]

    return Export(
        columns=tuple(columns),
        lines=lines(),
        count=queryset.select_related(None).prefetch_related(None).order_by().count,
        filters=filters or {},
    )


@transaction.atomic
def record_export(
    *, listed: ExportList, export: Export, file_format: str, happened_at: datetime, actor: str
) -> int:
    """Record that a list is given out, and return how many lines it has.

    :raises TooLongForXlsx: nothing is given out.
    """
    count = export.count()
    if file_format == XLSX and count > MOST_XLSX_ROWS:
        raise TooLongForXlsx
    set_filters = {
        name: value
        for name, value in export.filters.items()
        if value is not None and value is not False and value not in ("", [], ())
    }
    record_event(
        kind=f"{listed.key}.exported",
        subject_kind="export",
        subject_ref=new_ref(),
        occurred_at=happened_at,
        actor=actor,
        codes={
            "list": listed.key,
            "rows": count,
            "format": file_format,
            "columns": list(export.columns),
            "filters": set_filters,
            **export.notes,
        },
    )
    return count


def _described(codes: dict[str, Any]) -> str:
    return f"{codes.get('format', '').upper()}, {codes.get('rows', 0)}"
