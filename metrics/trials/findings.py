"""What a trial found, as JSON that outlives its workspace: sums and figures, nobody's data."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum
from django.db.models.functions import TruncMonth

from common.time import organisation_timezone
from crm.models import Customer, Order
from metrics.figures import Figure
from metrics.kpis import KPIS
from metrics.models import RecomputeRun, Snapshot
from metrics.selectors.cohorts import CohortRow, cohort_rows
from metrics.selectors.figures import figure_from, list_latest
from metrics.selectors.runs import seen_until
from metrics.windows import last_complete

FIGURES = (
    "retention_rate",
    "churn_rate",
    "repeat_purchase_rate_90d",
    "repeat_purchase_rate_lifetime",
    "average_order_value",
)
COHORTS_KEPT = 36


def findings(run: RecomputeRun) -> dict[str, Any]:
    """Return totals, totals per month, figures with their intervals, and the last cohorts.

    The figures are of the last whole period that the purchases reach into.
    """
    snapshots = list_latest(keys=FIGURES, units=("quarter", "month", "all"))
    until = seen_until(run)
    chosen = [_choose(key, snapshots, until) for key in FIGURES]
    return {
        **_totals(),
        "currency": settings.KEEPWELL_CURRENCY,
        "first_day": run.first_day and run.first_day.isoformat(),
        "last_day": run.last_day and run.last_day.isoformat(),
        "figures": [_as_json(figure, starts_on) for figure, starts_on in chosen if figure],
        "cohorts": [_cohort_as_json(row) for row in cohort_rows(run, until=until)[-COHORTS_KEPT:]],
    }


def figure_of_json(kept: dict[str, Any]) -> tuple[Figure, date | None]:
    """Return a figure as it was found, and the first day of its period."""
    kpi = KPIS[kept["key"]]
    amount = Decimal(kept["numerator"])
    figure = Figure(
        kpi=kpi,
        period=kept["period"],
        unit=kept["unit"],
        value=_decimal(kept["value"]),
        numerator=amount if kpi.numerator_is_money else int(amount),
        denominator=kept["denominator"],
        low=_decimal(kept["low"]),
        high=_decimal(kept["high"]),
        is_complete=kept["complete"],
        flags=kept["flags"],
    )
    starts_on = kept["starts_on"]
    return figure, date.fromisoformat(starts_on) if starts_on else None


def cohort_of_json(kept: dict[str, Any]) -> CohortRow:
    """Return a row of the cohort matrix as it was found."""
    cells: dict[int, tuple[int, Decimal | None]] = {
        int(offset): (n, Decimal(amount)) for offset, n, amount in kept["found"]
    }
    return CohortRow(
        cohort=kept["cohort"],
        size=kept["size"],
        is_complete=kept["complete"],
        flags=kept["flags"],
        complete_cells=kept["cells"],
        found=cells,
    )


def _totals() -> dict[str, Any]:
    """Customers, orders and revenue, in all and per local month; cancelled orders are none."""
    orders = Order.objects.exclude(status=Order.Status.CANCELLED)
    ours = orders.filter(currency=settings.KEEPWELL_CURRENCY)
    months = (
        ours.annotate(month=TruncMonth("ordered_at", tzinfo=organisation_timezone()))
        .values("month")
        .annotate(
            orders=Count("pk"), customers=Count("customer", distinct=True), revenue=Sum("amount")
        )
        .order_by("month")
    )
    listed = list(months)
    return {
        "customers": Customer.objects.count(),
        "orders": orders.count(),
        "other_currencies": orders.count() - sum(month["orders"] for month in listed),
        "revenue": str(sum((month["revenue"] for month in listed), Decimal(0))),
        "months": [
            {
                "month": f"{month['month']:%Y-%m}",
                "orders": month["orders"],
                "customers": month["customers"],
                "revenue": str(month["revenue"]),
            }
            for month in listed
        ],
    }


def _choose(
    key: str, snapshots: list[Snapshot], until: datetime
) -> tuple[Figure | None, date | None]:
    """The last quarter with a value, else month, else what there is of the last quarter."""
    mine = [snapshot for snapshot in snapshots if snapshot.kpi == key]
    if KPIS[key].per == "as_of":
        found = next((one for one in mine if not one.period), None)
    else:
        quarter = last_complete("quarter", until)
        over = [one for one in mine if one.starts_on and one.starts_on <= quarter.first_day]
        last = [one for one in over if one.period == str(quarter)]
        for unit in ("month", "quarter"):
            last = [one for one in over if one.unit == unit and one.value is not None] or last
        found = last[-1] if last else None
    return (figure_from(found), found.starts_on) if found else (None, None)


def _as_json(figure: Figure, starts_on: date | None) -> dict[str, Any]:
    return {
        "key": figure.kpi.key,
        "period": figure.period,
        "unit": figure.unit,
        "starts_on": starts_on and starts_on.isoformat(),
        "value": _text(figure.value),
        "numerator": str(figure.numerator),
        "denominator": figure.denominator,
        "low": _text(figure.low),
        "high": _text(figure.high),
        "complete": figure.is_complete,
        "flags": figure.flags,
    }


def _cohort_as_json(row: CohortRow) -> dict[str, Any]:
    return {
        "cohort": row.cohort,
        "size": row.size,
        "complete": row.is_complete,
        "flags": row.flags,
        "cells": row.complete_cells,
        "found": [(offset, n, str(amount)) for offset, (n, amount) in sorted(row.found.items())],
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
