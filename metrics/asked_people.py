"""The people an address names: those of a figure's set, or who of them stayed, came or left."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import NotFound
from metrics.forms import PeopleForm
from metrics.kpis.base import Kpi
from metrics.models import MemberSet, Snapshot
from metrics.selectors.figures import find_snapshot
from metrics.selectors.people import compare_people, find_set
from metrics.selectors.runs import shown_run


@dataclass(frozen=True, slots=True)
class AskedPeople:
    """Who was asked for.

    members: None where nobody is.  other, part: of a comparison with another period.
    """

    snapshot: Snapshot
    name: str
    members: MemberSet | None
    other: Snapshot | None = None
    part: str = ""


def people_asked(kpi: Kpi, form: PeopleForm) -> AskedPeople:
    """Return the people of a figure that an address names; of the run the pages show.

    :raises NotFound: no such set, or no figure of that period and segment.
    """
    name = form.chosen("set") or next(iter(kpi.sets))
    period, segment = form.chosen("period"), form.chosen("segment")
    other, part = form.chosen("other"), form.chosen("part")
    run = shown_run()
    if run is None or name not in kpi.all_sets:
        raise NotFound
    found = find_snapshot(run, kpi.key, period, dimension=segment)
    if found is None:
        raise NotFound
    if not (other and part):
        return AskedPeople(found, name, find_set(found, name))
    before = find_snapshot(run, kpi.key, other, dimension=segment)
    if before is None:
        raise NotFound
    members = compare_people(before, found, name).find(part)
    return AskedPeople(found, name, members, before, part)
