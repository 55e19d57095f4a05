"""How often customers buy, and how long they take until their second purchase."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.display import format_number, format_percent
from metrics.figures import FEW
from metrics.intervals import Z, wilson
from metrics.maps import NOT_AGAIN, RIPE, SECOND_DAYS, SECOND_ORDER
from metrics.roles import READERS
from metrics.selectors.maps import Place, list_places
from metrics.views.grids import places_url
from metrics.views.groups import group_context
from metrics.views.map_names import gap_name

LEADING = "repeat_purchase_rate_90d"


@require_safe
@roles_required(read=READERS)
def purchases(request: HttpRequest) -> HttpResponse:
    """The group's figures, led by who buys again, and the time until the second purchase."""
    context = group_context(request, "purchases", leading=LEADING)
    if context.get("run"):
        segment = context["asked"].segment
        places = list_places(context["run"], SECOND_ORDER, dimension=segment)
        context["second"] = second_order([one for one in places if one.y == RIPE], segment)
    return render(request, "metrics/purchases.html", context)


def second_order(places: list[Place], segment: str) -> dict[str, Any] | None:
    """Return when the second purchase came, of those who had a year for it; None without any.

    Of too few people the counts alone are told.
    """
    everybody = sum(place.customers for place in places)
    if not everybody:
        return None
    is_told = everybody >= FEW
    counts = {place.x: place.customers for place in places}
    rows, so_far = [], 0
    for x in range(NOT_AGAIN + 1):
        count = counts.get(x, 0)
        so_far += count if x < NOT_AGAIN else 0
        rows.append(
            {
                "label": gap_name(x),
                "customers": count,
                "share": Decimal(count) / everybody if is_told else None,
                "so_far": Decimal(so_far) / everybody if is_told and x < NOT_AGAIN else None,
                "url": places_url(SECOND_ORDER, x=x, y=RIPE, segment=segment) if count else "",
            }
        )
    return {
        "everybody": everybody,
        "everybody_url": places_url(SECOND_ORDER, y=RIPE, segment=segment),
        "rows": rows,
        "sentence": _sentence(counts, everybody) if is_told else "",
        "chart": {
            "type": "bar",
            "labels": [row["label"] for row in rows],
            "series": [
                {
                    "name": _("Customers"),
                    "values": [row["customers"] for row in rows],
                    "links": [row["url"] or None for row in rows],
                }
            ],
            "unit": "count",
        },
    }


def _sentence(counts: dict[int, int], everybody: int) -> str:
    """Half of them by when, and how many within a year, with the interval."""
    within = sum(count for x, count in counts.items() if x < len(SECOND_DAYS))
    bounds = wilson(within, everybody, Z)
    said = ngettext(
        "Of %(everybody)s customer who had a year for it, %(share)s bought again within the year.",
        "Of %(everybody)s customers who had a year for it, %(share)s bought again within the year.",
        everybody,
    ) % {
        "everybody": format_number(everybody),
        "share": format_percent(Decimal(within) / everybody),
    }
    if bounds:
        low, high = (format_percent(bound) for bound in bounds)
        said += " " + _("Likely between %(low)s and %(high)s.") % {"low": low, "high": high}
    return f"{said} {_half_words(counts, within)}".strip()


def _half_words(counts: dict[int, int], within: int) -> str:
    """By when half of those who came back within the year had come."""
    so_far = 0
    for x, days in enumerate(SECOND_DAYS):
        so_far += counts.get(x, 0)
        if within and so_far * 2 >= within:
            return ngettext(
                "Half of these were back within %(days)s day.",
                "Half of these were back within %(days)s days.",
                days,
            ) % {"days": days}
    return ""
