"""When shops are open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Prefetch, Q, QuerySet

from common.errors import NotFound
from crm.clocks import Hours, Shift, due_after
from crm.models import BusinessCalendar, CalendarInterval, Holiday, Location

Weekly = dict[int, tuple[Shift, ...]]
Holidays = dict[date, tuple[Shift, ...]]


def hours_for(location_id: int | None) -> Hours:
    """Return when a shop is open, or with None the business as a whole; see :func:`hours_of`."""
    return hours_of([location_id])[location_id]


def hours_of(location_ids: Iterable[int | None]) -> dict[int | None, Hours]:
    """Return location id → hours for all of them; at most four queries.

    A shop follows its own calendar, else the default one, else it is always open. Times are of the
    calendar's timezone, else the shop's, else the organisation's. An id nobody has counts as None.
    Shops of the same calendar and timezone share one ``Hours``.
    """
    wanted = set(location_ids)
    shops = {
        pk: (calendar_id, timezone)
        for pk, calendar_id, timezone in Location.objects.filter(
            pk__in=[pk for pk in wanted if pk]
        ).values_list("pk", "calendar_id", "timezone")
    }
    calendars = {
        calendar.pk: calendar
        for calendar in BusinessCalendar.objects.filter(
            Q(is_default=True) | Q(pk__in={calendar_id for calendar_id, _zone in shops.values()})
        )
    }
    default = next((one for one in calendars.values() if one.is_default), None)
    weekly, holidays = _rows_of(calendars)
    built: dict[tuple[int | None, str], Hours] = {}
    found = {}
    for location_id in wanted:
        calendar_id, shop_zone = shops.get(location_id or 0, (None, ""))
        calendar = calendars.get(calendar_id or 0, default)
        pk = calendar.pk if calendar else None
        zone = (calendar.timezone if calendar else "") or shop_zone or settings.KEEPWELL_TIMEZONE
        if (pk, zone) not in built:
            built[pk, zone] = Hours(
                ZoneInfo(zone), weekly.get(pk or 0, {}), holidays.get(pk or 0, {})
            )
        found[location_id] = built[pk, zone]
    return found


@dataclass(frozen=True, slots=True)
class WeekLine:
    """The same shift on some weekdays (0 is Monday), in minutes after midnight."""

    weekdays: tuple[int, ...]
    opens: int
    closes: int


def week_lines(calendar: BusinessCalendar) -> list[WeekLine]:
    """Return a calendar's week, weekdays of the same shift together; by weekday, then time."""
    days: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in calendar.intervals.all():
        days[row.opens, row.closes].append(row.weekday)
    lines = [WeekLine(tuple(sorted(found)), *shift) for shift, found in days.items()]
    return sorted(lines, key=lambda line: (line.weekdays, line.opens, line.closes))


def next_opening(hours: Hours, now: datetime) -> datetime | None:
    """Return when it opens next, or None while it is open."""
    first_second = due_after(now, 1, hours) - timedelta(seconds=1)
    return first_second if first_second > now else None


def list_calendars() -> QuerySet[BusinessCalendar]:
    """Return every calendar with its rows and shops at hand; four queries."""
    return BusinessCalendar.objects.prefetch_related(
        "intervals", Prefetch("holidays", Holiday.objects.order_by("date")), "locations"
    )


def get_calendar(ref: str) -> BusinessCalendar:
    """Return the calendar with this ref.

    :raises NotFound: none has it.
    """
    calendar = list_calendars().filter(ref=ref).first()
    if calendar is None:
        raise NotFound
    return calendar


def hours_in(calendars: Iterable[BusinessCalendar]) -> dict[int, Hours]:
    """Return calendar id → hours as in the organisation's timezone where it has none; two queries.

    For showing calendars themselves; a shop's hours are :func:`hours_of`.
    """
    known = {calendar.pk: calendar for calendar in calendars}
    weekly, holidays = _rows_of(known)
    return {
        pk: Hours(
            ZoneInfo(calendar.timezone or settings.KEEPWELL_TIMEZONE),
            weekly.get(pk, {}),
            holidays.get(pk, {}),
        )
        for pk, calendar in known.items()
    }


def _rows_of(calendar_ids: Iterable[int]) -> tuple[dict[int, Weekly], dict[int, Holidays]]:
    """Calendar id → its week, and calendar id → its holidays."""
    ids = list(calendar_ids)
    weekly: dict[int, Weekly] = defaultdict(dict)
    holidays: dict[int, Holidays] = defaultdict(dict)
    if not ids:
        return weekly, holidays
    for row in CalendarInterval.objects.filter(calendar_id__in=ids):
        week = weekly[row.calendar_id]
        week[row.weekday] = (*week.get(row.weekday, ()), (row.opens, row.closes))
    for day in Holiday.objects.filter(calendar_id__in=ids):
        if day.opens is None or day.closes is None:
            holidays[day.calendar_id][day.date] = ()
        else:
            holidays[day.calendar_id][day.date] = ((day.opens, day.closes),)
    return weekly, holidays
