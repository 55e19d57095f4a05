"""Which purchases a rule counts for, and how much it gives at most: typed, checked, without words.

Both are kept as JSON of ids, codes and numbers in a rule's version. Whatever reads that JSON comes
through :meth:`Conditions.parse` and :meth:`Caps.parse`, so an unknown key or a wrong value never
reaches the reckoning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import InvalidInput
from common.money import LARGEST
from common.time import FIRST_YEAR, LAST_YEAR, Period, organisation_timezone, start_of_day
from common.validators import clean_line, parse_decimal, parse_integer
from crm.models import Product

MOST_CHOICES = 500
MOST_POINTS = 1_000_000_000
_MONTH_DAY = re.compile(r"(\d{2})-(\d{2})", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
LEAP_YEAR = 2028


class WhyNot(models.TextChoices):
    """Why a rule gave nothing, or less than it would have."""

    NOT_IN_IT = "not_in_it", gettext_lazy("nothing in the purchase counts for it")
    TIER = "tier", gettext_lazy("it is for other tiers")
    AUDIENCE = "audience", gettext_lazy("it is for another group of customers")
    LOCATION = "location", gettext_lazy("it is for other shops")
    CHANNEL = "channel", gettext_lazy("it is for purchases made another way")
    WEEKDAY = "weekday", gettext_lazy("it is for other days of the week")
    DATES = "dates", gettext_lazy("the day is not within its dates")
    TIME = "time", gettext_lazy("it is for other times of the day")
    MINIMUM = "minimum", gettext_lazy("the purchase is too small for it")
    TOO_SMALL = "too_small", gettext_lazy("the amount is too small for a point")
    NOT_FIRST = "not_first", gettext_lazy("it is for the first purchase only")
    HAD_BEFORE = "had_before", gettext_lazy("it is given only once, and was")
    NOT_REPEAT = "not_repeat", gettext_lazy("it is for purchases after the first")
    NOT_NTH = "not_nth", gettext_lazy("it is for every n-th purchase, and this is another")
    NOTHING_BEFORE = "nothing_before", gettext_lazy("there are no points it could multiply")
    CAPPED = "capped", gettext_lazy("the most that can be earned with it was reached")
    HOLDOUT = "holdout", gettext_lazy("the customer is in its control group")
    EXCLUSIVE = "exclusive", gettext_lazy("a rule before it lets no other follow")
    OTHER_CURRENCY = "other_currency", gettext_lazy("the purchase is in another currency")
    NOT_OPEN = "not_open", gettext_lazy("the membership is frozen or closed")


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


@dataclass(frozen=True, slots=True)
class Conditions:
    """Which purchases count; empty means all. Days and times are the organisation's.

    products … excluded_categories: choose the lines that count.
    tiers, audience, locations: database ids.  weekdays: 1 is Monday.
    starts_on, ends_on: the first and last day.  seasons: days of every year.
    from_time, until_time: ``[from, until)`` on the clock; may pass midnight.
    minimum_amount: what counts must come to that much, in the programme's currency.
    """

    products: tuple[int, ...] = ()
    categories: tuple[str, ...] = ()
    product_kinds: tuple[str, ...] = ()
    excluded_products: tuple[int, ...] = ()
    excluded_categories: tuple[str, ...] = ()
    tiers: tuple[int, ...] = ()
    audience: int | None = None
    locations: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    seasons: tuple[Season, ...] = ()
    from_time: time | None = None
    until_time: time | None = None
    minimum_amount: Decimal | None = None
    # Reckoned once: they are asked of every purchase.
    asks_for_lines: bool = field(init=False, compare=False, default=False)
    chooses_lines: bool = field(init=False, compare=False, default=False)
    asks_for_time: bool = field(init=False, compare=False, default=False)

    def __post_init__(self) -> None:
        """Note what kinds of conditions there are."""
        asks = bool(self.products or self.categories or self.product_kinds)
        excludes = bool(self.excluded_products or self.excluded_categories)
        timed = self.weekdays or self.starts_on or self.ends_on or self.seasons or self.from_time
        object.__setattr__(self, "asks_for_lines", asks)
        object.__setattr__(self, "chooses_lines", asks or excludes)
        object.__setattr__(self, "asks_for_time", bool(timed))

    @classmethod
    def parse(cls, given: object) -> Conditions:
        """Return the conditions that JSON says.

        :raises InvalidInput: an unknown key, or a value that can't be meant; ``fields`` by key.
        """
        found = cls(**_parsed(given, _READERS))
        _refuse_contradictions(found)
        return found

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`parse` reads; what is not set is left out."""
        return _as_json(self, _READERS)

    def take(self, product_id: int, category: str, kind: str) -> bool:
        """Whether a line of such a product counts."""
        if product_id in self.excluded_products or category in self.excluded_categories:
            return False
        if not self.asks_for_lines:
            return True
        return (
            product_id in self.products or category in self.categories or kind in self.product_kinds
        )

    def why_not(
        self,
        at: datetime,
        *,
        tier_id: int | None,
        audiences: frozenset[int],
        location_id: int | None = None,
        channel: str = "",
    ) -> str:
        """Return why a moment, place or person doesn't fit (a ``WhyNot``); empty if they do."""
        if self.tiers and tier_id not in self.tiers:
            return WhyNot.TIER.value
        if self.audience is not None and self.audience not in audiences:
            return WhyNot.AUDIENCE.value
        if self.locations and location_id not in self.locations:
            return WhyNot.LOCATION.value
        if self.channels and channel not in self.channels:
            return WhyNot.CHANNEL.value
        return self._why_not_then(at) if self.asks_for_time else ""

    def _why_not_then(self, at: datetime) -> str:
        local = at.astimezone(organisation_timezone())
        day, clock = local.date(), local.time()
        if self.weekdays and day.isoweekday() not in self.weekdays:
            return WhyNot.WEEKDAY.value
        if (self.starts_on and day < self.starts_on) or (self.ends_on and day > self.ends_on):
            return WhyNot.DATES.value
        if self.seasons and not any(season.holds(day) for season in self.seasons):
            return WhyNot.DATES.value
        if self.from_time is not None and self.until_time is not None:
            is_within = (
                self.from_time <= clock < self.until_time
                if self.from_time < self.until_time
                else clock >= self.from_time or clock < self.until_time
            )
            return "" if is_within else WhyNot.TIME.value
        return ""


@dataclass(frozen=True, slots=True)
class Caps:
    """How many points a rule gives at most; None for no limit. What was taken back doesn't count.

    per_day: on one local day.  per_member: in the calendar ``window`` of the purchase, or, without
    a window, ever.
    """

    per_order: int | None = None
    per_day: int | None = None
    per_member: int | None = None
    window: str = ""

    @classmethod
    def parse(cls, given: object) -> Caps:
        """Return the caps that JSON says.

        :raises InvalidInput: an unknown key, or a value that can't be meant; ``fields`` by key.
        """
        found = cls(**_parsed(given, _CAP_READERS))
        if found.window and found.per_member is None:
            _refuse("per_member", _("Give the most points for this time."))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`parse` reads; what is not set is left out."""
        return _as_json(self, _CAP_READERS)

    @property
    def asks_for_past(self) -> bool:
        """Whether it depends on what the member earned before."""
        return self.per_day is not None or self.per_member is not None

    def window_of(self, day: date) -> tuple[datetime, datetime] | None:
        """Return the window around a local day as instants; None for all time."""
        if not self.window:
            return None
        period = Period.containing(day, self.window)  # type: ignore[arg-type]  # checked by parse
        return period.start, period.end


class CapWindow(models.TextChoices):
    """The time over which a member's points are limited."""

    WEEK = "week", gettext_lazy("a week")
    MONTH = "month", gettext_lazy("a month")
    QUARTER = "quarter", gettext_lazy("a quarter")
    YEAR = "year", gettext_lazy("a year")


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the instants between which a local day lies."""
    return start_of_day(day), start_of_day(day + timedelta(days=1))


Reader = Callable[[Any], Any]


def _refuse(name: str, text: str) -> None:
    raise InvalidInput(fields={name: [text]})


def _parsed(given: object, readers: Mapping[str, Reader]) -> dict[str, Any]:
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


def _as_json(found: Conditions | Caps, names: Mapping[str, Reader]) -> dict[str, Any]:
    said = {}
    for one in fields(found):
        value = getattr(found, one.name)
        if one.name in names and value not in (None, "", ()):
            said[one.name] = _plain(value)
    return said


def _plain(value: Any) -> Any:
    if isinstance(value, Season):
        return [f"{month:02}-{day:02}" for month, day in value]
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _refuse_contradictions(found: Conditions) -> None:
    if found.starts_on and found.ends_on and found.ends_on < found.starts_on:
        _refuse("ends_on", _("The last day is before the first."))
    if (found.from_time is None) != (found.until_time is None):
        missing = "until_time" if found.until_time is None else "from_time"
        _refuse(missing, _("Give both times, or none."))
    if found.from_time is not None and found.from_time == found.until_time:
        _refuse("until_time", _("The two times are the same."))
    if set(found.products) & set(found.excluded_products):
        _refuse("excluded_products", _("A product can't both count and not count."))
    if set(found.categories) & set(found.excluded_categories):
        _refuse("excluded_categories", _("A category can't both count and not count."))


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
_READERS: Mapping[str, Reader] = {
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
_CAP_READERS: Mapping[str, Reader] = {
    "per_order": _points,
    "per_day": _points,
    "per_member": _points,
    "window": partial(_choice, among=CapWindow.values),
}
