"""From a measure to a figure: value, interval, whether it is complete, and what to mind."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.conf import settings

from common.money import from_units
from metrics.intervals import (
    adjusted_wald_score,
    deviation_of,
    mean_interval,
    newcombe,
    quantile_ranks,
    wilson,
)
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Kpi, Measure
from metrics.windows import LOOK_BACK_DAYS, Window

PLACES = Decimal("0.000001")
FEW = 5  # below it, people are shown instead of a rate
SHORTER_THAN_LOOK_BACK = frozenset({"week", "month"})

ROLLING, LEFT_TRUNCATED, LARGE, SMALL_N = "rolling", "left_truncated", "large", "small_n"
TOO_FEW, SIMULATED, OBSERVATIONAL = "few", "simulated", "observational"
UNITS_OF_ONE = 10_000  # money is kept in 1/10,000


@dataclass(slots=True)
class Figure:
    """A figure of one window. Percentages and scores are in per cent: 7.142857.

    numerator, denominator: whole numbers, or amounts where the figure says so.
    value: None where there is no data or the period is not fully observed.
    dimension: the slice it is of, such as ``location=north``; empty for everybody.
    """

    kpi: Kpi
    period: str
    unit: str  # of the period
    value: Decimal | None
    numerator: int | Decimal
    denominator: int | Decimal
    low: Decimal | None
    high: Decimal | None
    is_complete: bool
    flags: list[str]
    sets: dict[str, Any] = field(default_factory=dict)
    dimension: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What flags depend on besides the measure.

    first_day: local day of the first loaded order.  simulated: fact tables with invented rows.
    """

    first_day: date | None = None
    simulated: frozenset[str] = frozenset()


def figure_of(
    kpi: Kpi, window: Window, measure: Measure, around: Surroundings, *, dimension: str = ""
) -> Figure:
    """Return the figure that a measure makes. dimension: the slice the measure is of."""
    truncated = _is_truncated(kpi, window, around.first_day)
    is_complete = window.is_over_for(kpi.matures_days) and not truncated
    value, numerator, denominator = _parts(kpi, measure)
    low, high = _interval(kpi, measure)
    shown = is_complete and value is not None
    return Figure(
        kpi=kpi,
        period=window.name,
        unit=window.unit,
        value=value if shown else None,
        numerator=from_units(numerator) if kpi.numerator_is_money else numerator,
        denominator=from_units(denominator) if kpi.denominator_is_money else denominator,
        low=low if shown else None,
        high=high if shown else None,
        is_complete=is_complete,
        flags=_flags(kpi, window, measure, low, truncated, around),
        sets=measure.sets,
        dimension=dimension,
    )


def ratio(kpi: Kpi, numerator: Decimal | int, denominator: Decimal | int) -> Decimal | None:
    """Return numerator / denominator in the figure's unit, to six decimals; None for 0 / 0.

    None too for a quantile or a difference, which these two don't make.
    """
    if kpi.unit == "count" or (kpi.is_total and denominator):
        return _rounded(Decimal(numerator))
    if denominator == 0 or kpi.interval == "quantile" or kpi.compared:
        return None
    return _rounded(Decimal(numerator) * kpi.factor / Decimal(denominator))


def so_far(figure: Figure) -> Decimal | None:
    """Return the value; of an unfinished period what its numbers so far make."""
    if figure.value is not None:
        return figure.value
    return ratio(figure.kpi, figure.numerator, figure.denominator)


def currency_of(kpi: Kpi) -> str | None:
    """Return the currency of a figure's amounts; None where it has none."""
    is_money = kpi.numerator_is_money or kpi.denominator_is_money
    return settings.KEEPWELL_CURRENCY if is_money else None


def document(figure: Figure, *, as_of: datetime, known_at: datetime, computed_at: datetime) -> Any:
    """Return the figure as ``kpi --json`` and the API print it.

    Amounts are decimal strings, counts whole numbers. A sliced figure says whose it is under
    ``segment``.
    """
    of_some = {"segment": figure.dimension} if figure.dimension else {}
    return {
        "key": figure.kpi.key,
        "period": figure.period or None,
        "value": _text(figure.value),
        "numerator": _count(figure.numerator),
        "denominator": _count(figure.denominator),
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
        **of_some,
    }


def _parts(kpi: Kpi, measure: Measure) -> tuple[Decimal | None, int, int]:
    """Return the value, and numerator and denominator as they are kept."""
    numerator, denominator = measure.numerator, measure.denominator
    if kpi.is_ratio_of_means:
        return _ratio_of_means(kpi, measure)
    if kpi.interval == "quantile":
        return _quantile(kpi, measure), numerator, denominator
    if kpi.compared:
        return _difference(kpi, measure), numerator, denominator
    over: int | Decimal = from_units(numerator) if kpi.numerator_is_money else numerator
    under: int | Decimal = from_units(denominator) if kpi.denominator_is_money else denominator
    return ratio(kpi, over, under), numerator, denominator


def _ratio_of_means(kpi: Kpi, measure: Measure) -> tuple[Decimal | None, int, int]:
    """The mean of some divided by the mean of all; numerator and denominator are the means."""
    some, everybody = (len(measure.sets.get(name, ())) for name in (NUMERATOR, DENOMINATOR))
    means = (
        round(measure.numerator / some) if some else 0,
        round(measure.denominator / everybody) if everybody else 0,
    )
    if not some or not measure.denominator:
        return None, *means
    value = Decimal(measure.numerator * everybody) / Decimal(measure.denominator * some)
    return _rounded(value * kpi.factor), *means


def _difference(kpi: Kpi, measure: Measure) -> Decimal | None:
    """One share less another, in points; None where one of the two has nobody."""
    part, whole = _compared(kpi, measure)
    if not whole or not measure.denominator:
        return None
    share = Decimal(measure.numerator) / measure.denominator
    return _rounded((share - Decimal(part) / whole) * kpi.factor)


def _compared(kpi: Kpi, measure: Measure) -> tuple[int, int]:
    assert kpi.compared  # noqa: S101 - the caller looked
    part, whole = (len(measure.sets.get(name, ())) for name in kpi.compared)
    return part, whole


def _quantile(kpi: Kpi, measure: Measure) -> Decimal | None:
    if measure.values is None or not len(measure.values.values):
        return None
    import numpy as np

    return _number(kpi, float(np.quantile(measure.values.values, kpi.quantile)))


def _interval(kpi: Kpi, measure: Measure) -> tuple[Decimal | None, Decimal | None]:
    count, detail = measure.denominator, measure.detail
    bounds: tuple[float, float] | None = None
    if kpi.interval == "wilson":
        bounds = _times(kpi.factor, wilson(measure.numerator, count))
    elif kpi.interval == "newcombe":
        difference = newcombe(measure.numerator, count, *_compared(kpi, measure))
        bounds = _times(kpi.factor, difference)
    elif kpi.interval == "adjusted_wald" and detail is not None:
        promoters = round(detail)
        bounds = adjusted_wald_score(promoters, promoters - measure.numerator, count)
    elif kpi.interval == "mean" and detail is not None and count:
        spread = deviation_of(measure.numerator, detail, count)
        bounds = mean_interval(measure.numerator / count, spread, count)
        if bounds and kpi.numerator_is_money:
            bounds = bounds[0] / UNITS_OF_ONE, bounds[1] / UNITS_OF_ONE
        if bounds:
            bounds = bounds[0] * kpi.factor, bounds[1] * kpi.factor
    elif kpi.interval == "ratio" and measure.amounts is not None:
        bounds = _ratio_bounds(kpi, measure)
    elif kpi.interval == "quantile" and measure.values is not None:
        bounds = _quantile_bounds(kpi, measure.values.values)
    if bounds is None:
        return None, None
    return Decimal(bounds[0]).quantize(PLACES), Decimal(bounds[1]).quantize(PLACES)


def _times(factor: int, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
    return (bounds[0] * factor, bounds[1] * factor) if bounds else None


def _ratio_bounds(kpi: Kpi, measure: Measure) -> tuple[float, float] | None:
    """By drawing the customers again; see :mod:`metrics.resampling`."""
    import numpy as np

    from metrics.resampling import ratio_interval, ratio_of_means_interval

    amounts = measure.amounts
    assert amounts is not None  # noqa: S101 - the caller looked
    if kpi.is_ratio_of_means:
        chosen = np.isin(amounts.ids, np.asarray(measure.sets.get(NUMERATOR, ())))
        bounds = ratio_of_means_interval(amounts.denominator, chosen)
    else:
        bounds = ratio_interval(amounts.numerator, amounts.denominator)
    return (bounds[0] * kpi.factor, bounds[1] * kpi.factor) if bounds else None


def _quantile_bounds(kpi: Kpi, values: Any) -> tuple[float, float] | None:
    import numpy as np

    ranks = quantile_ranks(len(values), kpi.quantile)
    if ranks is None:
        return None
    ordered = np.partition(values, ranks)
    scale = UNITS_OF_ONE if kpi.unit == "money" else 1
    return float(ordered[ranks[0]]) / scale, float(ordered[ranks[1]]) / scale


def _number(kpi: Kpi, value: float) -> Decimal:
    return _rounded(Decimal(value) / (UNITS_OF_ONE if kpi.unit == "money" else 1))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(PLACES, rounding=ROUND_HALF_EVEN)


def _flags(
    kpi: Kpi,
    window: Window,
    measure: Measure,
    low: Decimal | None,
    truncated: bool,
    around: Surroundings,
) -> list[str]:
    people = _people(kpi, measure)
    wanted = {
        ROLLING: kpi.looks_back and _is_short(window),
        LEFT_TRUNCATED: truncated,
        LARGE: kpi.limit is not None and low is not None and low > kpi.limit,
        SMALL_N: people < kpi.few,
        TOO_FEW: 0 < people < FEW and not kpi.has_total_value,
        SIMULATED: not around.simulated.isdisjoint(kpi.needs + kpi.reads),
        OBSERVATIONAL: kpi.observational,
    }
    return [name for name, is_so in wanted.items() if is_so]


def _is_truncated(kpi: Kpi, window: Window, first_day: date | None) -> bool:
    """Whether the figure looks at days before the first loaded one."""
    if kpi.looks_back:
        return window.is_truncated(first_day)
    if kpi.looks_back_a_year:
        return window.is_year_truncated(first_day)
    return bool(kpi.compares_days) and window.begins_before(first_day, kpi.compares_days)


def _is_short(window: Window) -> bool:
    """Whether neighbouring windows share most of their look-backs."""
    if window.unit == "trailing":
        return int(window.name.removesuffix("d")) < LOOK_BACK_DAYS
    return window.unit in SHORTER_THAN_LOOK_BACK


def _people(kpi: Kpi, measure: Measure) -> int:
    """How many there are behind a figure: what is counted, or where that is money the customers."""
    if kpi.compared:
        return min(measure.denominator, _compared(kpi, measure)[1])
    if not kpi.denominator_is_money:
        return measure.denominator
    if measure.people is not None:
        return measure.people
    if DENOMINATOR in measure.sets:
        return len(measure.sets[DENOMINATOR])
    return 0 if measure.amounts is None else len(measure.amounts.ids)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _count(number: int | Decimal) -> int | str:
    return format(number, "f") if isinstance(number, Decimal) else number


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


__all__ = ["FEW", "LOOK_BACK_DAYS", "Figure", "Surroundings", "document", "figure_of", "ratio"]
