"""From a measure to a figure: value, interval, whether it is complete, and what to mind."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.conf import settings

from common.money import from_units
from metrics.intervals import adjusted_wald_score, mean_interval, wilson
from metrics.kpis.base import Kpi, Measure
from metrics.windows import LOOK_BACK_DAYS, Window

PLACES = Decimal("0.000001")
FEW = 5  # below it, people are shown instead of a rate
SHORTER_THAN_LOOK_BACK = frozenset({"week", "month"})

ROLLING, LEFT_TRUNCATED, LARGE, SMALL_N = "rolling", "left_truncated", "large", "small_n"
TOO_FEW, SIMULATED = "few", "simulated"


@dataclass(slots=True)
class Figure:
    """A figure of one window. Percentages and scores are in per cent: 7.142857.

    numerator, denominator: whole numbers; a money figure's numerator is an amount.
    value: None where there is no data or the period is not fully observed.
    """

    kpi: Kpi
    period: str
    unit: str  # of the period
    value: Decimal | None
    numerator: int | Decimal
    denominator: int
    low: Decimal | None
    high: Decimal | None
    is_complete: bool
    flags: list[str]
    sets: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What flags depend on besides the measure.

    first_day: local day of the first loaded order.  simulated: kinds of facts that are invented.
    """

    first_day: date | None = None
    simulated: frozenset[str] = frozenset()


def figure_of(kpi: Kpi, window: Window, measure: Measure, around: Surroundings) -> Figure:
    """Return the figure that a measure makes."""
    truncated = kpi.looks_back and window.is_truncated(around.first_day)
    is_complete = window.is_over_for(kpi.matures_days) and not truncated
    numerator: int | Decimal = measure.numerator
    if kpi.unit == "money":
        numerator = from_units(measure.numerator)
    low, high = _interval(kpi, measure)
    flags = _flags(kpi, window, measure, low, truncated, around)
    shown = is_complete and measure.denominator > 0
    return Figure(
        kpi=kpi,
        period=window.name,
        unit=window.unit,
        value=_ratio(kpi, measure) if shown else None,
        numerator=numerator,
        denominator=measure.denominator,
        low=low if shown else None,
        high=high if shown else None,
        is_complete=is_complete,
        flags=flags,
        sets=measure.sets,
    )


def ratio(kpi: Kpi, numerator: Decimal | int, denominator: int) -> Decimal | None:
    """Return numerator / denominator in the figure's unit, to six decimals; None for 0 / 0."""
    if denominator == 0:
        return None
    factor = 1 if kpi.unit == "money" else 100
    value = Decimal(numerator) * factor / denominator
    return value.quantize(PLACES, rounding=ROUND_HALF_EVEN)


def currency_of(kpi: Kpi) -> str | None:
    """Return the currency a figure is in; None where it is no money."""
    return settings.KEEPWELL_CURRENCY if kpi.unit == "money" else None


def document(figure: Figure, *, as_of: datetime, known_at: datetime, computed_at: datetime) -> Any:
    """Return the figure as ``kpi --json`` and the API print it."""
    numerator: Any = figure.numerator
    return {
        "key": figure.kpi.key,
        "period": figure.period or None,
        "value": _text(figure.value),
        "numerator": format(numerator, "f") if isinstance(numerator, Decimal) else numerator,
        "denominator": figure.denominator,
        "low": _text(figure.low),
        "high": _text(figure.high),
        "unit": figure.kpi.unit,
        "window": figure.kpi.window,
        "currency": currency_of(figure.kpi),
        "as_of": _instant(as_of),
        "known_at": _instant(known_at),
        "computed_at": _instant(computed_at),
        "complete": figure.is_complete,
        "flags": figure.flags,
        "definition": str(figure.kpi.words),
    }


def _ratio(kpi: Kpi, measure: Measure) -> Decimal | None:
    numerator = Decimal(measure.numerator)
    return ratio(
        kpi, numerator.scaleb(-4) if kpi.unit == "money" else numerator, measure.denominator
    )


def _interval(kpi: Kpi, measure: Measure) -> tuple[Decimal | None, Decimal | None]:
    count, detail = measure.denominator, measure.interval_detail
    bounds, factor = None, 100.0
    if kpi.interval == "wilson":
        bounds = wilson(measure.numerator, count)
    elif kpi.interval == "adjusted_wald" and detail is not None:
        promoters = round(detail)
        bounds, factor = adjusted_wald_score(promoters, promoters - measure.numerator, count), 1.0
    elif kpi.interval == "mean" and detail is not None and count:
        bounds, factor = mean_interval(measure.numerator / count, detail, count), 1e-4
    if bounds is None:
        return None, None
    low, high = (Decimal(bound * factor).quantize(PLACES) for bound in bounds)
    return low, high


def _flags(
    kpi: Kpi,
    window: Window,
    measure: Measure,
    low: Decimal | None,
    truncated: bool,
    around: Surroundings,
) -> list[str]:
    wanted = {
        ROLLING: kpi.looks_back and window.unit in SHORTER_THAN_LOOK_BACK,
        LEFT_TRUNCATED: truncated,
        LARGE: kpi.limit is not None and low is not None and low > kpi.limit,
        SMALL_N: measure.denominator < kpi.few,
        TOO_FEW: 0 < measure.denominator < FEW,
        SIMULATED: kpi.key in around.simulated,
    }
    return [name for name, is_so in wanted.items() if is_so]


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


__all__ = ["FEW", "LOOK_BACK_DAYS", "Figure", "Surroundings", "document", "figure_of", "ratio"]
