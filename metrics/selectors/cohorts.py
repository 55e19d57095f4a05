"""The cohort matrix of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common.time import Period
from metrics.figures import LEFT_TRUNCATED
from metrics.models import CohortCell, RecomputeRun
from metrics.selectors.people import bitmap_of, find_slice_set
from metrics.windows import LOOK_BACK_DAYS, last_complete

MEASURES = ("percent", "customers", "revenue", "revenue_percent", "profit", "profit_percent")
NOTHING = Decimal("0.00")


@dataclass(slots=True)
class CohortRow:
    """The customers who first bought in one month.

    size: how many, so far if the month is not over.  complete_cells: months observed in full,
    the first included.  found: offset → customers and amount; a month without any is left out.
    """

    cohort: str
    size: int
    is_complete: bool
    flags: list[str]
    complete_cells: int
    found: dict[int, tuple[int, Decimal | None]] = field(default_factory=dict)
    profits: dict[int, Decimal | None] = field(default_factory=dict)

    def cells(self, measure: str = "customers") -> list[int | Decimal | None]:
        """Customers, revenue or profit by months since the first; None for the last, which goes on.

        None besides where the profit isn't known.
        """
        return [*(self.at(offset, measure) for offset in range(self.complete_cells)), None]

    def at(self, offset: int, measure: str) -> int | Decimal | None:
        """What is known of one month."""
        if measure == "profit":
            return self.profits.get(offset, NOTHING)
        customers, amount = self.found.get(offset, (0, NOTHING))
        return customers if measure == "customers" else amount


def cohort_rows(
    run: RecomputeRun,
    *,
    until: datetime | None = None,
    dimension: str = "",
    cohorts: Iterable[str] | None = None,
) -> list[CohortRow]:
    """Return the rows, oldest first; one query, two of a slice.

    until: months after this moment are left open (default: after that of the run).
    dimension: only customers of a slice of the run, such as ``location=north``.
    cohorts: only these.

    A row is complete when its month is over and its customers can't have bought before the first
    loaded order; where they can (``left_truncated``), some are older customers than they seem.
    """
    rows: dict[str, CohortRow] = {}
    for cohort, offset, size, amount, profit in _cells(run, dimension, cohorts):
        row = rows.get(cohort) or _empty_row(run, cohort, until)
        rows[cohort] = row
        row.found[offset] = (size, amount)
        row.profits[offset] = profit
        if offset == 0:
            row.size = size
    return [row for row in rows.values() if row.size]


def list_cohorts(run: RecomputeRun) -> list[str]:
    """Return the months in which somebody first bought, oldest first; one query."""
    first = CohortCell.objects.filter(run=run, offset=0).order_by("cohort")
    return list(first.values_list("cohort", flat=True))


def _cells(
    run: RecomputeRun, dimension: str, cohorts: Iterable[str] | None
) -> Iterator[tuple[str, int, int, Decimal | None, Decimal | None]]:
    """Yield cohort, offset, customers, amount, profit of each cell that isn't empty."""
    cells = CohortCell.objects.filter(run=run).order_by("cohort", "offset")
    if cohorts is not None:
        cells = cells.filter(cohort__in=list(cohorts))
    if not dimension:
        yield from cells.values_list("cohort", "offset", "members__size", "amount", "profit")
        return
    slice_set = find_slice_set(run.pk, dimension)
    if slice_set is None:
        return
    within = bitmap_of(slice_set)
    for cell in cells.select_related("members"):
        size = bitmap_of(cell.members).intersection_cardinality(within)
        if size:
            yield cell.cohort, cell.offset, size, None, None


def cohort_document(row: CohortRow, measure: str) -> dict[str, Any]:
    """Return a cohort as the API and ``cohorts --json`` print it."""
    cells = [
        format(cell, "f") if isinstance(cell, Decimal) else cell for cell in row.cells(measure)
    ]
    return {
        "cohort": row.cohort,
        "size": row.size,
        "complete": row.is_complete,
        "cells": cells,
        "flags": row.flags,
    }


def _empty_row(run: RecomputeRun, cohort: str, until: datetime | None) -> CohortRow:
    month = Period.parse(cohort)
    moment = until or min(run.as_of, run.known_at)
    last = last_complete("month", moment)
    complete = max(0, _number(last) - _number(month) + 1)
    look_back = month.first_day - timedelta(days=LOOK_BACK_DAYS)
    truncated = run.first_day is not None and look_back < run.first_day
    return CohortRow(
        cohort=cohort,
        size=0,
        is_complete=complete > 0 and not truncated,
        flags=[LEFT_TRUNCATED] if truncated else [],
        complete_cells=complete,
    )


def _number(month: Period) -> int:
    return month.first_day.year * 12 + month.first_day.month
