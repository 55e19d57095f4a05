"""The cohort matrix as a table: colour steps, hatched open months, links to the people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.urls import reverse
from django.utils import formats
from django.utils.http import urlencode

from common.display import format_money, format_number, format_percent
from common.time import Period
from metrics.figures import FEW, LEFT_TRUNCATED
from metrics.selectors.cohorts import CohortRow

STEPS = 9  # classes heat-0 to heat-9
MONTHS_SHOWN = 12
OPEN, LOSS, UNKNOWN = "heat-open", "heat-loss", "heat-unknown"


@dataclass(frozen=True, slots=True)
class HeatCell:
    """css: its class; text and url are empty where there is nothing to show.

    hint: the same as a number and a share, for the table view.
    """

    css: str
    text: str = ""
    url: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One cohort. size: how many customers; is_marked: some may be older than they seem."""

    cohort: str
    label: str
    size: int
    size_url: str
    is_marked: bool
    is_open: bool
    cells: list[HeatCell]


@dataclass(frozen=True, slots=True)
class Heat:
    """The table. offsets: heads of its columns, months since the first."""

    offsets: list[int]
    rows: list[HeatRow]


def heat_of(
    rows: Sequence[CohortRow],
    *,
    measure: str,
    months: int = MONTHS_SHOWN,
    is_linked: bool = True,
    segment: str = "",
) -> Heat | None:
    """Return the table of some cohorts; None without any.

    measure: ``customers``, ``revenue`` or ``profit``; ``percent`` of the cohort's customers,
    ``revenue_percent`` and ``profit_percent`` of what its first month brought.
    months: columns at most after the month of the first purchase, which only money shows:
    of customers it is the size.
    is_linked: whether cells lead to the people; those of a trial are gone.
    segment: the slice that the rows are of.
    """
    if not rows:
        return None
    first = 0 if measure in ("revenue", "profit") else 1
    offsets = range(first, min(months, max(row.complete_cells for row in rows)) + 1)
    values = {
        (row.cohort, offset): value_at(row, offset, measure)
        for row in rows
        for offset in offsets
        if offset < row.complete_cells and (measure != "percent" or row.size >= FEW)
    }
    largest = max((value for value in values.values() if value is not None), default=Decimal(0))

    def cell(row: CohortRow, offset: int) -> HeatCell:
        if offset >= row.complete_cells:
            return HeatCell(OPEN)
        customers = row.found.get(offset, (0, None))[0]
        url = cell_url(row.cohort, offset, segment) if customers and is_linked else ""
        if measure == "percent" and row.size < FEW:
            return HeatCell(UNKNOWN, _hint(row, offset), url)
        value = values[row.cohort, offset]
        if value is None:
            return HeatCell(UNKNOWN, format_number(None), url)
        return HeatCell(_css(value, largest), show_measure(value, measure), url, _hint(row, offset))

    return Heat(
        offsets=list(offsets),
        rows=[
            HeatRow(
                cohort=row.cohort,
                label=formats.date_format(Period.parse(row.cohort).first_day, "YEAR_MONTH_FORMAT"),
                size=row.size,
                size_url=cell_url(row.cohort, 0, segment) if is_linked else "",
                is_marked=LEFT_TRUNCATED in row.flags,
                is_open=row.complete_cells == 0,
                cells=[cell(row, at) for at in offsets if at <= row.complete_cells],
            )
            for row in rows
        ],
    )


def value_at(row: CohortRow, offset: int, measure: str) -> Decimal | None:
    """Return what a cell shows; None where that isn't known, or can't be told."""
    if measure == "percent":
        found, base = row.at(offset, "customers"), row.at(0, "customers")
    elif measure.endswith("_percent"):
        kind = measure.removesuffix("_percent")
        found, base = row.at(offset, kind), row.at(0, kind)
    else:
        found, base = row.at(offset, measure), 1
    if found is None or base is None or base <= 0:
        return None
    return Decimal(found) / base


def show_measure(value: Decimal, measure: str) -> str:
    """Return a cell's value for people."""
    if measure.endswith("percent"):
        return format_percent(value, 0)
    if measure == "customers":
        return format_number(value, 0)
    return format_money(value, settings.KEEPWELL_CURRENCY, 0)


def cell_url(cohort: str, offset: int, segment: str = "") -> str:
    """Return the page of the people of a cell."""
    query = {"cohort": cohort, "offset": str(offset)} | ({"segment": segment} if segment else {})
    return f"{reverse('metrics:cohort_people')}?{urlencode(query)}"


def _css(value: Decimal, largest: Decimal) -> str:
    if value < 0:
        return LOSS
    return f"heat-{min(STEPS, int(value / largest * (STEPS + 1))) if largest > 0 else 0}"


def _hint(row: CohortRow, offset: int) -> str:
    """A number of customers out of how many."""
    customers = row.found.get(offset, (0, None))[0]
    return f"{format_number(customers)} / {format_number(row.size)}"
