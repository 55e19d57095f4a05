"""What the places on the maps are called."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from metrics.maps import NOT_AGAIN, SECOND_DAYS

TENURES = (
    gettext_lazy("Under 3 months"),
    gettext_lazy("3 to 12 months"),
    gettext_lazy("1 to 2 years"),
    gettext_lazy("2 to 3 years"),
    gettext_lazy("3 years and more"),
)
PROFITS = (
    gettext_lazy("A loss"),
    gettext_lazy("Neither profit nor loss"),
    gettext_lazy("Lower third of the profitable"),
    gettext_lazy("Middle third of the profitable"),
    gettext_lazy("Upper third of the profitable"),
)


def tenure_name(x: int | None) -> str:
    """Return how long the customers of a column have been there."""
    return str(TENURES[x]) if x is not None and x < len(TENURES) else ""


def profit_name(y: int | None) -> str:
    """Return what the customers of a row brought in the last 365 days."""
    return str(PROFITS[y]) if y is not None and y < len(PROFITS) else ""


def gap_name(x: int | None) -> str:
    """Return how long the customers of a column took until their second purchase."""
    if x is None or x > NOT_AGAIN:
        return ""
    if x == NOT_AGAIN:
        return _("Not again yet")
    if x == 0:
        return _("Within %(until)s days") % {"until": SECOND_DAYS[0]}
    if x == len(SECOND_DAYS):
        return _("After %(since)s days or more") % {"since": SECOND_DAYS[-1]}
    bounds = {"since": SECOND_DAYS[x - 1], "until": SECOND_DAYS[x] - 1}
    return _("After %(since)s to %(until)s days") % bounds
