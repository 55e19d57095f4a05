"""The organisation's time: one timezone for every bucket, half-open intervals everywhere."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

FIRST_YEAR, LAST_YEAR = 1900, 2200  # no business has dates outside of them
PeriodUnit = Literal["month", "quarter", "week", "year"]


def now() -> datetime:
    """Return the current instant, aware UTC. Edges call this once and pass the result down."""
    return datetime.now(UTC)


def organisation_timezone() -> zoneinfo.ZoneInfo:
    """Return the timezone in which days, months and years are cut."""
    return zoneinfo.ZoneInfo(settings.KEEPWELL_TIMEZONE)


def local_date(instant: datetime) -> date:
    """Return the organisation's calendar day of an aware instant."""
    return instant.astimezone(organisation_timezone()).date()


def start_of_day(day: date) -> datetime:
    """Return the aware UTC instant at which a local day begins."""
    return datetime.combine(day, time.min, organisation_timezone()).astimezone(UTC)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A calendar period ``[first_day, end_day)`` of local days."""

    first_day: date
    end_day: date
    unit: PeriodUnit

    @property
    def start(self) -> datetime:
        """First instant, aware UTC."""
        return start_of_day(self.first_day)

    @property
    def end(self) -> datetime:
        """First instant after it, aware UTC."""
        return start_of_day(self.end_day)

    def __str__(self) -> str:
        day = self.first_day
        if self.unit == "year":
            return f"{day.year:04}"
        if self.unit == "quarter":
            return f"{day.year:04}-Q{(day.month + 2) // 3}"
        if self.unit == "month":
            return f"{day.year:04}-{day.month:02}"
        year, week, _weekday = day.isocalendar()
        return f"{year:04}-W{week:02}"

    def shifted(self, count: int) -> Period:
        """Return the period ``count`` units later (earlier when negative)."""
        if self.unit == "week":
            step = timedelta(weeks=count)
            return Period(self.first_day + step, self.end_day + step, "week")
        months = {"month": 1, "quarter": 3, "year": 12}[self.unit]
        return _months_from(_add_months(self.first_day, months * count), self.unit)

    @classmethod
    def containing(cls, day: date, unit: PeriodUnit) -> Period:
        """Return the period of ``unit`` that holds a local day."""
        if unit == "week":
            monday = day - timedelta(days=day.weekday())
            return cls(monday, monday + timedelta(weeks=1), "week")
        month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}[unit]
        return _months_from(date(day.year, month, 1), unit)

    @classmethod
    def parse(cls, text: str) -> Period:
        """Return the period written ``YYYY``, ``YYYY-Qn``, ``YYYY-MM`` or ``YYYY-Wnn``.

        :raises ValidationError: none of these, or a year outside 1900–2200.
        """
        try:
            period = cls._read(text)
            if period and period.first_day.year >= FIRST_YEAR and period.end_day.year <= LAST_YEAR:
                return period
        except (ValueError, OverflowError):
            pass
        raise ValidationError(
            _("Enter a period such as 2026-05, 2026-Q2, 2026-W19 or 2026."), code="period"
        )

    @classmethod
    def _read(cls, text: str) -> Period | None:
        if match := re.fullmatch(r"(\d{4})", text, re.ASCII):
            return cls.containing(date(int(match[1]), 1, 1), "year")
        if match := re.fullmatch(r"(\d{4})-Q([1-4])", text, re.ASCII):
            return cls.containing(date(int(match[1]), int(match[2]) * 3, 1), "quarter")
        if match := re.fullmatch(r"(\d{4})-(\d{2})", text, re.ASCII):
            return cls.containing(date(int(match[1]), int(match[2]), 1), "month")
        if match := re.fullmatch(r"(\d{4})-W(\d{2})", text, re.ASCII):
            monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            return cls.containing(monday, "week")
        return None


def _months_from(first_day: date, unit: PeriodUnit) -> Period:
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    return Period(first_day, _add_months(first_day, months), unit)


def _add_months(day: date, count: int) -> date:
    index = day.year * 12 + day.month - 1 + count
    return date(index // 12, index % 12 + 1, 1)
