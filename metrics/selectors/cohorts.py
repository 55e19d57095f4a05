"""The cohort matrix of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common.time import Period
from metrics.figures import LEFT_TRUNCATED
from metrics.models import CohortCell, RecomputeRun
from metrics.windows import LOOK_BACK_DAYS, last_complete

MEASURES = ("percent", "customers", "revenue")


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
    found: dict[int, tuple[int, Decimal]] = field(default_factory=dict)

    def cells(self, measure: str = "customers") -> list[int | Decimal | None]:
        """Customers or revenue by months since the first; None while the month goes on."""
        place = 0 if measure == "customers" else 1
        nothing: tuple[int, Decimal] = (0, Decimal("0.00"))
        seen: list[Any] = [
            self.found.get(offset, nothing)[place] for offset in range(self.complete_cells)
        ]
        return [*seen, None]


def cohort_rows(run: RecomputeRun, *, until: datetime | None = None) -> list[CohortRow]:
    """Return the rows, oldest first; one query.

    until: months after this moment are left open (default: after that of the run).

    A row is complete when its month is over and its customers can't have bought before the first
    loaded order; where they can (``left_truncated``), some are older customers than they seem.
    """
    cells = (
        CohortCell.objects.filter(run=run)
        .order_by("cohort", "offset")
        .values_list("cohort", "offset", "amount", "members__size")
    )
    rows: dict[str, CohortRow] = {}
    for cohort, offset, amount, size in cells:
        row = rows.get(cohort) or _empty_row(run, cohort, until)
        rows[cohort] = row
        row.found[offset] = (size, amount)
        if offset == 0:
            row.size = size
    return list(rows.values())


def cohort_document(row: CohortRow, measure: str) -> dict[str, Any]:
    """Return a cohort as the API and ``cohorts --json`` print it."""
    cells = row.cells(measure)
    if measure == "revenue":
        cells = [None if cell is None else format(cell, "f") for cell in cells]  # type: ignore[misc]
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
