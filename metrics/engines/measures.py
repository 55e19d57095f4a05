"""From the tables of an expression to a measure for each window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Amounts, Expression, Measure, Values
from metrics.windows import Window

Ints = NDArray[np.int64]
NOBODY = 0  # no customer has this id


def measures_of(
    expression: Expression, windows: list[Window], run: Callable[[Any], Any]
) -> dict[str, Measure]:
    """Return window name → measure. run: carries out one ibis table, answering in Arrow."""
    found = {window.name: Measure() for window in windows}
    if expression.members is not None:
        for (window, name), ids in _sets(run(expression.members)):
            found[window].sets[name] = ids
    if expression.amounts is not None:
        for window, rows in _by_window(run(expression.amounts)):
            found[window].amounts = Amounts(*rows)
    if expression.values is not None:
        for window, (ids, values) in _by_window(run(expression.values)):
            found[window].values = Values(ids, values)
    if expression.amounts is None and expression.values is None:
        for measure in found.values():
            count(measure)
    else:
        for measure in found.values():
            add_up(measure)
    return found


def count(measure: Measure) -> None:
    """Set numerator and denominator to the sizes of the sets called so."""
    measure.numerator = len(measure.sets.get(NUMERATOR, ()))
    measure.denominator = len(measure.sets.get(DENOMINATOR, ()))


def add_up(measure: Measure) -> None:
    """Set numerator, denominator and detail to the sums of what the measure holds by customer.

    Without amounts the numerator of a quantile is the sum of the single values, as a whole number,
    and the denominator how many there are.
    """
    if (amounts := measure.amounts) is not None:
        measure.numerator = int(amounts.numerator.sum())
        measure.denominator = int(amounts.denominator.sum())
        measure.detail = float(amounts.detail.sum())
    elif (values := measure.values) is not None:
        measure.numerator = round(float(values.values.sum()))
        measure.denominator = len(values.values)


def _by_window(rows: Any) -> Iterator[tuple[str, list[Any]]]:
    """Split ``window, customer_id, …`` into arrays per window, sorted by customer."""
    if not rows.num_rows:
        return
    windows = rows.column("window").combine_chunks().dictionary_encode()
    columns = [_ids(rows.column("customer_id"))]
    names = ("numerator", "denominator", "detail", "value")
    for name in (name for name in names if name in rows.column_names):
        kind = "float64" if name in ("detail", "value") else "int64"
        columns.append(rows.column(name).to_numpy().astype(kind))
    # Sorted by customer too, so that sums of floats don't depend on how the engine went about it.
    order = np.lexsort((columns[0], windows.indices.to_numpy()))
    codes = windows.indices.to_numpy()[order]
    columns = [column[order] for column in columns]
    edges = np.flatnonzero(np.diff(codes, prepend=-1))
    for start, end in zip(edges, [*edges[1:], len(codes)], strict=True):
        name = windows.dictionary[int(codes[start])].as_py()
        yield name, [column[start:end] for column in columns]


def _sets(members: Any) -> Iterator[tuple[tuple[str, str], Any]]:
    """Split ``window, name, customer_id`` into sorted ids per window and name."""
    if not members.num_rows:
        return
    columns = [members.column(name).combine_chunks() for name in ("window", "name")]
    windows, names = (column.dictionary_encode() for column in columns)
    ids = members.column("customer_id").to_numpy()
    key = windows.indices.to_numpy().astype("int64") * len(names.dictionary)
    key += names.indices.to_numpy()
    order = np.lexsort((ids, key))
    key, ids = key[order], ids[order]
    edges = np.flatnonzero(np.diff(key, prepend=-1))
    for start, end in zip(edges, [*edges[1:], len(key)], strict=True):
        window, name = divmod(int(key[start]), len(names.dictionary))
        yield (
            (windows.dictionary[window].as_py(), names.dictionary[name].as_py()),
            ids[start:end],
        )


def _ids(column: Any) -> Ints:
    import pyarrow.compute as pc

    ids: Ints = pc.fill_null(column, NOBODY).to_numpy().astype(np.int64)
    return ids
