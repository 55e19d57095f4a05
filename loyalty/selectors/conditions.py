"""Which purchases a rule counts for, and how much it gives at most: typed, checked, without words.

Both are kept as JSON of ids, codes and numbers in a rule's version. Whatever reads that JSON comes
through :meth:`Conditions.parse` and :meth:`Caps.parse`, so an unknown key or a wrong value never
reaches the reckoning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.time import Period, organisation_timezone, start_of_day
from loyalty.selectors.condition_values import (
    CAP_READERS,
    LEAP_YEAR,
    MOST_CHOICES,
    MOST_POINTS,
    READERS,
    CapWindow,
    Reader,
    Season,
    parsed,
    plain,
    refuse,
)

__all__ = [
    "LEAP_YEAR",
    "MOST_CHOICES",
    "MOST_POINTS",
    "CapWindow",
    "Caps",
    "Conditions",
    "Season",
    "WhyNot",
    "day_bounds",
]


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
        found = cls(**parsed(given, READERS))
        _refuse_contradictions(found)
        return found

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`parse` reads; what is not set is left out."""
        return _as_json(self, READERS)

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
        found = cls(**parsed(given, CAP_READERS))
        if found.window and found.per_member is None:
            refuse("per_member", _("Give the most points for this time."))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`parse` reads; what is not set is left out."""
        return _as_json(self, CAP_READERS)

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


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the instants between which a local day lies."""
    return start_of_day(day), start_of_day(day + timedelta(days=1))


def _refuse_contradictions(found: Conditions) -> None:
    if found.starts_on and found.ends_on and found.ends_on < found.starts_on:
        refuse("ends_on", _("The last day is before the first."))
    if (found.from_time is None) != (found.until_time is None):
        missing = "until_time" if found.until_time is None else "from_time"
        refuse(missing, _("Give both times, or none."))
    if found.from_time is not None and found.from_time == found.until_time:
        refuse("until_time", _("The two times are the same."))
    if set(found.products) & set(found.excluded_products):
        refuse("excluded_products", _("A product can't both count and not count."))
    if set(found.categories) & set(found.excluded_categories):
        refuse("excluded_categories", _("A category can't both count and not count."))


def _as_json(found: Conditions | Caps, names: Mapping[str, Reader]) -> dict[str, Any]:
    said = {}
    for one in fields(found):
        value = getattr(found, one.name)
        if one.name in names and value not in (None, "", ()):
            said[one.name] = plain(value)
    return said
