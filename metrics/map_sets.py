"""Which places of a map an address names, and who stands there."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.http import urlencode

from common.errors import NotFound
from metrics.map_forms import PlaceForm
from metrics.maps import RFM, SIDES, find_segment, places_of
from metrics.models import MemberSet, RecomputeRun
from metrics.selectors.maps import find_places_set


@dataclass(frozen=True, slots=True)
class MapAsked:
    """Some places of a map. x, y: None for any; part: of the RFM map; segment: a slice."""

    name: str
    x: int | None
    y: int | None
    part: str
    segment: str

    @classmethod
    def from_form(cls, name: str, form: PlaceForm) -> MapAsked:
        """Return what a form says.

        :raises NotFound: no such map, or something that doesn't fit it.
        """
        if name not in SIDES or not form.is_valid():
            raise NotFound
        data = form.cleaned_data
        if data["part"] and name != RFM:
            raise NotFound
        if any(
            data[side] is not None and data[side] not in places
            for side, places in zip("xy", SIDES[name], strict=True)
        ):
            raise NotFound
        return cls(name, data["x"], data["y"], data["part"], data["segment"])

    @property
    def filters(self) -> dict[str, str]:
        """What was asked for, by the names an address has for it; without what wasn't."""
        values = {
            "map": self.name,
            "x": self.x,
            "y": self.y,
            "part": self.part or None,
            "segment": self.segment or None,
        }
        return {key: str(value) for key, value in values.items() if value is not None}

    @property
    def query(self) -> str:
        """The same as the query of an address, with the map in it."""
        return urlencode(self.filters)


def asked_set(run: RecomputeRun, asked: MapAsked) -> MemberSet:
    """Return who stands at the places asked for; one query, two of a slice."""
    part = find_segment(asked.part)
    places: list[tuple[int | None, int | None]] = (
        list(places_of(part)) if part else [(asked.x, asked.y)]
    )
    return find_places_set(run, asked.name, places=places, dimension=asked.segment)
