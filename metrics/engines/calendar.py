"""Instants as whole numbers, and the organisation's days and months of many at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from common.time import Period, local_date, organisation_timezone
from metrics.engines.members import Ints

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
_FEW = 2  # changes of the clock, quicker gone through one by one


def micros(moment: datetime) -> int:
    """Return microseconds since 1970, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(at: int) -> datetime:
    """Return the aware UTC instant that many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=int(at))


def local_month(at: int) -> int:
    """Return the local month of an instant: 12 × year + month − 1."""
    day = local_date(moment_of(at))
    return day.year * 12 + day.month - 1


def by_month(codes: Ints, times: Ints, *others: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
    """Cut orders that come in any order into local months, each sorted by customer and time."""
    if not len(codes):
        return
    edges = month_edges(int(times.min()), int(times.max()))
    month = np.searchsorted(edges, times, side="right")
    order = np.lexsort((times, codes, month))
    month = month[order]
    for part in np.split(order, np.flatnonzero(np.diff(month)) + 1):
        yield tuple(column[part] for column in (codes, times, *others))


def local_days(times: Ints) -> Ints:
    """Return the local day of each time, counted from 1 January 1970; ``times`` in any order."""
    return _as_the_wall_clock_showed(times) // DAY


def local_months(times: Ints) -> Ints:
    """Return the local month of each time: 12 × year + month − 1."""
    months = _as_the_wall_clock_showed(times).astype("datetime64[us]").astype("datetime64[M]")
    found: Ints = months.astype(np.int64) + 12 * 1970
    return found


def _as_the_wall_clock_showed(times: Ints) -> Ints:
    if not len(times):
        return times
    zone = organisation_timezone()
    first, last = (moment_of(int(edge)).year for edge in (times.min(), times.max()))
    changes = [change for year in range(first, last + 1) for change in _changes(zone, year)]
    since, shift = (np.array(column, dtype=np.int64) for column in zip(*changes, strict=True))
    low, high = (
        int(np.searchsorted(since, edge, side="right")) - 1 for edge in (times.min(), times.max())
    )
    if high - low > _FEW:
        moved: Ints = times + shift[np.searchsorted(since, times, side="right") - 1]
        return moved
    local: Ints = times + shift[low]
    for at in range(low + 1, high + 1):  # of a month, at most a change of the clock or two
        if shift[at] != shift[at - 1]:
            local += np.where(times >= since[at], shift[at] - shift[at - 1], 0)
    return local


@lru_cache(maxsize=1_024)
def _changes(zone: ZoneInfo, year: int) -> list[tuple[int, int]]:
    """Return since when in a year (UTC) which offset of the timezone held, in microseconds."""
    moment = datetime(year, 1, 1, tzinfo=UTC)
    found = [(micros(moment), _offset(moment, zone))]
    while moment.year == year:
        low, moment = moment, moment + timedelta(days=1)
        if _offset(moment, zone) == found[-1][1]:
            continue
        high = moment
        while high - low > timedelta(seconds=1):
            middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
            if _offset(middle, zone) == found[-1][1]:
                low = middle
            else:
                high = middle
        found.append((micros(high), _offset(high, zone)))
    return found


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    return (moment.astimezone(zone).utcoffset() or timedelta(0)) // timedelta(microseconds=1)


def month_edges(first: int, last: int) -> Ints:
    """Return where the local months begin that lie in ``(first, last]``."""
    month = Period.containing(local_date(moment_of(first)), "month").shifted(1)
    found = []
    while micros(month.start) <= last:
        found.append(micros(month.start))
        month = month.shifted(1)
    return np.array(found, dtype=np.int64)
