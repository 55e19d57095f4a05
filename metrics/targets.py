"""Where a figure stands against what it is to reach, in words, and how sure that is."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from metrics.figures import TOO_FEW, Figure
from metrics.words import show_value


def target_words(figure: Figure, target: Decimal | None) -> str:
    """Return whether a figure reaches its target; empty without one, or without a value.

    Certain where the figure's whole interval lies on one side; without an interval the figure is
    no estimate, and reaches it or does not.
    """
    if target is None or figure.value is None:
        return ""
    said = {"target": show_value(figure.kpi, target)}
    if TOO_FEW in figure.flags:
        return _("Target %(target)s: too few to say.") % said
    low, high = figure.low, figure.high
    if low is None or high is None:
        if _is_reached(figure, figure.value, target):
            return _("Target %(target)s: reached.") % said
        return _("Target %(target)s: missed.") % said
    both = {_is_reached(figure, bound, target) for bound in (low, high)}
    if both == {True}:
        return _("Target %(target)s: reached, certain.") % said
    if both == {False}:
        return _("Target %(target)s: missed, certain.") % said
    return _("Target %(target)s: can't tell whether it is reached.") % said


def _is_reached(figure: Figure, value: Decimal, target: Decimal) -> bool:
    return value >= target if figure.kpi.more_is_better else value <= target
