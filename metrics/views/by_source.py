"""What customers of each source left so far, beside what winning them cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from common.display import format_number
from metrics.figures import TOO_FEW
from metrics.models import SliceSet, Snapshot
from metrics.selectors.figures import figure_from, list_latest
from metrics.views.asking import slice_label
from metrics.words import Shown, show

VALUE, COST = "clv_historic", "acquisition_cost"
SOURCE = "source="


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source, or everybody. times: value / cost; empty where one of them says nothing."""

    label: str
    value: Shown
    cost: Shown

    @property
    def both(self) -> tuple[Shown, Shown]:
        """Value and cost."""
        return self.value, self.cost

    @property
    def times(self) -> str:
        """How many times the cost the value is."""
        worth, spent = self.value.figure.value, self.cost.figure.value
        if not spent or worth is None or not self.is_told:
            return ""
        return f"{format_number(worth / spent, 1)}×"

    @property
    def verdict(self) -> str:
        """Whether it is earned back, for certain: the two bands don't meet."""
        worth, spent = self.value.figure, self.cost.figure
        if worth.value is None or spent.value is None:
            return ""
        if not self.is_told or worth.low is None or worth.high is None:
            return _("Too few to say.")
        low, high = spent.low, spent.high
        if low is None or high is None:
            low = high = spent.value
        if worth.low > high:
            return _("Earned back: certain.")
        if worth.high < low:
            return _("Not earned back yet: certain.")
        return _("Earned back or not: can't tell.")

    @property
    def is_told(self) -> bool:
        """Whether both are of enough people."""
        return not any(TOO_FEW in shown.figure.flags for shown in (self.value, self.cost))


def rows_by_source(slices: Sequence[SliceSet], snapshots: Sequence[Snapshot]) -> list[SourceRow]:
    """Return everybody and the sources that are kept, the largest first; one query.

    Empty where nobody's own cost is recorded.  slices: all the run keeps.  snapshots: figures of
    everybody, those up to now among them.
    """
    whole = {one.kpi: one for one in snapshots if not one.dimension and one.unit == "all"}
    if COST not in whole or not whole[COST].denominator or VALUE not in whole:
        return []
    rows = [_row(_("All customers"), whole)]
    mine = [one for one in slices if one.dimension.startswith(SOURCE)]
    if not mine:
        return rows
    found: dict[str, dict[str, Any]] = {}
    dimensions = [one.dimension for one in mine]
    run = whole[COST].run
    for one in list_latest(keys=(VALUE, COST), units=("all",), dimensions=dimensions, run=run):
        found.setdefault(one.dimension, {})[one.kpi] = one
    return rows + [
        _row(slice_label(one), found[one.dimension])
        for one in mine
        if found.get(one.dimension, {}).keys() >= {VALUE, COST}
    ]


def _row(label: str, found: dict[str, Snapshot]) -> SourceRow:
    value, cost = (show(figure_from(found[key]), None) for key in (VALUE, COST))
    return SourceRow(label, value, cost)
