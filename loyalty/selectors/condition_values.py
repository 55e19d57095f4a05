"""Reading the JSON of conditions and limits: each value by its name, or a refusal by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import InvalidInput
from common.money import LARGEST
from common.time import FIRST_YEAR, LAST_YEAR
from common.validators import clean_line, parse_decimal, parse_integer
from crm.models import Product

MOST_CHOICES = 500
MOST_POINTS = 1_000_000_000
_MONTH_DAY = re.compile(r"(\d{2})-(\d{2})", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
LEAP_YEAR = 2028


class Season(NamedTuple):
    """Days of every year, from first to last, both included: (month, day). May pass New Year."""

    first: tuple[int, int]
    last: tuple[int, int]

    def holds(self, day: date) -> bool:
        """Whether a local day is one of them."""
        this = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= this <= self.last
        return this >= self.first or this <= self.last


class CapWindow(models.TextChoices):
    """The time over which a member's points are limited."""

    WEEK = "week", gettext_lazy("a week")
    MONTH = "month", gettext_lazy("a month")
    QUARTER = "quarter", gettext_lazy("a quarter")
    YEAR = "year", gettext_lazy("a year")


Reader = Callable[[Any], Any]


def refuse(name: str, text: str) -> None:
    """Refuse one value by its name.

    :raises InvalidInput: always.
    """
    raise InvalidInput(fields={name: [text]})


def parsed(given: object, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the values that were given, each read by its name's reader; empty ones left out.

    :raises InvalidInput: an unknown name, or a value that can't be meant; ``fields`` by name.
    """
    if not isinstance(given, dict):
        raise InvalidInput(_("Conditions are a list of names and values."))
    problems: dict[str, list[str]] = {}
    values = {}
    for name, value in given.items():
        reader = readers.get(name)
        if reader is None:
            problems[str(name)[:40]] = [_("There is no such condition.")]
        elif value not in (None, "", [], ()):
            try:
                values[name] = reader(value)
            except ValidationError as error:
                problems[name] = list(error.messages)
    if problems:
        raise InvalidInput(fields=problems)
    return values


def plain(value: Any) -> Any:
    """Return a value as JSON keeps it."""
    if isinstance(value, Season):
        return [f"{month:02}-{day:02}" for month, day in value]
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _identity(value: object) -> int:
    if isinstance(value, str | float):
        raise ValidationError(_("Choose from the list."), code="choice")
    return parse_integer(value, lowest=1, highest=2**63 - 1)


def _several(value: object, *, one: Reader) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValidationError(_("Give a list."), code="list")
    if len(value) > MOST_CHOICES:
        text = _("Choose at most %(limit)s.")
        raise ValidationError(text, code="many", params={"limit": MOST_CHOICES})
    return tuple(sorted({one(each) for each in value}))


def _choice(value: object, *, among: list[str]) -> str:
    if value not in among:
        raise ValidationError(_("Choose from the list."), code="choice")
    return str(value)


def _day(value: object) -> date:
    try:
        if not isinstance(value, str) or len(value) != 10 or not value.isascii():
            raise ValueError
        day = date.fromisoformat(value)
    except ValueError as error:
        raise ValidationError(_("Enter a date such as 2026-05-31."), code="date") from error
    if not FIRST_YEAR <= day.year < LAST_YEAR:
        raise ValidationError(_("Enter a date such as 2026-05-31."), code="date")
    return day


def _clock(value: object) -> time:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValidationError(_("Enter a time such as 17:30."), code="time")
    return time(int(found[1]), int(found[2]))


def _season(value: object) -> Season:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValidationError(_("Give the first and the last day."), code="season")
    return Season(_month_day(value[0]), _month_day(value[1]))


def _month_day(value: object) -> tuple[int, int]:
    found = _MONTH_DAY.fullmatch(value) if isinstance(value, str) else None
    try:
        if found is None:
            raise ValueError
        day = date(LEAP_YEAR, int(found[1]), int(found[2]))
    except ValueError as error:
        raise ValidationError(_("Enter a day such as 12-31."), code="season") from error
    return day.month, day.day


_ids = partial(_several, one=_identity)
_points = partial(parse_integer, lowest=1, highest=MOST_POINTS)
READERS: Mapping[str, Reader] = {
    "products": _ids,
    "categories": partial(_several, one=partial(clean_line, max_length=120)),
    "product_kinds": partial(_several, one=partial(_choice, among=Product.Kind.values)),
    "excluded_products": _ids,
    "excluded_categories": partial(_several, one=partial(clean_line, max_length=120)),
    "tiers": _ids,
    "audience": _identity,
    "locations": _ids,
    "channels": partial(_several, one=partial(clean_line, max_length=40)),
    "weekdays": partial(_several, one=partial(parse_integer, lowest=1, highest=7)),
    "starts_on": _day,
    "ends_on": _day,
    "seasons": partial(_several, one=_season),
    "from_time": _clock,
    "until_time": _clock,
    "minimum_amount": partial(parse_decimal, lowest=Decimal("0.0001"), highest=LARGEST),
}
CAP_READERS: Mapping[str, Reader] = {
    "per_order": _points,
    "per_day": _points,
    "per_member": _points,
    "window": partial(_choice, among=CapWindow.values),
}
