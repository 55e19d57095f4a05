"""Cohorts and maps as files, and the people in their cells."""

from __future__ import annotations

from common.errors import NotFound
from common.exports import Asked, Export, register_export
from metrics.exports import people_export
from metrics.map_forms import MapForm, MatrixForm, PlaceForm, SlicedCellForm
from metrics.map_sets import MapAsked, asked_set
from metrics.maps import MAPS, RFM, segment_of
from metrics.roles import READERS
from metrics.selectors.cohorts import cohort_rows
from metrics.selectors.maps import list_places
from metrics.selectors.people import find_cell_set
from metrics.selectors.runs import seen_until, shown_run


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("cohorts", roles=READERS, open=open_cohorts)
    register_export("cohort_people", roles=READERS, open=open_cell)
    register_export("map", roles=READERS, open=open_map)
    register_export("map_people", roles=READERS, open=open_map_people)


def open_cohorts(asked: Asked) -> Export:
    """The whole matrix: a row per month of first purchases, a column per month since."""
    form = MatrixForm(asked.query)
    # Shares follow from the numbers.
    measure = form.chosen("show").removesuffix("_percent").replace("percent", "") or "customers"
    segment = form.chosen("segment")
    if segment:
        measure = "customers"  # money is not kept of some only
    run = shown_run()
    found = cohort_rows(run, until=seen_until(run), dimension=segment) if run else []
    rows = [(row, row.cells(measure)) for row in found]
    months = max((len(cells) for _row, cells in rows), default=0)
    lines = [
        (row.cohort, row.size, row.is_complete, *cells, *[None] * (months - len(cells)))
        for row, cells in rows
    ]
    return Export(
        columns=("cohort", "size", "complete", *[f"month_{number}" for number in range(months)]),
        lines=lines,
        count=lambda: len(lines),
        filters={"show": measure} | ({"segment": segment} if segment else {}),
    )


def open_cell(asked: Asked) -> Export:
    """Who of a cohort bought in a month.

    :raises NotFound: nothing was computed yet, or no such cell.
    """
    form, run = SlicedCellForm(asked.query), shown_run()
    if run is None or not form.is_valid():
        raise NotFound
    cohort, offset, segment = (form.cleaned_data[name] for name in ("cohort", "offset", "segment"))
    filters = {"cohort": cohort, "offset": offset} | ({"segment": segment} if segment else {})
    return people_export(find_cell_set(run.pk, cohort, offset, dimension=segment), filters)


def open_map(asked: Asked) -> Export:
    """A map: a line per place with anybody.

    :raises NotFound: no such map.
    """
    name = asked.query.get("map", "")
    if name not in MAPS:
        raise NotFound
    segment, run = MapForm(asked.query).chosen("segment"), shown_run()
    places = list_places(run, name, dimension=segment) if run else []
    lines = [
        (
            place.x,
            place.y,
            segment_of(place.y, place.x).code if name == RFM else "",
            place.customers,
            place.amount,
        )
        for place in places
    ]
    return Export(
        columns=("x", "y", "part", "customers", "amount"),
        lines=lines,
        count=lambda: len(lines),
        filters={"map": name} | ({"segment": segment} if segment else {}),
    )


def open_map_people(asked: Asked) -> Export:
    """Who stands at some places of a map.

    :raises NotFound: nothing was computed yet, or no such places.
    """
    run, form = shown_run(), PlaceForm(asked.query)
    if run is None:
        raise NotFound
    wanted = MapAsked.from_form(asked.query.get("map", ""), form)
    return people_export(asked_set(run, wanted), dict(wanted.filters))
