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
from metrics.figures import LEFT_TRUNCATED
from metrics.selectors.cohorts import CohortRow

STEPS = 9  # classes heat-0 to heat-9
MONTHS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class HeatCell:
    """css: its class; text and url are empty where there is nothing to show."""

    css: str
    text: str = ""
    url: str = ""


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
) -> Heat | None:
    """Return the table of some cohorts; None without any.

    measure: ``percent`` of the cohort, ``customers`` or ``revenue``.
    months: columns at most; the month of the first purchase is shown as the size.
    is_linked: whether cells lead to the people; those of a trial are gone.
    """
    if not rows:
        return None
    values = {row.cohort: _values(row, measure)[1 : months + 1] for row in rows}
    known = [value for line in values.values() for value in line if value is not None]
    largest = max(known, default=Decimal(0))
    columns = max(len(line) for line in values.values())
    return Heat(
        offsets=list(range(1, columns + 1)),
        rows=[
            HeatRow(
                cohort=row.cohort,
                label=formats.date_format(Period.parse(row.cohort).first_day, "YEAR_MONTH_FORMAT"),
                size=row.size,
                size_url=_url(row.cohort, 0) if is_linked else "",
                is_marked=LEFT_TRUNCATED in row.flags,
                is_open=row.complete_cells == 0,
                cells=[
                    _cell(row.cohort, offset, value, largest, measure, is_linked)
                    for offset, value in enumerate(values[row.cohort], start=1)
                ],
            )
            for row in rows
        ],
    )


def _values(row: CohortRow, measure: str) -> list[Decimal | None]:
    cells = row.cells("revenue" if measure == "revenue" else "customers")
    if measure == "percent":
        return [None if cell is None else Decimal(cell) / row.size for cell in cells]
    return [None if cell is None else Decimal(cell) for cell in cells]


def _cell(
    cohort: str,
    offset: int,
    value: Decimal | None,
    largest: Decimal,
    measure: str,
    is_linked: bool,
) -> HeatCell:
    if value is None:
        return HeatCell("heat-open")
    step = min(STEPS, int(value / largest * (STEPS + 1))) if largest else 0
    if measure == "percent":
        text = format_percent(value, 0)
    elif measure == "revenue":
        text = format_money(value.quantize(Decimal(1)), settings.KEEPWELL_CURRENCY)
    else:
        text = format_number(value, 0)
    return HeatCell(f"heat-{step}", text, _url(cohort, offset) if value and is_linked else "")


def _url(cohort: str, offset: int) -> str:
    query = urlencode([("cohort", cohort), ("offset", str(offset))])
    return f"{reverse('metrics:cohort_people')}?{query}"
