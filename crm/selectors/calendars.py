"""When shops are open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q, QuerySet

from common.errors import NotFound
from crm.clocks import Hours, Shift
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


def list_calendars() -> QuerySet[BusinessCalendar]:
    """Return every calendar with its rows and shops at hand."""
    return BusinessCalendar.objects.prefetch_related("intervals", "holidays", "locations")


def get_calendar(ref: str) -> BusinessCalendar:
    """Return the calendar with this ref.

    :raises NotFound: none has it.
    """
    calendar = list_calendars().filter(ref=ref).first()
    if calendar is None:
        raise NotFound
    return calendar


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
