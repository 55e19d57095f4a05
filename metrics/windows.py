"""The stretches of time figures are computed for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from common.time import Period, PeriodUnit, local_date, organisation_timezone, start_of_day

LOOK_BACK_DAYS = 90  # W: a customer is active at t after an order in [t - W, t)
YEAR_DAYS = 365
WindowUnit = PeriodUnit | Literal["all", "trailing"]
YEARS_KEPT = 10  # older periods are computed when asked for
WEEKS_KEPT = 26
TRAILING_DAYS = (30, 90, 365)
# How many of the last periods are kept by slice as well.
SLICED: dict[WindowUnit, int] = {"month": 36, "quarter": 13, "year": 5, "trailing": 3, "all": 1}


@dataclass(frozen=True, slots=True)
class Window:
    """A period as seen at ``as_of``, or everything up to then (unit ``all``, empty name).

    Unit ``trailing``: so many local days up to ``as_of``, named ``90d``.

    start, end: aware UTC, half-open; ``until``: the end, or ``as_of`` where that is earlier.
    look_start, look_until: where the look-backs of start and until begin.
    year_until: where the 365 days before until begin.
    observed: the moment up to which facts can be complete: ``as_of``, or ``known_at`` if earlier.
    product_id: for figures of one product; all windows of a computation have one, or none has.
    """

    name: str
    unit: WindowUnit
    start: datetime
    end: datetime
    until: datetime
    look_start: datetime
    look_until: datetime
    year_until: datetime
    observed: datetime
    product_id: int | None = None

    def of_product(self, product_id: int) -> Window:
        """Return the same stretch for one product, under a name of its own."""
        return replace(self, name=f"{self.name}|{product_id}", product_id=product_id)

    @property
    def is_over(self) -> bool:
        """Whether the whole period was observed."""
        return self.end <= self.observed

    def is_over_for(self, days: int) -> bool:
        """Whether ``days`` (of 24 hours) after its end were observed as well."""
        return self.end + timedelta(days=days) <= self.observed

    def is_truncated(self, first_day: date | None) -> bool:
        """Whether the look-back of the start reaches before the first loaded day."""
        return first_day is not None and self.look_start < start_of_day(first_day)

    def begins_before(self, first_day: date | None, days: int) -> bool:
        """Whether so many days (of 24 hours) before the start reach before the first loaded day."""
        if first_day is None or self.unit == "all":
            return False
        return self.start - timedelta(days=days) < start_of_day(first_day)

    def is_year_truncated(self, first_day: date | None) -> bool:
        """Whether the 365 days before ``until`` begin before the first loaded day."""
        return first_day is not None and self.year_until < start_of_day(first_day)


def days_before(moment: datetime, days: int) -> datetime:
    """Return the instant ``days`` local days earlier at the same local time, aware UTC."""
    local = moment.astimezone(organisation_timezone())
    wall = local.replace(tzinfo=None, fold=0) - timedelta(days=days)
    return wall.replace(tzinfo=local.tzinfo, fold=local.fold).astimezone(UTC)


def window_of(period: Period | None, *, as_of: datetime, known_at: datetime) -> Window:
    """Return the window of a period; of everything up to ``as_of`` when period is None."""
    if period is None:
        start, end = datetime(1900, 1, 1, tzinfo=UTC), as_of
    else:
        start, end = period.start, period.end
    name, unit = str(period or ""), period.unit if period else "all"
    return _window(name, unit, start, end, as_of=as_of, known_at=known_at)


def trailing_window(days: int, *, as_of: datetime, known_at: datetime) -> Window:
    """Return the window of so many local days up to ``as_of``."""
    start = days_before(as_of, days)
    return _window(f"{days}d", "trailing", start, as_of, as_of=as_of, known_at=known_at)


def parse_window(text: str, *, as_of: datetime, known_at: datetime) -> Window:
    """Return the window of a period or of trailing days (``90d``), as they are written.

    :raises ValidationError: neither.
    """
    if (days := text.removesuffix("d")).isdecimal() and text != days and int(days) in TRAILING_DAYS:
        return trailing_window(int(days), as_of=as_of, known_at=known_at)
    return window_of(Period.parse(text), as_of=as_of, known_at=known_at)


def span_of(text: str, *, as_of: datetime) -> tuple[datetime, datetime]:
    """Return a window's instants, half-open, cut at ``as_of``. text: empty for everything."""
    cut = {"as_of": as_of, "known_at": as_of}
    window = parse_window(text, **cut) if text else window_of(None, **cut)
    return window.start, window.until


def _window(
    name: str,
    unit: WindowUnit,
    start: datetime,
    end: datetime,
    *,
    as_of: datetime,
    known_at: datetime,
) -> Window:
    until = max(start, min(end, as_of))
    return Window(
        name=name,
        unit=unit,
        start=start,
        end=end,
        until=until,
        look_start=start if unit == "all" else days_before(start, LOOK_BACK_DAYS),
        look_until=days_before(until, LOOK_BACK_DAYS),
        year_until=days_before(until, YEAR_DAYS),
        observed=min(as_of, known_at),
    )


def last_complete(unit: PeriodUnit, as_of: datetime) -> Period:
    """Return the last period of ``unit`` that had ended at ``as_of``."""
    return Period.containing(local_date(as_of), unit).shifted(-1)


def periods_between(first: date, last: date, unit: PeriodUnit) -> Iterator[Period]:
    """Yield the periods of ``unit`` from the one holding ``first`` to the one holding ``last``."""
    period = Period.containing(first, unit)
    while period.first_day <= last:
        yield period
        period = period.shifted(1)


def windows_kept(
    *, first_day: date | None, last_day: date | None, as_of: datetime, known_at: datetime
) -> list[Window]:
    """Return the windows of a recompute: everything, the last days, and periods with facts.

    Of weeks only the last ones.
    first_day, last_day: local days of the first and last fact. The last complete period of each
    unit and the present one are always among them.
    """
    today = local_date(as_of)
    windows = [window_of(None, as_of=as_of, known_at=known_at)]
    windows += [trailing_window(d, as_of=as_of, known_at=known_at) for d in TRAILING_DAYS]
    units: tuple[PeriodUnit, ...] = ("week", "month", "quarter", "year")
    for unit in units:
        present = Period.containing(today, unit)
        wanted = {present, present.shifted(-1)}
        if first_day and last_day:
            last = min(today, last_day + timedelta(days=LOOK_BACK_DAYS + 31))
            first = max(first_day, date(max(last.year - YEARS_KEPT + 1, 1900), 1, 1))
            if unit == "week":
                first = max(first, last - timedelta(weeks=WEEKS_KEPT))
            wanted |= set(periods_between(first, last, unit))
        windows += [window_of(p, as_of=as_of, known_at=known_at) for p in sorted(wanted)]
    return windows


def sliced_windows(windows: list[Window]) -> set[str]:
    """Return the names of the windows that are kept by slice as well: the last ones."""
    names: set[str] = set()
    for unit, most in SLICED.items():
        mine = [window.name for window in windows if window.unit == unit]
        names |= set(mine[-most:])
    return names
