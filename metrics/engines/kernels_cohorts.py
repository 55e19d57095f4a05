"""The cohort matrix by array arithmetic: month of the first order × month."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.engines.calendar import micros
from metrics.engines.members import Flags, Ints, by_id
from metrics.engines.orders import Block, Orders, side_by_side
from metrics.windows import Window


@dataclass(frozen=True)
class Cell:
    """A cell of the cohort matrix: places of cohort and month, who bought, and for how much."""

    cohort: int
    month: int
    members: Ints
    amount: int


def cohorts(orders: Orders, months: list[Window]) -> list[Cell]:
    """Kernel of the cohort matrix; empty cells are left out.

    months: at least one local month, without a gap.
    """
    begins = np.array([micros(month.start) for month in months], dtype=np.int64)
    end = micros(months[-1].until)
    cohort_at = cohort_of(orders.first, months)

    def cells(block: Block) -> list[Cell]:
        found: list[Cell] = []
        first = block.span[0]
        if first < begins[0] or first >= end:
            return found
        month = int(np.searchsorted(begins, first, side="right")) - 1
        # Small whole numbers are sorted by counting; customers stay in their order.
        by_cohort = np.argsort(cohort_at[block.visitors], kind="stable")
        cohort = cohort_at[block.visitors[by_cohort]]
        running = np.cumsum(block.revenue[by_cohort])
        for low, high in runs(np.diff(cohort, prepend=-2) != 0):
            if cohort[low] >= 0:
                members = orders.ids[block.visitors[by_cohort[low:high]]]
                members = by_id(members, members)
                amount = running[high - 1] - (running[low - 1] if low else 0)
                found.append(Cell(int(cohort[low]), month, members, int(amount)))
        return found

    found = [cell for some in side_by_side(cells, orders.blocks) for cell in some]
    return sorted(found, key=lambda cell: (cell.cohort, cell.month))


def cohort_of(first: Ints, months: list[Window]) -> NDArray[np.int16]:
    """Return the place of the month of each first order; -1 where it is none of them."""
    begins = np.array([micros(month.start) for month in months], dtype=np.int64)
    found = (np.searchsorted(begins, first, side="right") - 1).astype(np.int16)
    found[first >= micros(months[-1].until)] = -1
    return found


def cells_from_rows(rows: Any) -> list[Cell]:
    """Return the cells that a definition's rows (``cohort, month, customer_id, amount``) make."""
    cohort, month, ids, amounts = (
        rows.column(name).to_numpy() for name in ("cohort", "month", "customer_id", "amount")
    )
    order = np.lexsort((ids, month, cohort))
    cohort, month, ids, amounts = cohort[order], month[order], ids[order], amounts[order]
    change = (np.diff(cohort, prepend=-1) != 0) | (np.diff(month, prepend=-1) != 0)
    return [
        Cell(int(cohort[low]), int(month[low]), ids[low:high], int(amounts[low:high].sum()))
        for low, high in runs(change)
    ]


def runs(is_start: Flags) -> list[tuple[int, int]]:
    """Return begin and end of each stretch of rows; ``is_start`` marks the first of each."""
    edges = [*np.flatnonzero(is_start).tolist(), len(is_start)]
    return list(pairwise(edges))
