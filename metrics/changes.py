"""How a figure differs from that of another period, in words, and whether chance explains it."""

from __future__ import annotations

from decimal import Decimal
from math import hypot

from django.utils.translation import gettext as _

from common.display import format_number
from metrics.figures import ROLLING, TOO_FEW, Figure
from metrics.words import show_value


def compare_words(now: Figure, before: Figure | None, period: str) -> str:
    """Return what changed since another period; empty where one of the two says nothing.

    period: the other one's name. Whether it is more than chance is only said of figures that share
    no days: both have an interval, and the interval of their difference is made from these
    (square-and-add), which takes them for independent.
    """
    if before is None or now.value is None or before.value is None:
        return ""
    if TOO_FEW in now.flags or TOO_FEW in before.flags:
        return ""
    difference = now.value - before.value
    said = {"size": _size(now, abs(difference)), "period": period}
    if said["size"] == _size(now, Decimal(0)):  # as it is shown
        return _("The same as in %(period)s.") % said
    chance = _explained_by_chance(now, before)
    if chance is None:
        more, less = _("%(size)s more than in %(period)s."), _("%(size)s less than in %(period)s.")
        return (more if difference > 0 else less) % said
    if chance:
        return _("No clear change since %(period)s.") % said
    if difference > 0:
        return _("%(size)s more than in %(period)s: more than chance.") % said
    return _("%(size)s less than in %(period)s: more than chance.") % said


def _size(figure: Figure, difference: Decimal) -> str:
    """A difference for people: shares and scores differ by points."""
    if figure.kpi.unit == "percent" or figure.kpi.factor == 100:
        return _("%(points)s points") % {"points": format_number(difference, 1)}
    return show_value(figure.kpi, difference)


def _explained_by_chance(now: Figure, before: Figure) -> bool | None:
    """Whether 0 lies in the difference's 95 % interval; None where that can't be told."""
    if ROLLING in now.flags or ROLLING in before.flags:
        return None
    if now.kpi.per == "as_of" or now.unit == "trailing":  # the longer holds the shorter
        return None
    bounds = (now.low, now.high, before.low, before.high)
    if any(bound is None for bound in bounds) or now.value is None or before.value is None:
        return None
    value, low, high = float(now.value), float(now.low or 0), float(now.high or 0)
    other, other_low, other_high = (
        float(before.value),
        float(before.low or 0),
        float(before.high or 0),
    )
    difference = value - other
    smallest = difference - hypot(value - low, other_high - other)
    largest = difference + hypot(high - value, other - other_low)
    return smallest <= 0 <= largest
