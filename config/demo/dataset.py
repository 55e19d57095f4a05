"""What every source of demo data offers, and moving its dates to the present."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crm.imports.sources import Chunk, Refuse, Source

CHUNK = 10_000
YEAR = timedelta(weeks=52)
LEADS_HEADER = ["external_id", "enquired_at", "product_sku", "source"]


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """Which demo data, exactly.

    days: by how many dates are moved.  last_day: ISO date of the last orders after that.
    live_from: aware UTC; orders from then on are entered live, those before are history.
    """

    source: str
    seed: int
    days: int
    keep_dates: bool
    last_day: str
    live_from: datetime
    customers: int = 0
    months: int = 0

    def as_codes(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        codes = {name: getattr(self, name) for name in self.__slots__}
        return codes | {"live_from": self.live_from.isoformat()}

    @classmethod
    def from_codes(cls, codes: dict[str, Any]) -> DemoPlan:
        """Return the plan that ``as_codes`` described."""
        return cls(**(codes | {"live_from": datetime.fromisoformat(codes["live_from"])}))

    def is_for(self, other: DemoPlan) -> bool:
        """Whether the same data were asked for, whenever that was."""
        names = ("source", "seed", "keep_dates", "customers", "months")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def digest(self, part: str) -> str:
        """Return what tells one part of these data from any other import."""
        text = json.dumps([part, self.as_codes()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Calendar:
    """Moves times by whole days, keeping the hour on the wall."""

    def __init__(self, plan: DemoPlan, home: ZoneInfo) -> None:
        """home: the organisation's timezone."""
        self.plan, self.home = plan, home
        self.step = timedelta(days=plan.days)
        self.end = datetime.fromisoformat(plan.last_day) + timedelta(days=1)

    def moved(self, moment: datetime) -> datetime:
        """Return the aware UTC instant for an aware one of the source.

        The hour in its own timezone becomes the hour in the organisation's. What would come
        after the last day goes to the other end of the year, 52 weeks earlier. Where dates are
        kept, instants stay exactly what they were.
        """
        if self.plan.keep_dates:
            return moment.astimezone(UTC)
        wall = moment.replace(tzinfo=None) + self.step
        return self._instant(wall if wall < self.end else wall - YEAR)

    def at(self, wall: datetime) -> datetime:
        """Return the aware UTC instant of a naive time of the source on the organisation's wall."""
        return self._instant(wall + self.step)

    def _instant(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.home).astimezone(UTC)


def source_of(header: list[str], rows: Callable[[], Iterable[dict[str, list[str]]]]) -> Source:
    """Return a source for the import out of generated columns of text."""

    def chunks(_refuse: Refuse) -> Iterator[Chunk]:
        first = 2  # line 1 would be the header
        for columns in rows():
            count = len(columns[header[0]])
            yield Chunk(range(first, first + count), dict(columns))
            first += count

    return Source(header, chunks)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Demo data ready for import, part by part, in this order.

    leads: enquiries of these customers.
    orders: ``(from, until) -> source`` of the orders made in that span; None is open.
    """

    plan: DemoPlan
    locations: Source
    products: Source
    customers: Source
    leads: Source
    orders: Callable[[datetime | None, datetime | None], Source]
