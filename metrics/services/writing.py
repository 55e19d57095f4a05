"""Writing many rows of a run, in transactions short enough not to hold up anybody."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, transaction

from common.money import to_units
from common.time import local_date
from metrics.figures import Figure
from metrics.models import MemberSet, RecomputeRun, Snapshot, SnapshotSet
from metrics.windows import Window

CHUNK_ROWS = 400
CHUNK_BYTES = 2_000_000
# Rows of one statement's worth of slices; an SQLite transaction of so many takes some 50 ms.
SLICED_ROWS = {"sqlite": 2_000, "postgresql": 20_000}

Item = TypeVar("Item")
Sets = list[tuple[str, int]]  # name → primary key of the members


class SetKeeper:
    """Keeps sets of customers, each once however many figures it stands behind."""

    def __init__(self) -> None:
        self._keys: dict[str, int] = {}

    def keep(self, sets: Iterable[Any]) -> list[int]:
        """Write the sets that are not there yet; the primary key of each, in their order.

        sets: sorted customer ids.
        """
        rows = [_member_set(ids) for ids in sets]
        new = {row.digest: row for row in rows if row.digest not in self._keys}
        for digests in chunks(list(new), CHUNK_ROWS):
            self._look_up(digests)
        missing = [row for digest, row in new.items() if digest not in self._keys]
        for some in _of_bytes(missing):
            MemberSet.objects.bulk_create(some)
        for digests in chunks([row.digest for row in missing], CHUNK_ROWS):
            self._look_up(digests)
        return [self._keys[row.digest] for row in rows]

    def _look_up(self, digests: list[str]) -> None:
        found = MemberSet.objects.filter(digest__in=digests)
        self._keys |= dict(found.values_list("digest", "pk"))


def _member_set(ids: Any) -> MemberSet:
    from array import array

    import numpy as np
    from pyroaring import BitMap

    wanted = np.asarray(ids, dtype=np.int64)
    bitmap = BitMap(array("I", wanted.astype("uint32").tobytes()))
    bitmap.run_optimize()
    members = bitmap.serialize()
    digest = hashlib.blake2b(members, digest_size=16).hexdigest()
    return MemberSet(digest=digest, size=len(wanted), members=members)


def _of_bytes(rows: list[MemberSet]) -> Iterator[list[MemberSet]]:
    """Cut rows into portions of so many bytes."""
    some: list[MemberSet] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row.members)
        if size > CHUNK_BYTES or len(some) == CHUNK_ROWS:
            yield some
            some, size = [], 0
    if some:
        yield some


def write_snapshots(run: RecomputeRun, figures: Iterable[tuple[Figure, Window, Sets]]) -> None:
    """Write figures of everybody, with the sets of people behind them."""
    for chunk in chunks(figures, CHUNK_ROWS):
        with transaction.atomic():
            rows = [_snapshot(run, figure, window) for figure, window, _sets in chunk]
            Snapshot.objects.bulk_create(rows)
            SnapshotSet.objects.bulk_create(
                SnapshotSet(snapshot=row, name=name, members_id=key)
                for row, (_figure, _window, sets) in zip(rows, chunk, strict=True)
                for name, key in sets
            )


def write_sliced(run: RecomputeRun, figures: Iterable[tuple[Figure, Window]]) -> int:
    """Write figures of slices, which have no sets; return how many there were."""
    count = 0
    for chunk in chunks(figures, SLICED_ROWS[connection.vendor]):
        lines = [_line(run, figure, window) for figure, window in chunk]
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {_TABLE} ({_COLUMNS}) FROM STDIN") as copy:
                    for line in lines:
                        copy.write_row(line)
            else:
                marks = ", ".join(["%s"] * len(_FIELDS))
                cursor.executemany(
                    f"INSERT INTO {_TABLE} ({_COLUMNS}) VALUES ({marks})",  # noqa: S608
                    [[_plain(value) for value in line] for line in lines],
                )
        count += len(lines)
    return count


_FIELDS = (
    "run_id",
    "kpi",
    "period",
    "unit",
    "dimension",
    "starts_on",
    "value",
    "numerator",
    "denominator",
    "low",
    "high",
    "is_complete",
    "flags",
    "definition_hash",
)
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_TABLE = f'"{Snapshot._meta.db_table}"'


def _line(run: RecomputeRun, figure: Figure, window: Window) -> list[Any]:
    row = _snapshot(run, figure, window)
    line = [getattr(row, name) for name in _FIELDS]
    line[_FIELDS.index("numerator")] = to_units(Decimal(figure.numerator))
    line[_FIELDS.index("flags")] = json.dumps(figure.flags)
    return line


def _plain(value: Any) -> Any:
    """A value as Django's fields write it into SQLite."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if hasattr(value, "isoformat") else value


def _snapshot(run: RecomputeRun, figure: Figure, window: Window) -> Snapshot:
    return Snapshot(
        run_id=run.pk,
        kpi=figure.kpi.key,
        period=figure.period,
        unit=figure.unit,
        dimension=figure.dimension,
        starts_on=local_date(window.start) if figure.period else None,
        value=figure.value,
        numerator=figure.numerator,
        denominator=_kept(figure.denominator),
        low=figure.low,
        high=figure.high,
        is_complete=figure.is_complete,
        flags=figure.flags,
        definition_hash=figure.kpi.definition_hash,
    )


def _kept(number: int | Decimal) -> int:
    """A denominator as it is kept: amounts in 1/10,000."""
    return to_units(number) if isinstance(number, Decimal) else number


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut into lists of ``size``, the last one shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
