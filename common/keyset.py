"""Pages of a list by its last row instead of a row number: every page costs the same.

The cursor is signed for the model and order it was made for, so nothing from outside reaches the
database through it; one that doesn't fit shows the first page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput

PAGE_SIZE = 50
PARAMETER = "cursor"

Row = TypeVar("Row")
Direction = Literal["after", "before"]


@dataclass(frozen=True, slots=True)
class KeysetPage(Generic[Row]):
    """One page; an empty cursor means there is nothing on that side."""

    rows: list[Row]
    next_cursor: str = ""
    previous_cursor: str = ""

    def urls(self, request: HttpRequest) -> dict[str, str]:
        """``next_url`` and ``previous_url`` for ``parts/pager.html``, keeping the filters."""
        return {
            "next_url": cursor_url(request, self.next_cursor),
            "previous_url": cursor_url(request, self.previous_cursor),
        }


def cursor_url(request: HttpRequest, cursor: str) -> str:
    """Return the present address with another cursor, or an empty string without one."""
    if not cursor:
        return ""
    query = request.GET.copy()
    query[PARAMETER] = cursor
    return f"{request.path}?{query.urlencode()}"


def keyset_page(
    queryset: QuerySet[Any, Row],
    *,
    order: Sequence[str],
    cursor: str = "",
    size: int = PAGE_SIZE,
    strict: bool = False,
) -> KeysetPage[Row]:
    """Return a page of ``queryset`` in ``order``; one query.

    order: field names, ``-`` for descending, none of them nullable; the id is added as tie-break
        where it is missing. Annotations and fields of related rows work too.
    cursor: as given by the page before or after; anything else means the first page,
        or, when ``strict``, is refused.

    :raises InvalidInput: ``strict``, and the cursor is of another list or nobody's.
    """
    fields = list(order)
    if not any(name.lstrip("-") in {"id", "pk"} for name in fields):
        fields.append("-id" if fields and fields[-1].startswith("-") else "id")
    salt = f"keyset:{queryset.model._meta.label}:{','.join(fields)}"
    position = read_cursor(cursor, salt=salt, length=len(fields))
    if cursor and strict and position is None:
        raise InvalidInput(fields={PARAMETER: [str(_("This cursor belongs to another list."))]})
    backward = position is not None and position[0] == "before"
    ordered = [_turned(name) for name in fields] if backward else fields
    if position is not None:
        queryset = queryset.filter(rows_after(ordered, position[1]))
    found = list(queryset.order_by(*ordered)[: size + 1])
    rows = found[:size]
    more = len(found) > size
    if backward:
        rows.reverse()
    has_next, has_previous = (True, more) if backward else (more, position is not None)
    return KeysetPage(
        rows=rows,
        next_cursor=write_cursor("after", _key_of(rows[-1], fields), salt=salt)
        if rows and has_next
        else "",
        previous_cursor=write_cursor("before", _key_of(rows[0], fields), salt=salt)
        if rows and has_previous
        else "",
    )


def rows_after(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Return the condition for rows that come after ``values`` in ``order``.

    The first field is bounded by itself as well, so that both databases walk the index.
    """
    condition = Q()
    for name, value in reversed(list(zip(order, values, strict=True))):
        field, beyond = (name[1:], "lt") if name.startswith("-") else (name, "gt")
        further = Q(**{f"{field}__{beyond}": value})
        condition = further | (Q(**{field: value}) & condition) if condition else further
    first, bound = (order[0][1:], "lte") if order[0].startswith("-") else (order[0], "gte")
    return Q(**{f"{first}__{bound}": values[0]}) & condition


def write_cursor(direction: Direction, values: Sequence[Any], *, salt: str) -> str:
    """Return a signed cursor; ``salt`` names the list it belongs to."""
    return signing.Signer(salt=salt).sign_object(
        [direction, [_plain(value) for value in values]], compress=False
    )


def read_cursor(cursor: str, *, salt: str, length: int) -> tuple[Direction, list[Any]] | None:
    """Return direction and values of a cursor of this list, or None for anything else."""
    if not cursor or len(cursor) > 2000 or not cursor.isascii():
        return None
    try:
        direction, values = signing.Signer(salt=salt).unsign_object(cursor)
    except (signing.BadSignature, ValueError):
        return None
    return (direction, [_typed(value) for value in values]) if len(values) == length else None


def _turned(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _key_of(row: Any, fields: Sequence[str]) -> list[Any]:
    return [_value_of(row, name.lstrip("-")) for name in fields]


def _value_of(row: Any, path: str) -> Any:
    if isinstance(row, dict):
        return row[path]
    for part in path.split("__"):
        row = getattr(row, part)
    return row.pk if isinstance(row, Model) else row


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return ["instant", value.astimezone(UTC).isoformat()]
    if isinstance(value, date):
        return ["date", value.isoformat()]
    if isinstance(value, Decimal):
        return ["number", str(value)]
    return value


def _typed(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind, text = value
    if kind == "number":
        return Decimal(text)
    return datetime.fromisoformat(text) if kind == "instant" else date.fromisoformat(text)
