"""Maps of customers as tables: colour steps, numbers, links to the people of each place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode

from common.display import format_money, format_number, format_percent
from metrics.selectors.maps import Place
from metrics.views.earlier import Earlier

STEPS = 9
EMPTY, LOSS = "heat-none", "heat-loss"


@dataclass(frozen=True, slots=True)
class GridCell:
    """A place. text: how many customers; amount: what they add up to; note: its name.

    change: by how many they differ from an earlier day.
    """

    css: str
    text: str = ""
    amount: str = ""
    share: str = ""
    change: str = ""
    note: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class GridRow:
    """A line of places."""

    label: str
    cells: list[GridCell]


@dataclass(frozen=True, slots=True)
class Grid:
    """The table: heads of its columns, and its lines from the top."""

    columns: list[str]
    rows: list[GridRow]


def grid_of(
    places: Sequence[Place],
    *,
    name: str,
    columns: Sequence[tuple[int, str | Promise]],
    rows: Sequence[tuple[int, str | Promise]],
    notes: dict[tuple[int, int], str] | None = None,
    segment: str = "",
    losses: Collection[int] = (),
    earlier: Earlier | None = None,
) -> Grid:
    """Return a map as a table, coloured by the number of customers.

    columns, rows: x and y with their names, from the left and from the top.
    notes: x, y → what a place is called.  losses: rows marked as such.
    earlier: what the numbers are compared with.
    """
    by_place = {(place.x, place.y): place for place in places}
    largest = max((place.customers for place in places), default=0)
    total = sum(place.customers for place in places)

    def cell(x: int, y: int) -> GridCell:
        note = (notes or {}).get((x, y), "")
        place = by_place.get((x, y))
        change = earlier.change(places, [(x, y)]) if earlier else ""
        if place is None:
            return GridCell(EMPTY, text=format_number(0), change=change, note=note)
        return GridCell(
            LOSS if y in losses else f"heat-{min(STEPS, place.customers * (STEPS + 1) // largest)}",
            text=format_number(place.customers),
            amount=money(place.amount),
            share=format_percent(Decimal(place.customers) / total),
            change=change,
            note=note,
            url=places_url(name, x=x, y=y, segment=segment),
        )

    return Grid(
        columns=[str(label) for _x, label in columns],
        rows=[GridRow(str(label), [cell(x, y) for x, _label in columns]) for y, label in rows],
    )


def places_url(
    name: str, *, x: int | None = None, y: int | None = None, part: str = "", segment: str = ""
) -> str:
    """Return the page of the people at a place, in a line of places, or in a named part."""
    query = {"x": x, "y": y, "part": part or None, "segment": segment or None}
    wanted = {key: str(value) for key, value in query.items() if value is not None}
    return f"{reverse('metrics:map_people', args=[name])}?{urlencode(wanted)}"


def money(amount: Decimal | None) -> str:
    """Return an amount in whole units of the organisation's currency; empty where unknown."""
    return "" if amount is None else format_money(amount, settings.KEEPWELL_CURRENCY, 0)
