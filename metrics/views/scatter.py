"""Points on a plane, drawn by the server: where each stands by two figures, as large as a third."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor, sqrt

from common.display import format_money, format_percent
from metrics.figures import currency_of
from metrics.kpis.base import Kpi
from metrics.views.compared import Compared, value_of
from metrics.words import HUNDRED, Shown, show_value

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 20, 44
SMALLEST, LARGEST = 9, 26  # radius
TICKS = 4  # steps of an axis, about
MARGIN = Decimal("0.12")  # of the range, around the outermost points
ROUND_STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Point:
    """A value of the dimension. number: its row in the table; is_loss: the third is below zero."""

    number: int
    x: float
    y: float
    radius: float
    label: str
    words: str
    url: str
    is_loss: bool


@dataclass(frozen=True, slots=True)
class Scatter:
    """The drawing, in a box of WIDTH × HEIGHT. left_out: how many rows say too little to stand."""

    x_title: str
    y_title: str
    size_title: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    points: list[Point]
    left_out: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def scatter_of(compared: Compared | None, *, x: str, y: str, size: str) -> Scatter | None:
    """Return where the rows of a table stand by two of its figures; None for fewer than two.

    x, y, size: keys of figures. Rows without the first two are not drawn.
    """
    if compared is None:
        return None
    places = {kpi.key: place for place, kpi in enumerate(compared.kpis)}
    if x not in places or y not in places:
        return None
    drawn = []
    for row in compared.rows:
        across, up = value_of(row.cells[places[x]]), value_of(row.cells[places[y]])
        if across is not None and up is not None:
            third = value_of(row.cells[places[size]]) if size in places else None
            drawn.append((row, across, up, third))
    if len(drawn) < 2:
        return None
    x_kpi, y_kpi = compared.kpis[places[x]], compared.kpis[places[y]]
    x_marks = _marks(x_kpi, [across for _row, across, _up, _third in drawn])
    y_marks = _marks(y_kpi, [up for _row, _across, up, _third in drawn])
    (x_low, x_high), (y_low, y_high) = (x_marks[0], x_marks[-1]), (y_marks[0], y_marks[-1])
    most = max((abs(third) for *_rest, third in drawn if third is not None), default=Decimal(0))
    points = [
        Point(
            number=row.number,
            x=_place(across, x_low, x_high, LEFT, WIDTH - RIGHT),
            y=_place(up, y_low, y_high, HEIGHT - BOTTOM, TOP),
            radius=_radius(third, most),
            label=row.label,
            words=_words(row.cells),
            url=row.url,
            is_loss=third is not None and third < 0,
        )
        for row, across, up, third in drawn
    ]
    return Scatter(
        x_title=str(x_kpi.title),
        y_title=str(y_kpi.title),
        size_title=str(compared.kpis[places[size]].title) if size in places else "",
        x_ticks=_ticks(x_kpi, x_marks, LEFT, WIDTH - RIGHT),
        y_ticks=_ticks(y_kpi, y_marks, HEIGHT - BOTTOM, TOP),
        points=sorted(points, key=lambda point: -point.radius),  # small ones lie on top
        left_out=len(compared.rows) - len(drawn),
    )


def _marks(kpi: Kpi, values: Sequence[Decimal]) -> list[Decimal]:
    """Return the round values of an axis, from below the smallest value to above the largest."""
    smallest, largest = min(values), max(values)
    margin = (largest - smallest) * MARGIN or abs(largest) * MARGIN or Decimal(1)
    low, high = smallest - margin, largest + margin
    if kpi.unit == "percent":
        low, high = max(low, Decimal(0)), min(high, max(largest, Decimal(100)))
    elif kpi.unit == "score" and kpi.factor == 100:
        low, high = max(low, Decimal(-100)), min(high, Decimal(100))
    step = _round_step((high - low) / TICKS)
    first, last = floor(low / step), ceil(high / step)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


def _round_step(least: Decimal) -> Decimal:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not below ``least``."""
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * step for step in ROUND_STEPS if power * step >= least)


def _place(value: Decimal, low: Decimal, high: Decimal, start: int, end: int) -> float:
    return round(float(start + (value - low) / (high - low) * (end - start)), 1)


def _ticks(kpi: Kpi, marks: Sequence[Decimal], start: int, end: int) -> list[Tick]:
    are_round = all(mark == mark.to_integral_value() for mark in marks)
    return [
        Tick(_place(mark, marks[0], marks[-1], start, end), _label(kpi, mark, are_round))
        for mark in marks
    ]


def _label(kpi: Kpi, mark: Decimal, is_round: bool) -> str:
    """Round amounts and shares are read without decimals."""
    if is_round and kpi.unit == "money":
        return format_money(mark, currency_of(kpi) or "", 0)
    if is_round and kpi.unit == "percent":
        return format_percent(mark / HUNDRED, 0)
    return show_value(kpi, mark)


def _radius(value: Decimal | None, most: Decimal) -> float:
    """By area, so that twice as much looks twice as much."""
    if value is None or not most:
        return SMALLEST
    return round(max(SMALLEST, LARGEST * sqrt(float(abs(value) / most))), 1)


def _words(cells: Sequence[Shown | None]) -> str:
    return " · ".join(f"{cell.label}: {cell.value}" for cell in cells if cell)
