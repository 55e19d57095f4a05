"""Cutting a measure into slices: each customer's slices are bits of one word, summed by word."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.engines.measures import add_up, count
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Amounts, Kpi, Measure, Values
from metrics.slices import Slice

Ints = NDArray[np.int64]
EXACT = 2**53  # whole numbers below it are exact as floats, and so are their sums
LOW_BITS = 26


def cut_to(measure: Measure, ids: Ints) -> Measure:
    """Return what a measure is of some customers alone. ids: sorted."""
    found = Measure(
        sets={name: _inside(np.asarray(one), ids) for name, one in measure.sets.items()}
    )
    if (amounts := measure.amounts) is not None:
        keep = _is_in(amounts.ids, ids)
        columns = (amounts.ids, amounts.numerator, amounts.denominator, amounts.detail)
        found.amounts = Amounts(*(column[keep] for column in columns))
    if (values := measure.values) is not None:
        keep = _is_in(values.ids, ids)
        found.values = Values(values.ids[keep], values.values[keep])
    sum_up(found)
    return found


def sum_up(measure: Measure) -> None:
    """Set numerator, denominator and detail from what the measure holds by customer."""
    if measure.amounts is None and measure.values is None:
        count(measure)
    else:
        add_up(measure)


class Cutter:
    """Cuts measures into the same slices again and again."""

    def __init__(self, slices: list[Slice]) -> None:
        self.slices = slices
        everybody = [one.ids for one in slices]
        self._ids = np.unique(np.concatenate(everybody)) if slices else np.zeros(0, np.int64)
        words = np.zeros(len(self._ids), dtype=np.uint64)
        for bit, one in enumerate(slices):
            words[np.searchsorted(self._ids, one.ids)] |= np.uint64(1 << bit)
        self._words, codes = np.unique(words, return_inverse=True)
        # Who is in no slice has the code after the last word.
        self._codes = np.append(codes, len(self._words)).astype(np.int32)
        self._members = [
            np.flatnonzero(self._words & np.uint64(1 << bit)) for bit in range(len(slices))
        ]
        self._places = self._dense()

    def cut(self, kpi: Kpi, measure: Measure) -> list[Measure]:
        """Return the measure of each slice, without sets."""
        if kpi.interval in ("ratio", "quantile", "newcombe"):
            return self._cut_apart(kpi, measure)
        if measure.amounts is None:
            parts = [self._count(measure.sets.get(name, ())) for name in (NUMERATOR, DENOMINATOR)]
            return [Measure(int(over), int(under)) for over, under in zip(*parts, strict=True)]
        amounts = measure.amounts
        codes = self._codes_of(amounts.ids)
        over, under = (self._sum(codes, c) for c in (amounts.numerator, amounts.denominator))
        details = self._gather(np.bincount(codes, amounts.detail, minlength=self._width))
        people = self._people(kpi, measure, codes)
        return [
            Measure(int(over[at]), int(under[at]), detail=float(details[at]), people=people[at])
            for at in range(len(self.slices))
        ]

    def _cut_apart(self, kpi: Kpi, measure: Measure) -> list[Measure]:
        """Where the value or the interval needs every customer's part."""
        found = [Measure() for _ in self.slices]
        if kpi.interval == "newcombe" or kpi.is_ratio_of_means:
            for name, ids in measure.sets.items():
                for one, some in zip(found, self._split(np.asarray(ids)), strict=True):
                    one.sets[name] = some[0]
        if (amounts := measure.amounts) is not None:
            ids, over, under = amounts.ids, amounts.numerator, amounts.denominator
            for one, some in zip(found, self._split(ids, over, under), strict=True):
                one.amounts = Amounts(some[0], some[1], some[2], np.zeros(len(some[0])))
            people = self._people(kpi, measure, self._codes_of(ids))
            for one, size in zip(found, people, strict=True):
                one.people = size
        if (values := measure.values) is not None:
            for one, some in zip(found, self._split(values.ids, values.values), strict=True):
                one.values = Values(*some)
        for one in found:
            sum_up(one)
        return found

    def _split(self, ids: Any, *columns: Any) -> Any:
        words = np.append(self._words, np.uint64(0))[self._codes_of(ids)]
        for bit in range(len(self.slices)):
            places = np.flatnonzero(words & np.uint64(1 << bit))
            yield [column[places] for column in (ids, *columns)]

    def _people(self, kpi: Kpi, measure: Measure, codes: Any) -> list[int | None]:
        """How many customers, where the denominator doesn't tell."""
        if not kpi.denominator_is_money:
            return [None] * len(self.slices)
        if DENOMINATOR in measure.sets:
            return [int(size) for size in self._count(measure.sets[DENOMINATOR])]
        counted = self._gather(np.bincount(codes, minlength=self._width))
        return [int(size) for size in counted]

    def _count(self, ids: Any) -> Any:
        codes = self._codes_of(np.asarray(ids, dtype=np.int64))
        return self._gather(np.bincount(codes, minlength=self._width))

    def _sum(self, codes: Any, values: Ints) -> Any:
        """Sum whole numbers by slice, exactly."""
        if float(np.abs(values).sum(dtype=np.float64)) < EXACT:
            return self._gather(_whole(np.bincount(codes, values, minlength=self._width)))
        high, low = values >> LOW_BITS, values & ((1 << LOW_BITS) - 1)
        sums = [_whole(np.bincount(codes, part, minlength=self._width)) for part in (high, low)]
        return self._gather((sums[0] << LOW_BITS) + sums[1])

    def _gather(self, by_word: Any) -> Any:
        return np.array([by_word[places].sum() for places in self._members])

    @property
    def _width(self) -> int:
        return len(self._words) + 1

    def _codes_of(self, ids: Ints) -> Any:
        if self._places is not None:
            return self._codes[self._places[np.minimum(ids, len(self._places) - 1)]]
        if not len(self._ids):
            return np.full(len(ids), len(self._words), dtype=np.int32)
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return self._codes[np.where(self._ids[place] == ids, place, len(self._ids))]

    def _dense(self) -> Any:
        """Each id's place in a table, where the ids lie close enough together."""
        top = int(self._ids[-1]) if len(self._ids) else 0
        if top > 8 * len(self._ids) + 1_000_000:
            return None
        places = np.full(top + 2, len(self._ids), dtype=np.int32)
        places[self._ids] = np.arange(len(self._ids), dtype=np.int32)
        return places


def _whole(sums: NDArray[Any]) -> Ints:
    found: Ints = np.rint(sums).astype(np.int64)
    return found


def _is_in(ids: Ints, some: Ints) -> Any:
    if not len(some):
        return np.zeros(len(ids), dtype=bool)
    place = np.minimum(np.searchsorted(some, ids), len(some) - 1)
    return some[place] == ids


def _inside(ids: Ints, some: Ints) -> Ints:
    found: Ints = ids[_is_in(ids, some)]
    return found
