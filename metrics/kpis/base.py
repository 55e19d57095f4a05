"""What a figure is: its words, its unit, and the one expression that defines it."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext

Unit = Literal["percent", "money", "score"]
Interval = Literal["wilson", "adjusted_wald", "mean", "none"]
NUMERATOR, DENOMINATOR = "numerator", "denominator"


@dataclass(frozen=True, slots=True)
class Expression:
    """A figure as ibis tables over the facts.

    members: ``window, name, customer_id``, each customer once per window and name.
    measures: ``window, numerator, denominator, interval_detail`` where these are not simply the
        numbers of members called so; see :class:`Measure`.
    """

    members: Any
    measures: Any = None


@dataclass(slots=True)
class Measure:
    """A figure's raw result for one window.

    sets: name → customer ids, sorted (an array or a list).
    interval_detail: what the interval needs besides: of a mean the sample's standard deviation
        (in the numerator's unit), of a net score the number of promoters.
    """

    numerator: int = 0
    denominator: int = 0
    interval_detail: float | None = None
    sets: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure of the registry.

    title, words, example: for people.  window: the stretch it looks at, in a few words.
    per: ``period`` figures are of the orders or answers of a period; ``as_of`` figures of
        everything up to a moment, which for a period is its end.
    define: ``(facts, windows) -> Expression``; see :mod:`metrics.engines.definitions`.
    kernel: ``(orders, windows) -> {window name: Measure}``, the same by array arithmetic.
    sets: names of the sets of people behind it, with what they are called.
    looks_back: whether it needs the look-back before the start.  overlaps: months do by most.
    matures_days: how long after a period its figure may still change.
    is_of_purchases: whether it ends where the purchases do.
    limit: in the value's unit; above it the figure is *large*.  few: below it, ``small_n``.
    """

    key: str
    title: Promise | str
    words: Promise | str
    example: Promise | str
    unit: Unit
    window: str
    interval: Interval
    define: Callable[[Any, Any], Expression]
    sets: Mapping[str, Promise | str]
    kernel: Callable[[Any, list[Any]], dict[str, Measure]] | None = None
    per: Literal["period", "as_of"] = "period"
    looks_back: bool = False
    matures_days: int = 0
    more_is_better: bool = True
    is_of_purchases: bool = True
    limit: Decimal | None = None
    few: int = 0

    @property
    def window_label(self) -> str:
        """The window for people; empty where it is the period itself."""
        if self.window == "lifetime":
            return gettext("of all time")
        days = self.window.removesuffix(" days")
        if not days.isdigit():
            return ""
        return ngettext("%(count)s day", "%(count)s days", int(days)) % {"count": days}

    @property
    def definition_hash(self) -> str:
        """Changes whenever the definition does."""
        source = _source(self.define)
        text = f"{source}|{self.window}|{self.unit}|{self.interval}|{self.limit}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _source(define: Callable[[Any, Any], Expression]) -> str:
    return inspect.getsource(define)
