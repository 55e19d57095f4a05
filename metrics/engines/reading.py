"""Reading the orders of the fact store into blocks: several files at once, each filtered by itself.

Files are sorted by customer and time, one for each local month; one that is not is sorted here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.engines.calendar import by_month, micros, month_edges
from metrics.engines.members import Flags, Ints
from metrics.engines.orders import Block, Events, GivenBack, Orders, side_by_side
from metrics.facts.columns import LINKS, ORDER_STATES, TABLES
from metrics.facts.store import Store

REFUNDS, COSTS = "refunds", "costs"
_COLUMNS = ("customer_id", "ordered_at", "amount", "cost", "currency", "status")


@dataclass(frozen=True)
class _Cut:
    """What of the store is wanted. links, refunds: Arrow tables of those that stand."""

    as_of: int
    known_at: int
    currency: str
    links: Any
    refunds: Any
    returned: _Wanted | None  # the orders of refunds


@dataclass
class _Rows:
    """Counted orders of a file. customers: ids of persons; the rest as in :class:`Block`.

    returned: order id and person's id of those that have a refund.
    """

    customers: Ints
    times: Ints
    amounts: Ints
    margins: Ints
    is_ours: Flags
    is_costed: Flags
    returned: tuple[Ints, Ints] | None = None

    @cached_property
    def is_sorted(self) -> bool:
        """Whether they are sorted by customer and time."""
        later = self.times[1:] >= self.times[:-1]
        before, after = self.customers[:-1], self.customers[1:]
        return bool(np.all((after > before) | ((after == before) & later)))

    @cached_property
    def span(self) -> tuple[int, int]:
        """The first and the last time."""
        return int(self.times.min()), int(self.times.max())


_ARRAYS = tuple(one.name for one in fields(_Rows) if one.name != "returned")


def load_orders(store: Store, *, as_of: datetime, known_at: datetime, currency: str) -> Orders:
    """Read the orders that count at as_of, as known at known_at; as the definitions cut them."""
    cut = _cut(store, as_of=as_of, known_at=known_at, currency=currency)
    room = _room([file.rows for file in store.manifest.of(ORDER_STATES)])
    files = zip(store.paths(ORDER_STATES), room, strict=True)
    parts = [
        rows for rows in side_by_side(lambda file: _read(*file, cut), files) if len(rows.customers)
    ]
    ids, code_of = _numbered([rows.customers for rows in parts])

    def block(rows: _Rows) -> Block:
        rows.customers[:] = code_of(rows.customers)
        columns = (rows.amounts, rows.margins, rows.is_ours, rows.is_costed)
        return Block(rows.customers, rows.times, *columns)

    are_months = _are_months(parts)
    blocks = list(side_by_side(block, parts))
    if not are_months:
        names = [one.name for one in fields(Block)]
        whole = [np.concatenate([getattr(b, name) for b in blocks]) for name in names]
        blocks = [Block(*part) for part in by_month(*whole)]
    found = [rows.returned for rows in parts if rows.returned is not None]
    refunds = _given_back(cut.refunds, found, code_of)
    has_costs = any(file.rows for file in store.manifest.of(COSTS))
    return Orders(ids, blocks, refunds, has_service_costs=has_costs)


def _room(sizes: list[int]) -> list[_Rows]:
    """Return room for the rows of each file, in one piece: much quicker than many small ones."""
    total = sum(sizes)
    customers, times, amounts, margins = (np.empty(total, dtype=np.int64) for _ in range(4))
    is_ours, is_costed = (np.empty(total, dtype=bool) for _ in range(2))
    whole = _Rows(customers, times, amounts, margins, is_ours, is_costed)
    edges = pairwise(accumulate(sizes, initial=0))
    return [_slice(whole, low, high) for low, high in edges]


def _slice(rows: _Rows, low: int, high: int) -> _Rows:
    return _Rows(*(getattr(rows, name)[low:high] for name in _ARRAYS))


def _cut(store: Store, *, as_of: datetime, known_at: datetime, currency: str) -> _Cut:
    import pyarrow as pa
    import pyarrow.compute as pc

    moment = pa.scalar(micros(known_at), pa.timestamp("us"))
    links = store.read(LINKS)
    links = links.filter(
        pc.and_(
            pc.less_equal(links.column("linked_at"), moment),
            pc.fill_null(pc.greater(links.column("until"), moment), True),
        )
    ).sort_by("record_id")
    refunds = None
    if REFUNDS in TABLES:
        refunds = store.read(REFUNDS)
        stands = pc.and_(
            pc.less_equal(refunds.column("recorded_at"), moment),
            pc.fill_null(pc.greater(refunds.column("taken_back_at"), moment), True),
        )
        until = pa.scalar(micros(as_of), pa.timestamp("us"))
        stands = pc.and_(stands, pc.less(refunds.column("refunded_at"), until))
        is_ours = pc.equal(refunds.column("currency").cast(pa.string()), currency)
        refunds = refunds.filter(pc.and_(stands, is_ours)).sort_by("refunded_at")
    if refunds is None or not refunds.num_rows:
        return _Cut(micros(as_of), micros(known_at), currency, links, None, None)
    returned = _Wanted(refunds.column("order_id").to_numpy())
    return _Cut(micros(as_of), micros(known_at), currency, links, refunds, returned)


def _read(path: Path, room: _Rows, cut: _Cut) -> _Rows:
    """Read a file into its room: a piece at a time, which stays in the processor's cache."""
    import pyarrow.parquet as pq

    size, returned = 0, []
    with pq.ParquetFile(path) as file:
        names = [*_COLUMNS, *(["order_id"] if cut.returned is not None else [])]
        if _may_have_other_states(file, cut.known_at):
            names += ["valid_from", "valid_until"]
        for piece in range(file.num_row_groups):
            table = file.read_row_group(piece, columns=names, use_threads=False)
            places = _counted(table, cut)
            rows = _slice(room, size, size + len(places))
            _take(table, places, rows, cut.currency)
            if cut.returned is not None:
                order_ids = _numbers(table.column("order_id"))[places]
                there = cut.returned.places_in(order_ids)
                returned.append((order_ids[there], rows.customers[there]))
            size += len(places)
    rows = _slice(room, 0, size)
    if returned:
        order_ids, customers = (np.concatenate(column) for column in zip(*returned, strict=True))
        rows.returned = order_ids, _persons(customers, cut.links)
    _put_persons(rows, cut.links)
    _ = rows.is_sorted, rows.span if size else None  # here, as others read meanwhile
    return rows


def _counted(table: Any, cut: _Cut) -> Ints:
    """Return the places of the orders that count."""
    times = _instants(table.column("ordered_at"))
    keep = (times < cut.as_of) & _is_valid(table.column("customer_id"))
    keep &= ~_is(table.column("status"), "cancelled")
    if "valid_from" in table.column_names:
        until = table.column("valid_until")
        keep &= _instants(table.column("valid_from")) <= cut.known_at
        keep &= ~_is_valid(until) | (_instants(until) > cut.known_at)
    return np.flatnonzero(keep)


def _take(table: Any, places: Ints, rows: _Rows, currency: str) -> None:
    """Put the orders at some places into their rows."""
    cost = table.column("cost")
    for values, out in (
        (_numbers(table.column("customer_id")), rows.customers),
        (_instants(table.column("ordered_at")), rows.times),
        (_numbers(table.column("amount")), rows.amounts),
        (_numbers(cost), rows.margins),
        (_is(table.column("currency"), currency), rows.is_ours),
        (_is_valid(cost), rows.is_costed),
    ):
        np.take(values, places, out=out, mode="clip")
    rows.is_costed &= rows.is_ours
    np.subtract(rows.amounts, rows.margins, out=rows.margins)
    if not rows.is_ours.all():
        rows.amounts *= rows.is_ours
    if not rows.is_costed.all():
        rows.margins *= rows.is_costed


def _may_have_other_states(file: Any, known_at: int) -> bool:
    """Whether some row might not be the state known then; the file's own statistics tell."""
    names = {name: at for at, name in enumerate(file.schema_arrow.names)}
    for at in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(at)
        until = group.column(names["valid_until"]).statistics
        since = group.column(names["valid_from"]).statistics
        if until is None or until.null_count != group.num_rows:
            return True
        if since is None or not since.has_min_max or since.max_raw > known_at:
            return True
    return False


def _put_persons(rows: _Rows, links: Any) -> None:
    """Put the person in the place of each record that was merged; what is sorted stays so."""
    if not links.num_rows or not len(rows.customers):
        return
    customers, times = rows.customers, rows.times
    if np.any(customers[1:] < customers[:-1]):
        customers[:] = _persons(customers, links)
        return
    records, persons = (links.column(name).to_numpy() for name in ("record_id", "person_id"))
    at, which = _places(customers, records)
    if not len(at):
        return
    beside, _which = _places(customers, np.unique(persons[which]))
    customers[at] = persons[which]
    touched = np.zeros(len(customers), dtype=bool)
    touched[at] = touched[beside] = True
    # Only these few are out of place.
    moved, rest = np.flatnonzero(touched), np.flatnonzero(~touched)
    moved = moved[np.lexsort((times[moved], customers[moved]))]
    order = np.insert(rest, np.searchsorted(customers[rest], customers[moved]), moved)
    for name in _ARRAYS:
        column = getattr(rows, name)
        column[:] = column[order]


def _persons(customers: Ints, links: Any) -> Ints:
    """Return whose each record is."""
    if not links.num_rows:
        return customers
    records, persons = (links.column(name).to_numpy() for name in ("record_id", "person_id"))
    place = np.minimum(np.searchsorted(records, customers), len(records) - 1)
    return np.where(records[place] == customers, persons[place], customers)


def _places(sorted_values: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """Return all places at which one of ``wanted`` stands, and which of them it is."""
    low = np.searchsorted(sorted_values, wanted, side="left")
    size = np.searchsorted(sorted_values, wanted, side="right") - low
    which = np.repeat(np.arange(len(wanted)), size)
    within = np.arange(len(which)) - np.repeat(np.cumsum(size) - size, size)
    return low[which] + within, which


def _numbered(parts: list[Ints]) -> tuple[Ints, Callable[[Ints], Ints]]:
    """Return all ids, sorted, and what turns ids into their places."""
    top = max((int(part.max()) for part in parts), default=0)
    low = min((int(part.min()) for part in parts), default=0)
    if low >= 0 and top <= 8 * sum(map(len, parts)) + 1_000:
        is_there = np.zeros(top + 1, dtype=bool)
        for part in parts:
            is_there[part] = True
        place = np.cumsum(is_there) - 1
        return np.flatnonzero(is_there), lambda ids: place[ids]
    ids = np.unique(np.concatenate([np.unique(part) for part in parts]))
    return ids, lambda some: np.searchsorted(ids, some)


def _are_months(parts: list[_Rows]) -> bool:
    """Whether each part is one local month, later than the one before, and sorted."""
    edge = None
    for rows in parts:
        first, last = rows.span
        if edge is not None and first < edge:
            return False
        edges = month_edges(first, last + 32 * 86_400_000_000)
        if last >= (edge := int(edges[0])) or not rows.is_sorted:
            return False
    return True


class _Wanted:
    """Which of many ids are wanted; where they lie close enough together, by a table."""

    def __init__(self, wanted: Ints) -> None:
        self._ids = np.unique(wanted)
        top = int(self._ids[-1])
        self._table: Flags | None = None
        if top <= 16 * len(wanted) + 100_000_000:
            self._table = np.zeros(top + 2, dtype=bool)
            self._table[self._ids] = True

    def places_in(self, values: Ints) -> Ints:
        """Return where in ``values`` a wanted one stands."""
        if self._table is None:
            return np.flatnonzero(np.isin(values, self._ids))
        return np.flatnonzero(self._table[np.minimum(values, len(self._table) - 1)])


def _given_back(
    refunds: Any, found: list[tuple[Ints, Ints]], code_of: Callable[[Ints], Ints]
) -> GivenBack:
    order_ids, persons = (
        (np.concatenate(column) for column in zip(*found, strict=True)) if found else ((), ())
    )
    if not len(order_ids):
        return GivenBack(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
    by_id = np.argsort(order_ids)
    order_ids, codes = order_ids[by_id], code_of(persons[by_id])
    wanted = refunds.column("order_id").to_numpy()
    place = np.minimum(np.searchsorted(order_ids, wanted), len(order_ids) - 1)
    is_there = order_ids[place] == wanted
    times = _instants(refunds.column("refunded_at"))
    amounts = _numbers(refunds.column("amount"))
    return GivenBack(codes[place[is_there]], times[is_there], amounts[is_there])


def events_of(rows: Any, ids: Ints) -> Events:
    """Return what a definition found. rows: ``customer_id, at, amount``, as far as it has them.

    ids: of the customers with orders, sorted.
    """
    nothing = np.broadcast_to(np.int64(0), rows.num_rows)  # takes no room
    order = None
    if "at" in rows.column_names:
        times = _instants(rows.column("at"))
        order = np.argsort(times)
        times = times[order]
    else:
        times = nothing

    def column(name: str) -> Ints:
        if name not in rows.column_names:
            return nothing
        values = _numbers(rows.column(name)).astype(np.int64, copy=False)
        return values if order is None else values[order]

    who = column("customer_id")
    return Events(who, _codes(who, ids), times, column("amount"))


def _codes(who: Ints, ids: Ints) -> NDArray[np.int32]:
    """Return the places of some in ``ids``, sorted; -1 of those who aren't there."""
    if not len(ids) or not len(who):
        return np.full(len(who), -1, dtype=np.int32)
    top = int(ids[-1])
    if top <= 8 * len(who) + 1_000:  # close enough together for a table
        table = np.full(top + 2, -1, dtype=np.int32)
        table[ids] = np.arange(len(ids), dtype=np.int32)
        return table[np.minimum(who, top + 1)]
    at = np.minimum(np.searchsorted(ids, who), len(ids) - 1).astype(np.int32)
    return np.where(ids[at] == who, at, np.int32(-1))


def _is_valid(column: Any) -> Flags:
    if not column.null_count:
        return np.ones(len(column), dtype=bool)
    found: Flags = column.is_valid().to_numpy()
    return found


def _numbers(column: Any) -> Ints:
    """Return whole numbers, 0 for null."""
    found: Ints = (column.fill_null(0) if column.null_count else column).to_numpy()
    return found


def _instants(column: Any) -> Ints:
    import pyarrow as pa

    return _numbers(column.cast(pa.int64()))


def _is(column: Any, word: str) -> Flags:
    """Return where a column of codes is ``word``."""
    found = [
        chunk.indices.fill_null(-2).to_numpy() == chunk.dictionary.index(word).as_py()
        for chunk in column.chunks
    ]
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)
