"""Business time: how many seconds of opening hours passed, and when so many will have.

Pure functions over :class:`Hours`; no database. What was decided, and why:

- Seconds are real ones. In the night the clocks go forward a shift from 22:00 to 06:00 lasts
  seven hours, in the night they go back nine.
- A shift begins at the first instant at which the local clock shows its opening time or a later
  one, and ends when the clock shows a time before its closing for the last time. So a boundary that
  a clock change skips is the moment of the change, and where a time comes twice, the shop opens at
  the first and closes at the second.
- A shift belongs to the local day it begins on. A holiday replaces the shifts that begin on its
  date; an overnight shift of the day before goes on to its end, since its people are at work. Who
  closes at midnight enters the day before as a short day.
- Shifts that overlap count once.
- Intervals are half-open, instants are cut to whole seconds: what is counted from a to b and from
  b to c is exactly what is counted from a to c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60
ALL_DAY = (0, MINUTES_A_DAY)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
# A shift lasts at most until the end of the next day; another day for zones that skipped a date.
_REACH = 2 * _DAY

Shift = tuple[int, int]


@dataclass(frozen=True)
class Hours:
    """When a place is open.

    weekly: weekday (0 is Monday) → shifts, each ``(opens, closes)`` in minutes after local
        midnight; ``closes`` may lie beyond 1,440. A weekday left out is closed; no shift in the
        whole week means always open.
    holidays: local date → the shifts that begin on it instead; none: closed.
    """

    timezone: ZoneInfo
    weekly: Mapping[int, tuple[Shift, ...]] = field(default_factory=dict)
    holidays: Mapping[date, tuple[Shift, ...]] = field(default_factory=dict)
    _known: dict[date, tuple[Shift, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Refuse shifts that no clock shows.

        :raises ValueError: a weekday beyond Sunday, or a shift that ends before it begins, begins
            after its day, or lasts more than a day.
        """
        if any(weekday not in range(7) for weekday in self.weekly):
            raise ValueError("weekdays are 0 (Monday) to 6")
        for shifts in (*self.weekly.values(), *self.holidays.values()):
            for opens, closes in shifts:
                if not (0 <= opens < MINUTES_A_DAY and opens < closes <= opens + MINUTES_A_DAY):
                    raise ValueError(f"no shift: {opens} to {closes}")

    @property
    def is_always_open(self) -> bool:
        """Whether business time is simply time."""
        return not self.holidays and not any(self.weekly.values())

    def shifts_on(self, day: date) -> tuple[Shift, ...]:
        """Return the shifts that begin on a local day, as seconds since 1970 (UTC)."""
        if day not in self._known:
            self._known[day] = tuple(
                (
                    _seconds(_instant(day, opens, self.timezone, fold=0)),
                    _seconds(_instant(day, closes, self.timezone, fold=1)),
                )
                for opens, closes in self._written_for(day)
            )
        return self._known[day]

    def _written_for(self, day: date) -> tuple[Shift, ...]:
        if day in self.holidays:
            return self.holidays[day]
        if not any(self.weekly.values()):
            return (ALL_DAY,)
        return self.weekly.get(day.weekday(), ())


def business_seconds(start: datetime, end: datetime, hours: Hours) -> int:
    """Return the seconds of opening hours within ``[start, end)``, both aware.

    Fractions of a second are cut off both instants. An end before the start counts nothing.
    """
    first, last = _seconds(start), _seconds(end)
    if last <= first:
        return 0
    if hours.is_always_open:
        return last - first
    total = 0
    for opens, closes in _open_from(start, hours):
        if opens >= last:
            break
        total += min(closes, last) - opens
    return total


def due_after(start: datetime, seconds: int, hours: Hours) -> datetime:
    """Return the earliest aware UTC instant by which ``seconds`` of opening hours have passed.

    start: aware; the count begins with the first opening at or after it. Nothing to wait for is
        due at once: ``seconds`` of 0 returns ``start``, open or not.

    :raises ValueError: ``seconds`` is negative.
    :raises OverflowError: due after the last year a calendar has.
    """
    if seconds < 0:
        raise ValueError("business time only runs forward")
    if seconds == 0:
        return start.astimezone(UTC)
    if hours.is_always_open:
        return _EPOCH + (_seconds(start) + seconds) * _SECOND
    left = seconds
    for opens, closes in _open_from(start, hours):
        if closes - opens >= left:
            return _EPOCH + (opens + left) * _SECOND
        left -= closes - opens
    raise AssertionError("days have no end but an OverflowError")


def _open_from(start: datetime, hours: Hours) -> Iterator[Shift]:
    """When it is open at and after ``start``: in order, apart from each other, without end."""
    day = start.astimezone(hours.timezone).date() - _REACH
    covered = _seconds(start)  # what a shift has in common with those before is counted already
    while True:
        for opens, closes in sorted(hours.shifts_on(day)):
            if closes > covered:
                yield max(opens, covered), closes
                covered = closes
        day += _DAY


def _instant(day: date, minutes: int, zone: ZoneInfo, *, fold: int) -> datetime:
    """When the local clock shows ``minutes`` after the midnight that begins ``day``.

    fold: which of two such instants. One that a clock change skipped is the moment of the change.
    """
    wall = datetime.combine(day, time.min) + timedelta(minutes=minutes)
    instant = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # With the offset before the change the time lies after it, and the other way round.
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after


def _seconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _SECOND
