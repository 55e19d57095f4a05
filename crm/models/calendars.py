"""When a place of business is open; response times count only these hours."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.refs import new_ref

MINUTES_A_DAY = 24 * 60


class BusinessCalendar(models.Model):
    """Opening hours and holidays; a shop without one uses the default."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    name = models.CharField(_("name"), max_length=120, unique=True)
    timezone = models.CharField(_("timezone"), max_length=64, blank=True)  # blank: organisation's
    is_default = models.BooleanField(_("default"), default=False)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="calendar_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CalendarInterval(models.Model):
    """Open from ``opens`` to ``closes`` on a weekday, in minutes after local midnight.

    ``closes`` may lie beyond 1,440: an overnight shift that began on ``weekday``.
    """

    calendar = models.ForeignKey(
        BusinessCalendar, on_delete=models.CASCADE, related_name="intervals"
    )
    weekday = models.PositiveSmallIntegerField(_("weekday"))  # 0 is Monday
    opens = models.PositiveSmallIntegerField(_("opens"))
    closes = models.PositiveSmallIntegerField(_("closes"))

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(weekday__lte=6), name="interval_weekday"),
            models.CheckConstraint(
                condition=Q(
                    opens__lt=MINUTES_A_DAY,
                    closes__gt=F("opens"),
                    closes__lte=F("opens") + MINUTES_A_DAY,
                ),
                name="interval_opens_before_closes",
            ),
            models.UniqueConstraint(fields=["calendar", "weekday", "opens"], name="interval_once"),
        ]

    def __str__(self) -> str:
        return f"weekday {self.weekday}: {self.opens} to {self.closes}"


class Holiday(models.Model):
    """A day with other hours: closed, or open from ``opens`` to ``closes`` minutes."""

    calendar = models.ForeignKey(
        BusinessCalendar, on_delete=models.CASCADE, related_name="holidays"
    )
    date = models.DateField(_("date"))
    name = models.CharField(_("name"), max_length=120, blank=True)
    opens = models.PositiveSmallIntegerField(_("opens"), null=True, blank=True)
    closes = models.PositiveSmallIntegerField(_("closes"), null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["calendar", "date"], name="holiday_once"),
            models.CheckConstraint(
                condition=Q(opens__isnull=True, closes__isnull=True)
                | Q(
                    opens__lt=MINUTES_A_DAY,
                    closes__gt=F("opens"),
                    closes__lte=F("opens") + MINUTES_A_DAY,
                ),
                name="holiday_opens_before_closes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.name}".strip()
