"""A time after the start, as people write it: a value and a unit."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common.display import format_number

UNITS = {"minutes": 1, "hours": 60, "days": 24 * 60, "weeks": 7 * 24 * 60}
UNIT_CHOICES = [
    ("minutes", _("minutes")),
    ("hours", _("hours")),
    ("days", _("days")),
    ("weeks", _("weeks")),
]


def split_offset(minutes: int) -> tuple[int, str]:
    """Return value and unit, the largest unit that divides it: 120 → ``(2, "hours")``."""
    for unit, size in reversed(UNITS.items()):
        if minutes and minutes % size == 0:
            return minutes // size, unit
    return minutes, "minutes"


def offset_text(minutes: int) -> str:
    """Return it for people: ``2 hours``."""
    value, unit = split_offset(minutes)
    return _counted(value, unit)


def duration_text(seconds: int) -> str:
    """Return how long something took, rounded to minutes, hours or days: ``3 hours``."""
    for unit, size in (("days", 24 * 60), ("hours", 60)):
        if seconds >= 2 * size * 60:
            return _counted(round(seconds / 60 / size), unit)
    return _counted(round(seconds / 60), "minutes")


def _counted(value: int, unit: str) -> str:
    text = {
        "minutes": lambda: ngettext("%(count)s minute", "%(count)s minutes", value),
        "hours": lambda: ngettext("%(count)s hour", "%(count)s hours", value),
        "days": lambda: ngettext("%(count)s day", "%(count)s days", value),
        "weeks": lambda: ngettext("%(count)s week", "%(count)s weeks", value),
    }[unit]()
    return text % {"count": format_number(value)}
