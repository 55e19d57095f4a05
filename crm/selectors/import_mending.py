"""What a check would refuse, and how each cause can be mended without touching the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from crm.models import ImportBatch, Location
from crm.selectors.import_matching import columns_of
from crm.selectors.import_words import column_label
from crm.selectors.imports import Problem, mapping_of, problems_of

# Columns that say who somebody is: nothing of them is kept in a mapping.
WHO = frozenset({"external_id", "customer_id", "name", "email", "phone", "order_id", "refund_id"})
MAKEABLE = frozenset({"customer_id", "sku"})  # of purchases, by ``create_missing``
TIMES = frozenset({"instant", "day"})
MOST_SHOPS = 500


@dataclass(frozen=True, slots=True)
class Mending:
    """A problem and what can be done. by: ``values``, ``shop``, ``make`` or nothing.

    asks_dates: another format of dates may be what is needed.
    """

    problem: Problem
    label: str
    by: str = ""
    asks_dates: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """Every problem; shops to choose from; whether anything can be mended here."""

    problems: list[Mending] = field(default_factory=list)
    shops: list[tuple[str, str]] = field(default_factory=list)
    asks_dates: bool = False

    @property
    def can_mend(self) -> bool:
        """Whether there is something to fill in."""
        return self.asks_dates or any(one.by for one in self.problems)


def mending_of(batch: ImportBatch) -> Board:
    """Return what the last check would refuse, and how it can be mended; at most one query."""
    columns = columns_of(batch.kind, mapping_of(batch))
    found = []
    may_make = not batch.mapping.get("create_missing")
    for problem in problems_of(batch):
        column = columns.get(problem.column)
        made_by = getattr(column.parse, "__qualname__", "").partition(".")[0] if column else ""
        asks_dates = made_by in TIMES and any(value for value, _count in problem.values)
        by = ""
        if problem.column == "location" and column:
            by = "shop"
        elif problem.column in MAKEABLE and batch.kind == "orders":
            is_named = any(value for value, _count in problem.values)
            by = "make" if is_named and may_make else ""
            may_make = may_make and not by  # one tick makes customers and products
        elif column and problem.values and not asks_dates and problem.column not in WHO:
            by = "values"
        found.append(Mending(problem, column_label(problem.column), by, asks_dates))
    shops: list[tuple[str, str]] = []
    if any(one.by == "shop" for one in found):
        rows = Location.objects.order_by("name", "code").values_list("code", "name")
        shops = list(rows[:MOST_SHOPS])
    return Board(found, shops, any(one.asks_dates for one in found))
