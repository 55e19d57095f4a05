"""Cohorts as lines: how one of them came back month by month, beside another."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import sqrt
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.display import format_number, format_percent
from common.time import Period
from metrics.figures import FEW
from metrics.intervals import Z, wilson
from metrics.selectors.cohorts import CohortRow
from metrics.views.heat import cell_url, value_at
from metrics.words import show_period


def cohort_chart(rows: Sequence[CohortRow], measure: str, segment: str) -> dict[str, Any] | None:
    """Return the lines of one or two cohorts; None without a whole month after the first.

    Shares of customers have their interval; of fewer than five none are told.
    """
    if measure == "percent":
        rows = [row for row in rows if row.size >= FEW]
    months = max((row.complete_cells for row in rows), default=0)
    if months < 2:
        return None
    offsets = range(1, months)
    chart: dict[str, Any] = {
        "type": "line",
        "labels": [str(offset) for offset in offsets],
        "series": [_line(row, offsets, measure, segment) for row in rows],
        "unit": "percent" if measure.endswith("percent") else "count",
    }
    if measure in ("revenue", "profit"):
        chart |= {"unit": "money", "currency": settings.KEEPWELL_CURRENCY}
    return chart


def compared_words(one: CohortRow, other: CohortRow) -> str:
    """Return whether one cohort comes back more than another, at the last month both have seen.

    The months up to it are not looked at one by one: among many, one would differ by chance.
    """
    offset = min(one.complete_cells, other.complete_cells) - 1
    if offset < 1:
        return _("One of the two has no whole month after the first yet.")
    counts = [int(row.at(offset, "customers") or 0) for row in (one, other)]
    sizes = [row.size for row in (one, other)]
    shares = [Decimal(count) / size for count, size in zip(counts, sizes, strict=True)]
    said = ngettext(
        "%(count)s month later, %(share)s of %(cohort)s bought, and %(other_share)s of %(other)s:",
        "%(count)s months later, %(share)s of %(cohort)s bought, and %(other_share)s of %(other)s:",
        offset,
    ) % {
        "count": format_number(offset),
        "share": format_percent(shares[0]),
        "cohort": _name(one),
        "other_share": format_percent(shares[1]),
        "other": _name(other),
    }
    if min(sizes) < FEW:
        return _("Too few to say.")
    pooled = Decimal(sum(counts)) / sum(sizes)
    spread = float(pooled * (1 - pooled)) * (1 / sizes[0] + 1 / sizes[1])
    is_clear = spread > 0 and abs(float(shares[0] - shares[1])) > Z * sqrt(spread)
    return f"{said} {_('more than chance.') if is_clear else _('no clear difference.')}"


def _line(row: CohortRow, offsets: range, measure: str, segment: str) -> dict[str, Any]:
    seen = [offset if offset < row.complete_cells else None for offset in offsets]
    values = [None if at is None else value_at(row, at, measure) for at in seen]
    line: dict[str, Any] = {
        "name": _name(row),
        "values": [None if value is None else float(value) for value in values],
        "links": [
            cell_url(row.cohort, at, segment) if at is not None and at in row.found else None
            for at in seen
        ],
    }
    if measure == "percent":
        bounds = [
            None if at is None else wilson(int(row.at(at, "customers") or 0), row.size)
            for at in seen
        ]
        line["low"] = [None if pair is None else float(pair[0]) for pair in bounds]
        line["high"] = [None if pair is None else float(pair[1]) for pair in bounds]
    return line


def _name(row: CohortRow) -> str:
    return show_period("month", Period.parse(row.cohort).first_day)
