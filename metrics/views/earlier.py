"""A map beside the same map as of an earlier day, which a run of then keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.display import format_local, format_number
from common.time import local_date
from metrics.map_forms import MapForm
from metrics.models import RecomputeRun
from metrics.selectors.maps import Place, has_slice, list_earlier_runs, list_places


@dataclass(frozen=True, slots=True)
class Earlier:
    """Earlier runs to choose from, the chosen one and its places.

    run: None where none was chosen, or where it knows nothing of the segment asked for.
    """

    runs: Sequence[RecomputeRun]
    run: RecomputeRun | None
    places: Sequence[Place]

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Reference and day of each run, the latest first."""
        return [(one.ref, _day(one)) for one in self.runs]

    @property
    def day(self) -> str:
        """The day of the chosen one; empty without."""
        return _day(self.run) if self.run else ""

    def change(self, now: Sequence[Place], wanted: Sequence[tuple[int, int]]) -> str:
        """Return by how many customers some places differ, for people; empty without any."""
        if self.run is None:
            return ""
        there = set(wanted)
        counts = [
            sum(place.customers for place in places if (place.x, place.y) in there)
            for places in (now, self.places)
        ]
        return change_text(counts[0] - counts[1]) if any(counts) else ""


def earlier_of(run: RecomputeRun, name: str, form: MapForm) -> Earlier:
    """Return what the address compares a map with; three queries at most."""
    runs, segment = list_earlier_runs(run, name), form.chosen("segment")
    chosen = next((one for one in runs if one.ref == form.chosen("against")), None)
    if chosen is not None and segment and not has_slice(chosen, segment):
        chosen = None
    places = list_places(chosen, name, dimension=segment) if chosen else []
    return Earlier(runs, chosen, places)


def change_text(difference: int) -> str:
    """Return a change with its sign: +12, −3, ±0."""
    sign = "+" if difference > 0 else "−" if difference else "±"
    return sign + format_number(abs(difference))


def _day(run: RecomputeRun) -> str:
    return format_local(local_date(run.as_of))
