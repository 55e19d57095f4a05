"""Computing everything for a run and keeping it, figure by figure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from common.money import from_units
from crm.services import push_stages
from metrics.facts.sync import sync_facts
from metrics.figures import Figure, figure_of
from metrics.kpis import KPIS
from metrics.kpis.base import Kpi, Measure
from metrics.models import CohortCell, MapCell, RecomputeRun, SliceSet
from metrics.services.products import write_products
from metrics.services.writing import (
    CHUNK_SETS,
    Row,
    SetKeeper,
    Sets,
    chunks,
    write_sliced,
    write_snapshots,
)
from metrics.windows import Window, sliced_windows, windows_kept

if TYPE_CHECKING:
    from metrics.compute import Computation
    from metrics.engines.cutting import Cutter

WINDOWS_AT_ONCE = 12  # that each hold a year or more
TOLD_EVERY = 0.5  # seconds between two marks of progress


def write_figures(run: RecomputeRun, *, now: datetime, full: bool) -> None:
    """Compute every figure for ``run`` and write snapshots, slices and cohort cells.

    A run of the present moment also tells crm where each customer stands on the journey.
    """
    from metrics.compute import computing
    from metrics.engines.cutting import Cutter
    from metrics.engines.stages import stages
    from metrics.slices import find_slices

    progress = _Progress(run)
    progress.tell("facts")
    synced = sync_facts(now=now, full=full)
    cut: dict[str, Any] = {"as_of": run.as_of, "known_at": run.known_at}
    keeper = SetKeeper()
    with computing(synced.store, engine=run.engine, **cut) as computation:
        first_day, last_day = computation.fact_days
        windows = windows_kept(first_day=first_day, last_day=last_day, **cut)
        progress.tell("slices")
        slices = find_slices(computation)
        _write_slices(run, slices, keeper)
        writer = _FigureWriter(run, computation, Cutter(slices), keeper, windows)
        group = ""
        for done, kpi in enumerate(KPIS.values()):
            progress.tell("figures", done, len(KPIS))
            if kpi.group != group and computation.is_large:
                computation.forget()
            group = kpi.group
            writer.write(kpi)
        writer.written += write_products(run, computation, windows, keeper, KPIS.values())
        progress.tell("cohorts")
        _write_cohorts(run, computation, windows, keeper)
        _write_maps(run, computation, keeper)
        run.first_day, run.last_day = computation.first_day, computation.last_day
        where = {} if run.is_pinned else stages(computation.orders, run.as_of)
    if not run.is_pinned:
        push_stages(stages=where)
    run.figures = writer.written


class _FigureWriter:
    """Computes and writes one figure after the other."""

    def __init__(
        self,
        run: RecomputeRun,
        computation: Computation,
        cutter: Cutter,
        keeper: SetKeeper,
        windows: list[Window],
    ) -> None:
        self.written = 0
        self._run, self._computation = run, computation
        self._cutter, self._keeper = cutter, keeper
        self._windows, self._sliced = windows, sliced_windows(windows)
        # Where there are no facts at all, these say so.
        cut: dict[str, Any] = {"as_of": run.as_of, "known_at": run.known_at}
        self._present = windows_kept(first_day=None, last_day=None, **cut)

    def write(self, kpi: Kpi) -> None:
        """Write the figure of every window it has, and of every slice."""
        left_out = {"trailing" if kpi.per == "as_of" else "all"}
        if kpi.looks_back_a_year:  # from week to week there is next to nothing new in it
            left_out.add("week")
        windows = self._windows if self._computation.has_facts_of(kpi) else self._present
        windows = [window for window in windows if window.unit not in left_out]
        for some in self._portions(kpi, windows):
            measures = self._computation.measures(kpi, some)
            whole = self._of_everybody(kpi, some, measures)
            self.written += write_snapshots(self._run, kpi, whole)
            self.written += write_sliced(self._run, self._of_slices(kpi, some, measures))

    def _portions(self, kpi: Kpi, windows: list[Window]) -> Iterable[list[Window]]:
        """Cut windows into portions whose facts fit into memory.

        Windows of one unit lie side by side, so that each fact is in one of them only; those of
        figures that look back a year, or at all time, lie on top of each other.
        """
        if not self._computation.is_large:
            return [windows]
        if kpi.looks_back_a_year or (kpi.kernel and kpi.per == "as_of"):
            return chunks(windows, WINDOWS_AT_ONCE)
        return [list(some) for _unit, some in groupby(windows, lambda window: window.unit)]

    def _of_everybody(
        self, kpi: Kpi, windows: list[Window], measures: dict[str, Measure]
    ) -> Iterator[Row]:
        around = self._computation.surroundings
        figures = [figure_of(kpi, one, measures[one.name], around) for one in windows]
        named = [
            (place, name, ids)
            for place, figure in enumerate(figures)
            for name, ids in figure.sets.items()
            if len(ids)
        ]
        keys = self._keeper.keep(ids for _place, _name, ids in named)
        sets: list[Sets] = [[] for _ in figures]
        for (place, name, _ids), key in zip(named, keys, strict=True):
            sets[place].append((name, key))
        return zip(figures, windows, sets, strict=True)

    def _of_slices(
        self, kpi: Kpi, windows: list[Window], measures: dict[str, Measure]
    ) -> Iterator[tuple[Figure, Window]]:
        """Without those in which there is nothing."""
        if not kpi.is_sliced or not self._cutter.slices:
            return
        around = self._computation.surroundings
        for window in windows:
            measure = measures[window.name]
            if window.name not in self._sliced or not (measure.numerator or measure.denominator):
                continue
            cut = self._cutter.cut(kpi, measure)
            for one, part in zip(self._cutter.slices, cut, strict=True):
                if part.numerator or part.denominator:
                    yield figure_of(kpi, window, part, around, dimension=one.name), window


class _Progress:
    """Tells the pages how far a run is."""

    def __init__(self, run: RecomputeRun) -> None:
        self._run, self._told_at = run, 0.0

    def tell(self, phase: str, done: int = 0, of: int = 0) -> None:
        """Write it down, at most every :data:`TOLD_EVERY` seconds within a phase."""
        is_new = self._run.progress.get("phase") != phase
        if not is_new and time.monotonic() - self._told_at < TOLD_EVERY:
            return
        self._told_at = time.monotonic()
        self._run.progress = {"phase": phase, "done": done, "of": of}
        RecomputeRun.objects.filter(pk=self._run.pk).update(progress=self._run.progress)


def _write_slices(run: RecomputeRun, slices: list[Any], keeper: SetKeeper) -> None:
    keys = keeper.keep(one.ids for one in slices)
    SliceSet.objects.bulk_create(
        SliceSet(run=run, dimension=one.name, label=one.label, size=len(one.ids), members_id=key)
        for one, key in zip(slices, keys, strict=True)
    )


def _write_cohorts(
    run: RecomputeRun, computation: Computation, windows: list[Window], keeper: SetKeeper
) -> None:
    months = _without_gaps([window for window in windows if window.unit == "month"])
    found = {(cell.cohort, cell.month): cell for cell in computation.cohort_cells(months)}
    profits = computation.cohort_profits(months)
    known = {cohort for cohort, _month in profits}
    # There are months in which nobody bought, but something was given back.
    for places in chunks(sorted(found.keys() | profits.keys()), CHUNK_SETS):
        keys = keeper.keep(found[at].members if at in found else () for at in places)
        CohortCell.objects.bulk_create(
            CohortCell(
                run=run,
                cohort=months[at[0]].name,
                offset=at[1] - at[0],
                amount=from_units(found[at].amount if at in found else 0),
                profit=from_units(profits.get(at, 0)) if at[0] in known else None,
                members_id=key,
            )
            for at, key in zip(places, keys, strict=True)
        )


def _write_maps(run: RecomputeRun, computation: Computation, keeper: SetKeeper) -> None:
    from metrics.engines.maps import places

    for some in chunks(places(computation), CHUNK_SETS):
        keys = keeper.keep(place.members for place in some)
        MapCell.objects.bulk_create(
            MapCell(
                run=run,
                map=place.map,
                x=place.x,
                y=place.y,
                customers=len(place.members),
                amount=from_units(place.amount),
                members_id=key,
            )
            for place, key in zip(some, keys, strict=True)
        )


def _without_gaps(months: list[Window]) -> list[Window]:
    """The last months that follow each other: long after the last purchase there are gaps."""
    kept: list[Window] = []
    for month in months:
        if kept and kept[-1].end != month.start:
            break
        kept.append(month)
    return kept
