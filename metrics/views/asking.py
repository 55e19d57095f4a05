"""What a page of figures was asked for: the stretch of time, the other one, the segment.

All of it stands in the address, so that a link shows the same to somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.time import Period
from metrics.forms import A_YEAR_BEFORE, BEFORE, FigureForm
from metrics.kpis import KPIS
from metrics.kpis.base import Kpi
from metrics.models import RecomputeRun, SliceSet, Snapshot
from metrics.selectors.figures import list_slices
from metrics.selectors.runs import seen_until
from metrics.slices import DIMENSIONS, OF_PRODUCT
from metrics.windows import TRAILING_DAYS, last_complete
from metrics.words import show_period

UNIT_LABELS = {
    "quarter": gettext_lazy("Quarters"),
    "month": gettext_lazy("Months"),
    "year": gettext_lazy("Years"),
    "week": gettext_lazy("Weeks"),
    "trailing": gettext_lazy("Last days"),
}
PERIODS_TO_CHOOSE = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """The state of a page of figures.

    unit: of its periods.  period: empty for the last one that is complete.  against: ``before``,
    ``year`` or a period.  segment: a slice, empty for everybody.
    """

    unit: str
    period: str
    against: str
    segment: str

    def query(self, **changes: str) -> str:
        """Return the address's query, with some of it changed; without what is as a rule so."""
        state = {
            "unit": self.unit,
            "period": self.period,
            "against": "" if self.against == BEFORE else self.against,
            "segment": self.segment,
        } | changes
        return urlencode({name: value for name, value in state.items() if value})


def ask(request: HttpRequest, *, unit: str = "quarter") -> Asked:
    """Return what the address asks for. unit: where it doesn't say."""
    form = FigureForm(request.GET)
    unit, period = form.chosen("unit") or unit, form.chosen("period")
    if period and unit_of(period) != unit:
        if form.chosen("unit"):  # another unit was chosen: its last period, then
            period = ""
        else:
            unit = unit_of(period)
    if unit == "trailing" and not period:
        period = f"{TRAILING_DAYS[1]}d"
    return Asked(unit, period, form.chosen("against") or BEFORE, form.chosen("segment"))


def unit_of(period: str) -> str:
    """Return the unit of a period as it is written."""
    return "trailing" if period.endswith("d") else Period.parse(period).unit


def choose(kpi: Kpi, snapshots: Sequence[Snapshot], asked: Asked) -> Snapshot | None:
    """Return a figure's snapshot of the period asked for; None where there is none.

    Where none is asked for: the last one that is over and can't change any more. What is told up to
    a moment has no last days of its own: it is told up to now.
    snapshots: of this figure and this unit, and of everything up to now, oldest first.
    """
    by_period = {snapshot.period: snapshot for snapshot in snapshots}
    if asked.period:
        up_to_now = by_period.get("") if asked.unit == "trailing" and kpi.per == "as_of" else None
        return by_period.get(asked.period, up_to_now)
    if kpi.per == "as_of" and "" in by_period:
        return by_period[""]
    if not snapshots:
        return None
    if kpi.matures_days:
        final = [one for one in snapshots if one.is_complete and one.denominator and one.period]
        if final:
            return final[-1]
    run: RecomputeRun = snapshots[0].run
    return by_period.get(str(last_complete(asked.unit, seen_until(run, kpi))))  # type: ignore[arg-type]


def other_period(chosen: Snapshot, asked: Asked) -> str:
    """Return the period a snapshot is compared with; empty where there is none."""
    if asked.against not in (BEFORE, A_YEAR_BEFORE):
        return "" if asked.against == chosen.period else asked.against
    if not chosen.period or chosen.unit == "trailing":
        return ""
    period = Period.parse(chosen.period)
    steps = {"year": 1, "quarter": 4, "month": 12, "week": 52}
    return str(period.shifted(-steps[period.unit] if asked.against == A_YEAR_BEFORE else -1))


def bar_of(asked: Asked, snapshots: Sequence[Snapshot], run: RecomputeRun) -> dict[str, Any]:
    """Return what ``metrics/parts/bar.html`` offers; one query.

    snapshots: of the figure that leads the page, of the periods that can be chosen.
    """
    periods = [
        (one.period, show_period(one.unit, one.starts_on, one.period))
        for one in snapshots
        if one.unit == asked.unit
    ][-PERIODS_TO_CHOOSE:][::-1]
    slices = list_slices(run)
    return {
        "asked": asked,
        "units": [
            {"name": unit, "label": label, "query": asked.query(unit=unit, period="")}
            for unit, label in UNIT_LABELS.items()
        ],
        "periods": periods,
        "againsts": [
            (BEFORE, _("The period before")),
            (A_YEAR_BEFORE, _("A year before")),
        ],
        "slices": slices,
        "segments": segment_choices(slices),
        "is_slice": any(one.dimension == asked.segment for one in slices),
        "segment_label": next(
            (segment_name(one) for one in slices if one.dimension == asked.segment),
            _product_name(asked.segment),
        ),
    }


def _product_name(segment: str) -> str:
    """Name the product whose own figures are shown; empty where they are not of a product."""
    dimension, _equals, sku = segment.partition("=")
    return _("Only of %(product)s") % {"product": sku} if dimension == OF_PRODUCT else ""


def segment_name(found: SliceSet) -> str:
    """Return a slice's name for people: its dimension and its value."""
    dimension = found.dimension.partition("=")[0]
    return f"{DIMENSIONS[dimension]}: {slice_label(found)}"


def slice_label(found: SliceSet) -> str:
    """Return a slice's value for people."""
    dimension, _equals, value = found.dimension.partition("=")
    if dimension != "cohort":
        return found.label
    try:
        return show_period("month", Period.parse(value).first_day)
    except ValidationError:  # pragma: no cover - cohorts are months
        return found.label


def segment_choices(slices: list[SliceSet]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return dimension → slices with their names, without dimensions that have none."""
    found = [
        (
            str(label),
            [
                (one.dimension, slice_label(one))
                for one in slices
                if one.dimension.startswith(f"{name}=")
            ],
        )
        for name, label in DIMENSIONS.items()
    ]
    return [(label, group) for label, group in found if group]


def keys_of(group: str) -> list[str]:
    """Return the keys of a group's figures, in the order of the registry."""
    return [kpi.key for kpi in KPIS.values() if kpi.group == group]
