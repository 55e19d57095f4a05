"""Opening hours and holidays: recorded, changed, made the default."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.validators import clean_line, parse_timezone
from crm.clocks import Hours, Shift
from crm.models import BusinessCalendar, CalendarInterval, Holiday
from crm.services.uniqueness import refusing_doubles

MOST_HOLIDAYS = 400


class CalendarNameTaken(Conflict):
    """Another calendar has the name."""

    code = "calendar_name_taken"
    message = _("Other opening hours have this name.")


@dataclass(frozen=True, slots=True)
class Opening:
    """Open on a weekday (0 is Monday) in minutes after midnight; beyond 1,440 on the next day."""

    weekday: int
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class DayOff:
    """A day with a shift of its own, or none: closed."""

    date: date
    name: str = ""
    shift: Shift | None = None


@transaction.atomic
def record_calendar(
    *,
    name: str,
    openings: Collection[Opening],
    happened_at: datetime,
    actor: str,
    holidays: Collection[DayOff] = (),
    timezone: str = "",
    is_default: bool = False,
) -> BusinessCalendar:
    """Return new opening hours; without any opening it is always open.

    timezone: IANA name; empty means that of the shop that follows them, or the organisation's.
    is_default: shops without hours of their own follow these, and no others any more.

    :raises CalendarNameTaken: others have the name; nothing is written.
    :raises InvalidInput: no name, or an impossible shift; nothing is written.
    :raises ValidationError: no such timezone.
    """
    calendar = BusinessCalendar(recorded_at=happened_at)
    _write(calendar, name, openings, holidays, timezone, is_default)
    _record(calendar, "calendar.recorded", happened_at, actor)
    return calendar


@transaction.atomic
def update_calendar(
    *,
    calendar_id: int,
    name: str,
    openings: Collection[Opening],
    happened_at: datetime,
    actor: str,
    holidays: Collection[DayOff] = (),
    timezone: str = "",
    is_default: bool = False,
) -> BusinessCalendar:
    """Replace opening hours and return them; arguments and refusals as :func:`record_calendar`.

    What was counted before stays as it was.
    """
    calendar = BusinessCalendar.objects.select_for_update().get(pk=calendar_id)
    _write(calendar, name, openings, holidays, timezone, is_default)
    _record(calendar, "calendar.changed", happened_at, actor)
    return calendar


def _write(
    calendar: BusinessCalendar,
    name: str,
    openings: Collection[Opening],
    holidays: Collection[DayOff],
    timezone: str,
    is_default: bool,
) -> None:
    calendar.name = clean_line(name, max_length=120)
    calendar.timezone = parse_timezone(timezone) if timezone else ""
    calendar.is_default = is_default
    if not calendar.name:
        raise InvalidInput(fields={"name": [str(_("Give a name."))]})
    _refuse_impossible(openings, holidays)
    _refuse_name(calendar)
    if is_default:
        others = BusinessCalendar.objects.filter(is_default=True).exclude(pk=calendar.pk)
        others.update(is_default=False)
    with refusing_doubles(lambda: _refuse_name(calendar)):
        calendar.save()
    calendar.intervals.all().delete()
    calendar.holidays.all().delete()
    CalendarInterval.objects.bulk_create(
        CalendarInterval(calendar=calendar, weekday=one.weekday, opens=one.opens, closes=one.closes)
        for one in _longest(openings)
    )
    Holiday.objects.bulk_create(
        Holiday(
            calendar=calendar,
            date=day.date,
            name=clean_line(day.name, max_length=120),
            opens=day.shift[0] if day.shift else None,
            closes=day.shift[1] if day.shift else None,
        )
        for day in {day.date: day for day in holidays}.values()
    )


def _longest(openings: Iterable[Opening]) -> list[Opening]:
    """Of those that begin at the same time of a weekday, the longest."""
    kept: dict[tuple[int, int], Opening] = {}
    for one in openings:
        key = (one.weekday, one.opens)
        kept[key] = max(kept.get(key, one), one, key=lambda other: other.closes)
    return list(kept.values())


def _refuse_impossible(openings: Iterable[Opening], holidays: Collection[DayOff]) -> None:
    if len(holidays) > MOST_HOLIDAYS:
        raise InvalidInput(_("At most 400 holidays fit here."))
    zone = ZoneInfo(settings.KEEPWELL_TIMEZONE)
    try:
        for one in openings:
            Hours(zone, {one.weekday: ((one.opens, one.closes),)})
        Hours(zone, holidays={day.date: (day.shift,) for day in holidays if day.shift})
    except ValueError as error:
        raise InvalidInput(_("A shift ends after it begins and lasts a day at most.")) from error


def _refuse_name(calendar: BusinessCalendar) -> None:
    others = BusinessCalendar.objects.exclude(pk=calendar.pk)
    if others.filter(name=calendar.name).exists():
        raise CalendarNameTaken(fields={"name": [str(CalendarNameTaken.message)]})


def _record(calendar: BusinessCalendar, kind: str, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="calendar",
        subject_ref=calendar.ref,
        occurred_at=happened_at,
        actor=actor,
    )
