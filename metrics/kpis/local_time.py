"""Days and months of the organisation's calendar inside an expression.

The calendar travels as a small table: time cut into stretches at the beginning of every month,
here and in UTC, and at every change of the clock. So every engine cuts days and months as Python
does, with whatever timezone data it has of its own, or none. Dates are those the product takes:
from 1900 on.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from common.time import FIRST_YEAR, Period, organisation_timezone

DAY = 24 * 3600
EPOCH = date(1970, 1, 1)


def with_local_month(rows: Any, at: str, facts: Any, *, name: str = "month") -> Any:
    """Add the local month of an instant, as 12 × year + month − 1; null without an instant."""
    return _joined(rows, at, facts).select(*rows.columns, **{name: "local_month"})


def with_local_day(rows: Any, at: str, facts: Any, *, name: str = "day") -> Any:
    """Add the local day of an instant, counted from 1 January 1970; null without an instant."""
    found = _joined(rows, at, facts)
    seconds = found[at].truncate("s").epoch_seconds() + found.offset
    return found.select(*rows.columns, **{name: (seconds // DAY).cast("int64")})


def local_month(at: Any, facts: Any) -> Any:
    """Return a column of instants as local months; dearer than :func:`with_local_month`."""
    moment = _local(at, facts)
    return (moment.year() * 12 + moment.month() - 1).cast("int64")


def local_day(at: Any, facts: Any) -> Any:
    """Return a column of instants as local days; dearer than :func:`with_local_day`."""
    import ibis

    return _local(at, facts).date().delta(ibis.literal(EPOCH), unit="day").cast("int64")


def months(facts: Any) -> Any:
    """Return the local months up to as_of: ``month, start, end, first_day, end_day``.

    start, end: instants, UTC.  first_day, end_day: counted as :func:`with_local_day` does.
    """
    return _table(_months(organisation_timezone(), facts.as_of.astimezone(UTC).date()))


def _joined(rows: Any, at: str, facts: Any) -> Any:
    stretches = _table(_stretches(organisation_timezone(), _end_of_calendar(facts)))
    utc_month = rows[at].year() * 12 + rows[at].month() - 1
    return rows.left_join(
        stretches,
        [
            utc_month.cast("int64") == stretches.utc_month,
            rows[at] >= stretches.since,
            rows[at] < stretches.until,
        ],
    )


def _local(at: Any, facts: Any) -> Any:
    """A column of UTC instants as the clock on the wall showed them."""
    import ibis

    shifts = [
        (since, at + ibis.interval(seconds=seconds))
        for since, seconds in offsets(organisation_timezone(), _end_of_calendar(facts))
    ]
    if len(shifts) == 1:
        return shifts[0][1]
    cases = [(at >= ibis.literal(since), shifted) for since, shifted in reversed(shifts[1:])]
    return ibis.cases(*cases, else_=shifts[0][1])


def _end_of_calendar(facts: Any) -> date:
    return date(facts.as_of.year + 2, 1, 1)


def _table(rows: tuple[dict[str, Any], ...]) -> Any:
    import ibis
    import pyarrow as pa

    kinds = {int: pa.int64(), datetime: pa.timestamp("us")}
    schema = pa.schema([(name, kinds[type(value)]) for name, value in rows[0].items()])
    return ibis.memtable(pa.Table.from_pylist(list(rows), schema=schema))


@lru_cache(maxsize=4)
def _stretches(zone: ZoneInfo, until: date) -> tuple[dict[str, Any], ...]:
    """Cut all time up to a day into stretches of one month, here and in UTC, and one offset."""
    first, last = _midnight(date(FIRST_YEAR, 1, 1)), _midnight(until)
    edges = {first, last, *(since.replace(tzinfo=UTC) for since, _s in offsets(zone, until))}
    for month in range(FIRST_YEAR * 12, until.year * 12):
        edges |= {datetime(month // 12, month % 12 + 1, 1, tzinfo=where) for where in (UTC, zone)}
    ordered = sorted({edge.astimezone(UTC) for edge in edges if first <= edge <= last})
    found = []
    for since, end in pairwise(ordered):
        local = since.astimezone(zone)
        found.append(
            {
                "utc_month": since.year * 12 + since.month - 1,
                "since": _naive(since),
                "until": _naive(end),
                "offset": _offset(since, zone),
                "local_month": local.year * 12 + local.month - 1,
            }
        )
    return tuple(found)


@lru_cache(maxsize=4)
def _months(zone: ZoneInfo, until: date) -> tuple[dict[str, Any], ...]:
    """The local months that began until a day. zone: only that another one is another answer."""
    found = []
    period = Period.containing(date(FIRST_YEAR, 1, 1), "month")
    while period.first_day <= until:
        found.append(
            {
                "month": period.first_day.year * 12 + period.first_day.month - 1,
                "start": _naive(period.start),
                "end": _naive(period.end),
                "first_day": (period.first_day - EPOCH).days,
                "end_day": (period.end_day - EPOCH).days,
            }
        )
        period = period.shifted(1)
    return tuple(found)


@lru_cache(maxsize=16)
def offsets(zone: ZoneInfo, until: date) -> tuple[tuple[datetime, int], ...]:
    """Return since when (UTC, without zone) which offset held, in seconds, oldest first."""
    moment, end = _midnight(date(FIRST_YEAR, 1, 1)), _midnight(until)
    found = [(_naive(moment), _offset(moment, zone))]
    while moment < end:
        later = moment + timedelta(days=1)
        if (shift := _offset(later, zone)) != found[-1][1]:
            found.append((_naive(_change_between(moment, later, zone)), shift))
        moment = later
    return tuple(found)


def _change_between(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Return the first whole second with the offset of ``high``."""
    new = _offset(high, zone)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if _offset(middle, zone) == new:
            high = middle
        else:
            low = middle
    return high


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    """How many seconds the local clock was ahead of UTC."""
    shift = moment.astimezone(zone).utcoffset()
    return 0 if shift is None else int(shift.total_seconds())


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
