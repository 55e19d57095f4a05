"""Business time: a worked table, and rules that hold for all hours and instants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.clocks import Hours, Shift, business_seconds, due_after
from tests.requirements import tries

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
LORD_HOWE, HAVANA = "Australia/Lord_Howe", "America/Havana"  # 30 minutes; midnight comes twice


def at(hour: int, minute: int = 0) -> int:
    """Minutes after midnight."""
    return hour * 60 + minute


NINE_TO_SIX = ((at(9), at(18)),)
OFFICE = dict.fromkeys(range(5), NINE_TO_SIX)  # Monday to Friday
LUNCH = dict.fromkeys(range(5), ((at(9), at(13)), (at(14), at(18))))
SATURDAY_TOO = OFFICE | {5: ((at(10), at(14)),)}
NIGHTS = dict.fromkeys(range(7), ((at(22), at(30)),))  # 22:00 to 06:00
OVERLAPPING = {0: ((at(9), at(13)), (at(12), at(18)), (at(17), at(18)))}
NIGHT_INTO_DAY = {0: ((at(22), at(32)),), 1: ((at(6), at(12)),)}  # both are there 6:00 to 8:00
SMALL_HOURS = {6: ((at(1), at(4)),)}
IN_THE_CHANGE = {6: ((at(2, 30), at(4)),)}
UNTIL_THE_CHANGE = {6: ((at(1), at(2, 30)),)}
CHRISTMAS = {date(2026, 12, 25): ()}
SHORT_EVE = {date(2026, 12, 24): ((at(9), at(12)),)}
HOURS, MINUTES = 3600, 60

# 2026: 2 March is a Monday. Clocks change in Berlin on 29 March and 25 October, in New York on
# 8 March and 1 November, on Lord Howe on 5 April (back) and 4 October (forward), in Havana on
# 8 March and 1 November, at midnight.
Row = tuple[str, str, Mapping[int, tuple[Shift, ...]], Mapping[date, tuple[Shift, ...]], str, str]
TABLE: list[tuple[Row, int]] = [
    # an ordinary day
    (("within a day", BERLIN, OFFICE, {}, "2026-03-02 09:30", "2026-03-02 11:00"), 90 * MINUTES),
    (("a whole day", BERLIN, OFFICE, {}, "2026-03-02 00:00", "2026-03-03 00:00"), 9 * HOURS),
    (("before opening", BERLIN, OFFICE, {}, "2026-03-02 07:00", "2026-03-02 09:10"), 10 * MINUTES),
    (("after closing", BERLIN, OFFICE, {}, "2026-03-02 18:00", "2026-03-03 09:00"), 0),
    (("overnight wait", BERLIN, OFFICE, {}, "2026-03-02 17:30", "2026-03-03 09:30"), 1 * HOURS),
    (("zero length", BERLIN, OFFICE, {}, "2026-03-02 10:00", "2026-03-02 10:00"), 0),
    (("backward", BERLIN, OFFICE, {}, "2026-03-02 11:00", "2026-03-02 10:00"), 0),
    (("always open", BERLIN, {}, {}, "2026-03-01 00:00", "2026-03-03 00:00"), 48 * HOURS),
    # several intervals a day
    (("over lunch", BERLIN, LUNCH, {}, "2026-03-02 12:00", "2026-03-02 15:00"), 2 * HOURS),
    (("in the break", BERLIN, LUNCH, {}, "2026-03-02 13:00", "2026-03-02 14:00"), 0),
    (
        ("overlapping ones", BERLIN, OVERLAPPING, {}, "2026-03-02 00:00", "2026-03-03 00:00"),
        9 * HOURS,
    ),
    # weekends
    (("over Sunday", BERLIN, OFFICE, {}, "2026-03-06 17:00", "2026-03-09 10:00"), 2 * HOURS),
    (("on Saturday", BERLIN, SATURDAY_TOO, {}, "2026-03-06 18:00", "2026-03-09 09:00"), 4 * HOURS),
    # overnight shifts
    (("through midnight", BERLIN, NIGHTS, {}, "2026-03-02 23:00", "2026-03-03 07:00"), 7 * HOURS),
    (("from yesterday", BERLIN, NIGHTS, {}, "2026-03-03 05:00", "2026-03-03 23:00"), 2 * HOURS),
    (
        ("night into day", BERLIN, NIGHT_INTO_DAY, {}, "2026-03-02 00:00", "2026-03-04 00:00"),
        14 * HOURS,
    ),
    # the clocks go forward
    (("Berlin spring", BERLIN, NIGHTS, {}, "2026-03-28 12:00", "2026-03-29 12:00"), 7 * HOURS),
    (("New York spring", NEW_YORK, NIGHTS, {}, "2026-03-07 12:00", "2026-03-08 12:00"), 7 * HOURS),
    (
        ("Lord Howe spring", LORD_HOWE, NIGHTS, {}, "2026-10-03 12:00", "2026-10-04 12:00"),
        7 * HOURS + 30 * MINUTES,
    ),
    (
        ("opens in the gap", BERLIN, IN_THE_CHANGE, {}, "2026-03-29 00:00", "2026-03-29 12:00"),
        1 * HOURS,  # 3:00 to 4:00
    ),
    (
        ("closes in the gap", BERLIN, UNTIL_THE_CHANGE, {}, "2026-03-29 00:00", "2026-03-29 12:00"),
        1 * HOURS,  # 1:00 to 2:00
    ),
    (("always, spring", BERLIN, {}, {}, "2026-03-29 00:00", "2026-03-30 00:00"), 23 * HOURS),
    (("office, spring", BERLIN, OFFICE, {}, "2026-03-27 17:00", "2026-03-30 10:00"), 2 * HOURS),
    # the clocks go back
    (("Berlin autumn", BERLIN, NIGHTS, {}, "2026-10-24 12:00", "2026-10-25 12:00"), 9 * HOURS),
    (("New York autumn", NEW_YORK, NIGHTS, {}, "2026-10-31 12:00", "2026-11-01 12:00"), 9 * HOURS),
    (
        ("Lord Howe autumn", LORD_HOWE, NIGHTS, {}, "2026-04-04 12:00", "2026-04-05 12:00"),
        8 * HOURS + 30 * MINUTES,
    ),
    (("Havana autumn", HAVANA, NIGHTS, {}, "2026-10-31 12:00", "2026-11-01 12:00"), 9 * HOURS),
    (("small hours", BERLIN, SMALL_HOURS, {}, "2026-10-25 00:00", "2026-10-26 00:00"), 4 * HOURS),
    (
        ("opens at the first", BERLIN, IN_THE_CHANGE, {}, "2026-10-25 00:00", "2026-10-26 00:00"),
        2 * HOURS + 30 * MINUTES,
    ),
    (
        ("closes at the second", BERLIN, UNTIL_THE_CHANGE, {}, "2026-10-25 00:00", "2026-10-26 00"),
        2 * HOURS + 30 * MINUTES,
    ),
    # holidays
    (("closed", BERLIN, OFFICE, CHRISTMAS, "2026-12-24 17:00", "2026-12-28 10:00"), 2 * HOURS),
    (("shortened", BERLIN, OFFICE, SHORT_EVE, "2026-12-24 00:00", "2026-12-25 00:00"), 3 * HOURS),
    (
        ("open for once", BERLIN, OFFICE, {date(2026, 12, 27): ((at(12), at(16)),)},
         "2026-12-26 00:00", "2026-12-28 00:00"),
        4 * HOURS,
    ),
    (
        ("a night into a holiday goes on", BERLIN, NIGHTS, CHRISTMAS,
         "2026-12-24 12:00", "2026-12-26 12:00"),
        8 * HOURS,  # from 24 December to its end; none begins on the 25th
    ),
    (
        ("a night out of a short day", BERLIN, NIGHTS, {date(2026, 12, 24): ((at(20), at(26)),)},
         "2026-12-24 12:00", "2026-12-25 12:00"),
        6 * HOURS,
    ),
    (
        ("always but Christmas", BERLIN, {}, CHRISTMAS, "2026-12-24 12:00", "2026-12-26 12:00"),
        24 * HOURS,
    ),
    # years
    (
        ("ten years of Mondays", BERLIN, {0: NINE_TO_SIX}, {}, "2026-01-01 00:00", "2036-01-01 00"),
        522 * 9 * HOURS,
    ),
]  # fmt: skip


def local(text: str, zone: str) -> datetime:
    """The instant of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(("row", "seconds"), TABLE, ids=[row[0] for row, _seconds in TABLE])
def test_business_time_of_the_worked_table(row: Row, seconds: int) -> None:
    _name, zone, weekly, holidays, start, end = row
    hours = Hours(ZoneInfo(zone), weekly, holidays)
    assert business_seconds(local(start, zone), local(end, zone), hours) == seconds


@pytest.mark.parametrize(
    ("start", "seconds", "due"),
    [
        ("2026-03-02 10:00", 4 * HOURS, "2026-03-02 14:00"),
        ("2026-03-02 16:00", 4 * HOURS, "2026-03-03 11:00"),
        ("2026-03-02 07:00", 1, "2026-03-02 09:00:01"),  # counted from opening
        ("2026-03-02 10:00", 8 * HOURS, "2026-03-02 18:00"),  # at closing, not the next morning
        ("2026-03-06 17:00", 4 * HOURS, "2026-03-09 12:00"),  # over the weekend
        ("2026-12-24 17:00", 4 * HOURS, "2026-12-28 12:00"),  # over a holiday and the weekend
        ("2026-03-01 03:00", 0, "2026-03-01 03:00"),  # nothing to wait for, open or not
        ("2026-03-27 17:00", 4 * HOURS, "2026-03-30 12:00"),  # over the change of the clocks
        ("2026-03-02 09:00", (52 * 45 - 18) * HOURS, "2027-02-26 18:00"),  # 52 weeks, 2 holidays
    ],
)
def test_when_something_is_due(start: str, seconds: int, due: str) -> None:
    hours = Hours(
        ZoneInfo(BERLIN), OFFICE, CHRISTMAS | {date(2027, 1, 1): (), date(2026, 12, 26): ()}
    )
    assert due_after(local(start, BERLIN), seconds, hours) == local(due, BERLIN)


def test_the_second_pass_of_a_repeated_hour_is_open_as_well() -> None:
    hours = Hours(ZoneInfo(BERLIN), UNTIL_THE_CHANGE)
    opening = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)  # 1:00 summer time
    assert due_after(opening, 150 * MINUTES, hours) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_time_only_runs_forward() -> None:
    with pytest.raises(ValueError, match="forward"):
        due_after(datetime(2026, 3, 2, tzinfo=UTC), -1, Hours(ZoneInfo(BERLIN)))


@pytest.mark.parametrize("shift", [(-1, 5), (1440, 1500), (600, 600), (600, 540), (600, 2041)])
def test_a_shift_that_no_clock_shows_is_refused(shift: Shift) -> None:
    for fields in ({"weekly": {0: (shift,)}}, {"holidays": {date(2026, 1, 1): (shift,)}}):
        with pytest.raises(ValueError, match="no shift"):
            Hours(ZoneInfo(BERLIN), **fields)
    with pytest.raises(ValueError, match="weekdays"):
        Hours(ZoneInfo(BERLIN), {7: NINE_TO_SIX})


# Rules for all hours. Instants lie around clock changes, where it matters.
ZONES = st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, HAVANA, "Asia/Kathmandu"])
CHANGES = [
    date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 4), date(2026, 10, 25),
    date(2026, 11, 1),
]  # fmt: skip


@st.composite
def shift_tuples(draw: st.DrawFn) -> tuple[Shift, ...]:
    """Up to three shifts, in any order, overlapping or not."""
    opens = draw(st.lists(st.integers(0, 1439), max_size=3, unique=True))
    return tuple((one, one + draw(st.integers(1, 1440))) for one in opens)


@st.composite
def some_hours(draw: st.DrawFn) -> Hours:
    """Any calendar."""
    weekly = draw(st.dictionaries(st.integers(0, 6), shift_tuples(), max_size=7))
    days = st.sampled_from(CHANGES).flatmap(
        lambda day: st.integers(-3, 3).map(lambda step: day + timedelta(days=step))
    )
    holidays = draw(st.dictionaries(days, shift_tuples(), max_size=3))
    return Hours(ZoneInfo(draw(ZONES)), weekly, holidays)


def instants(unit: str = "microseconds") -> st.SearchStrategy[datetime]:
    """Instants within three days of a clock change."""
    length = {"microseconds": 3 * 86_400 * 10**6, "minutes": 3 * 1440}[unit]
    return st.builds(
        lambda day, offset: (
            datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(**{unit: offset})
        ),
        st.sampled_from(CHANGES),
        st.integers(-length, length),
    )


@given(some_hours(), st.lists(instants(), min_size=3, max_size=3).map(sorted))
def test_the_parts_add_up_to_the_whole(hours: Hours, moments: list[datetime]) -> None:
    first, middle, last = moments
    whole = business_seconds(first, last, hours)
    assert business_seconds(first, middle, hours) + business_seconds(middle, last, hours) == whole
    assert 0 <= whole <= (last - first) / timedelta(seconds=1) + 1


@given(some_hours(), instants(), st.integers(1, 30 * 86_400))
def test_what_is_due_has_exactly_so_much_time_behind_it(
    hours: Hours, start: datetime, seconds: int
) -> None:
    due = due_after(start, seconds, hours)
    assert business_seconds(start, due, hours) == seconds
    assert business_seconds(start, due - timedelta(seconds=1), hours) == seconds - 1
    assert due_after(start, seconds + 1, hours) > due


@settings(max_examples=tries(60))
@given(some_hours(), instants("minutes"), st.integers(0, 2 * 1440))
def test_it_equals_counting_minute_by_minute(hours: Hours, start: datetime, minutes: int) -> None:
    end = start + timedelta(minutes=minutes)
    assert business_seconds(start, end, hours) == 60 * slow_open_minutes(start, end, hours)


def slow_open_minutes(start: datetime, end: datetime, hours: Hours) -> int:
    """Look at the clock on the wall every minute: open once it has shown the opening time (or a
    later one), until it shows a time before closing for the last time."""
    margin = timedelta(hours=3)  # more than any clock change
    minute = timedelta(minutes=1)
    walls = []
    moment = start - margin
    while moment < end + margin:
        walls.append(moment.astimezone(hours.timezone).replace(tzinfo=None))
        moment += minute
    latest_so_far = list(walls)
    for index in range(1, len(walls)):
        latest_so_far[index] = max(latest_so_far[index - 1], walls[index])
    earliest_to_come = list(walls)
    for index in range(len(walls) - 2, -1, -1):
        earliest_to_come[index] = min(earliest_to_come[index + 1], walls[index])
    shifts = []
    day = walls[0].date() - timedelta(days=2)
    is_ever_open = any(hours.weekly.values())
    while day <= walls[-1].date():
        usual = hours.weekly.get(day.weekday(), ()) if is_ever_open else ((0, 1440),)
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a clock on the wall
        shifts += [
            (midnight + opens * minute, midnight + closes * minute)
            for opens, closes in hours.holidays.get(day, usual)
        ]
        day += timedelta(days=1)
    skipped = int(margin / minute)
    return sum(
        any(opens <= latest and earliest < closes for opens, closes in shifts)
        for latest, earliest in zip(
            latest_so_far[skipped:-skipped], earliest_to_come[skipped:-skipped], strict=True
        )
    )
