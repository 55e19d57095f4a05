"""The lists of people that pages of figures lead to, by the names their exports have."""

from __future__ import annotations

from collections.abc import Callable

from django.http import QueryDict

from common.errors import NotFound
from metrics.asked_people import people_asked
from metrics.forms import PeopleForm
from metrics.kpis import get_kpi
from metrics.map_forms import PlaceForm, SlicedCellForm
from metrics.map_sets import MapAsked, asked_set
from metrics.models import MemberSet, RecomputeRun
from metrics.recorded_people import RecordedAsked, RecordedForm, recorded_set
from metrics.selectors.people import find_cell_set
from metrics.selectors.runs import shown_run


def members_asked(name: str, query: QueryDict) -> MemberSet | None:
    """Return who is in a list, as the query of its address says; None where nobody is.

    name: ``figure_people``, ``cohort_people``, ``map_people`` or ``recorded_people``.

    :raises NotFound: no such list, nothing computed yet, or the query names nothing.
    """
    run = shown_run()
    if run is None or name not in _FINDERS:
        raise NotFound
    return _FINDERS[name](run, query)


def _of_figure(_run: RecomputeRun, query: QueryDict) -> MemberSet | None:
    return people_asked(get_kpi(query.get("figure", "")), PeopleForm(query)).members


def _of_cell(run: RecomputeRun, query: QueryDict) -> MemberSet | None:
    form = SlicedCellForm(query)
    if not form.is_valid():
        raise NotFound
    data = form.cleaned_data
    return find_cell_set(run.pk, data["cohort"], data["offset"], dimension=data["segment"])


def _of_map(run: RecomputeRun, query: QueryDict) -> MemberSet | None:
    return asked_set(run, MapAsked.from_form(query.get("map", ""), PlaceForm(query)))


def _of_recorded(run: RecomputeRun, query: QueryDict) -> MemberSet | None:
    return recorded_set(run, RecordedAsked.from_form(RecordedForm(query)))


_FINDERS: dict[str, Callable[[RecomputeRun, QueryDict], MemberSet | None]] = {
    "figure_people": _of_figure,
    "cohort_people": _of_cell,
    "map_people": _of_map,
    "recorded_people": _of_recorded,
}
