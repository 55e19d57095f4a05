"""When points lapse: always at the end of a day of the organisation's, kept as a UTC instant."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta

from common.time import LAST_YEAR, local_date, start_of_day
from loyalty.models import TermsVersion

Expiry, End = TermsVersion.Expiry, TermsVersion.ExpiryEnd
LAST_DAY = date(LAST_YEAR, 12, 31)  # what would lapse later lapses then
ONE_DAY = timedelta(days=1)


def usable_until(available_from: datetime, conditions: TermsVersion) -> datetime | None:
    """Return the end of the local day on which points usable from then lapse.

    None: for ever, or as long as the member doesn't stay away (:func:`inactive_from`).
    """
    last = _last_day(local_date(available_from), conditions)
    return None if last is None else start_of_day(last + ONE_DAY)


def inactive_from(moment: datetime, conditions: TermsVersion) -> datetime | None:
    """Return when idle points lapse if a member's last purchase or reward was at ``moment``.

    None under terms that don't let points lapse by inactivity. For points that are usable only
    later, ``moment`` is when they become so: nobody loses points before they could use them.
    """
    if conditions.expiry != Expiry.INACTIVITY:
        return None
    last = add_months(local_date(moment), conditions.expiry_count or 0)
    return start_of_day(_end_of(last, conditions.expiry_end) + ONE_DAY)


def add_months(day: date, count: int) -> date:
    """Return the same day ``count`` months later, or that month's last day where it is shorter."""
    index = day.year * 12 + day.month - 1 + count
    year, month = index // 12, index % 12 + 1
    if year > LAST_YEAR:
        return LAST_DAY
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _last_day(day: date, conditions: TermsVersion) -> date | None:
    count = conditions.expiry_count or 0
    if conditions.expiry == Expiry.DAYS:
        last = day + timedelta(days=min(count, (LAST_DAY - day).days))
        return _end_of(last, conditions.expiry_end)
    if conditions.expiry == Expiry.MONTHS:
        return _end_of(add_months(day, count), conditions.expiry_end)
    if conditions.expiry == Expiry.YEARLY:
        return _next_yearly(day, conditions.expiry_month or 12, conditions.expiry_day or 31)
    return None


def _end_of(day: date, end: str) -> date:
    if end == End.MONTH:
        return day.replace(day=monthrange(day.year, day.month)[1])
    return date(day.year, 12, 31) if end == End.YEAR else day


def _next_yearly(day: date, month: int, month_day: int) -> date:
    """Return the next such day; in a month that is shorter, its last day. Today counts."""
    for year in (day.year, day.year + 1):
        last = date(year, month, min(month_day, monthrange(year, month)[1]))
        if last >= day:
            return last
    raise AssertionError("every year has that day")
