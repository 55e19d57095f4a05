"""Orders and their lines, a file for each local month, with little in memory at a time.

What the database answers goes into small files by month first, in a folder that is thrown away;
then each month is put together, sorted and written.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from common.time import Period, local_date
from metrics.facts import store
from metrics.facts.source import Source
from metrics.facts.store import FactFile
from metrics.facts.tables import LINE_STATES, ORDER_STATES, select_table, to_schema

ROWS_AT_ONCE = 500_000  # put by month in one go
Files = dict[tuple[str, str], FactFile]
_SORTED_BY = {
    ORDER_STATES: ("customer_id", "ordered_at", "order_id", "valid_from"),
    LINE_STATES: ("order_id", "product_id", "occurrence", "valid_from"),
}


def write_months(source: Source, since: datetime | None, files: Files, generation: int) -> Files:
    """Write the months of orders revised since then, and of their lines; return their files.

    A line stands in the month of its order's present state; where the order was before, its lines
    are taken out.
    """
    written: Files = {}
    with _spool() as spool:
        orders = _Orders()
        for states in _read(source, ORDER_STATES, since):
            orders.add(states)
            spool.add(ORDER_STATES, states, states.column("ordered_at"))
        orders.sort()
        for lines in _read(source, LINE_STATES, since):
            spool.add(LINE_STATES, lines, orders.times_of(lines.column("order_id")))
        for month in spool.months(ORDER_STATES):
            for table in (ORDER_STATES, LINE_STATES):
                old = files.get((table, month))
                new = spool.take(table, month)
                if old or new is not None:
                    rows = _of_month(table, new, old, orders.ids)
                    written[table, month] = store.write_file(table, month, generation, rows)
    return written


def _read(source: Source, table: str, since: datetime | None) -> Iterator[Any]:
    """Yield a table's rows, many at a time."""
    import pyarrow as pa

    some: list[Any] = []
    for rows in source.tables(select_table(table, source.dialect, since)):
        some.append(to_schema(rows, table))
        if sum(one.num_rows for one in some) >= ROWS_AT_ONCE:
            yield pa.concat_tables(some).unify_dictionaries()
            some = []
    if some:
        yield pa.concat_tables(some).unify_dictionaries()


class _Orders:
    """Every order that was read, and when each was made by its present state."""

    def __init__(self) -> None:
        self._all: list[Any] = []
        self._present: list[tuple[Any, Any]] = []

    def add(self, states: Any) -> None:
        """Take note of states."""
        import pyarrow.compute as pc

        self._all.append(states.column("order_id").to_numpy())
        present = states.filter(pc.is_null(states.column("valid_until")))
        times = present.column("ordered_at").to_numpy()
        self._present.append((present.column("order_id").to_numpy(), times))

    def sort(self) -> None:
        """Get ready to be asked; nothing is added any more."""
        import numpy as np

        none = np.array([], dtype="int64")
        self.ids = np.unique(np.concatenate([none, *self._all]))
        keys = np.concatenate([none, *(ids for ids, _times in self._present)])
        times = np.concatenate(
            [none.astype("datetime64[us]"), *(times for _ids, times in self._present)]
        )
        order = np.argsort(keys, kind="stable")
        self._keys, self._times = keys[order], times[order]
        self._all, self._present = [], []

    def times_of(self, order_ids: Any) -> Any:
        """Return when each order was made."""
        import numpy as np
        import pyarrow as pa

        places = np.searchsorted(self._keys, order_ids.to_numpy())
        return pa.chunked_array([pa.array(self._times[places])])


class _Spool:
    """Rows by table and month, in small files until they are taken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[tuple[str, str], list[Path]] = {}
        self._count = 0

    def add(self, table: str, rows: Any, times: Any) -> None:
        """Put rows by the local month of their times."""
        import pyarrow.feather as feather

        for month, part in _by_month(rows, times):
            self._count += 1
            path = self._folder / f"{self._count:06}.arrow"
            feather.write_feather(part, str(path), compression="lz4")
            self._files.setdefault((table, month), []).append(path)

    def months(self, table: str) -> list[str]:
        """The months a table has rows in."""
        return sorted(month for name, month in self._files if name == table)

    def take(self, table: str, month: str) -> Any:
        """Return a month's rows as one Arrow table; None where there are none."""
        import pyarrow as pa
        import pyarrow.feather as feather

        paths = self._files.pop((table, month), [])
        if not paths:
            return None
        parts = [feather.read_table(str(path), memory_map=False) for path in paths]
        for path in paths:
            path.unlink()
        return pa.concat_tables(parts).unify_dictionaries()


@contextmanager
def _spool() -> Iterator[_Spool]:
    folder = store.root() / "spool"
    shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
    folder.mkdir(parents=True)
    try:
        yield _Spool(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _of_month(table: str, new: Any, old: FactFile | None, changed: Any) -> Any:
    """Return a month: its old rows but those of changed orders, and what these have in it."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    parts = [] if new is None else [new]
    if old:
        kept = pq.ParquetFile(store.root() / old.path).read()
        is_changed = pc.is_in(kept.column("order_id"), pa.array(changed))
        parts.append(kept.filter(pc.invert(is_changed)))
    rows = pa.concat_tables(parts).unify_dictionaries()
    return rows.sort_by([(name, "ascending") for name in _SORTED_BY[table]])


def _by_month(rows: Any, times: Any) -> Iterator[tuple[str, Any]]:
    """Split rows by the local month of their times."""
    import numpy as np

    if not rows.num_rows:
        return
    micros = times.to_numpy().astype("datetime64[us]").astype("int64")
    first, last = (
        local_date(datetime.fromtimestamp(int(edge) / 1_000_000, UTC))
        for edge in (micros.min(), micros.max())
    )
    months = list(_months(first, last))
    starts = np.array([int(m.start.timestamp()) * 1_000_000 for m in months], dtype="int64")
    index = np.searchsorted(starts, micros, side="right") - 1
    order = np.argsort(index, kind="stable")
    edges = np.searchsorted(index[order], np.arange(len(months) + 1))
    for at, month in enumerate(months):
        if edges[at] < edges[at + 1]:
            yield str(month), rows.take(order[edges[at] : edges[at + 1]])


def _months(first: date, last: date) -> Iterator[Period]:
    month = Period.containing(first, "month")
    while month.first_day <= last:
        yield month
        month = month.shifted(1)
