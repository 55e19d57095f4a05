"""Writing many rows of a run, in transactions short enough not to hold up anybody."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, models, transaction

from common.money import to_units
from common.time import local_date
from metrics.figures import Figure
from metrics.kpis.base import Kpi
from metrics.models import MemberSet, RecomputeRun, Snapshot, SnapshotSet
from metrics.windows import Window

CHUNK_SETS = 400
CHUNK_BYTES = 2_000_000
# Rows of a transaction; on SQLite so many take some 30 ms.
CHUNK_ROWS = {"sqlite": 2_000, "postgresql": 20_000}

Item = TypeVar("Item")
Sets = list[tuple[str, int]]  # name and primary key of the members
Row = tuple[Figure, Window, Sets]


class SetKeeper:
    """Keeps sets of customers of a run, each once however many figures it stands behind."""

    def __init__(self) -> None:
        self._keys: dict[str, int] = {}
        self._digests: dict[bytes, str] = {}  # of sets that have a fingerprint

    def keep(self, sets: Iterable[Any]) -> list[int]:
        """Write the sets that are not there yet; the primary key of each, in their order.

        sets: sorted customer ids.
        """
        digests, new = [], {}
        for ids in sets:
            mark = getattr(ids, "fingerprint", None)
            digest = self._digests.get(mark, "") if mark else ""
            if not digest:
                row = _member_set(ids)
                digest = row.digest
                if digest not in self._keys:
                    new[digest] = row
                if mark:
                    self._digests[mark] = digest
            digests.append(digest)
        for some in chunks(list(new), CHUNK_SETS):
            self._look_up(some)
        missing = [row for digest, row in new.items() if digest not in self._keys]
        for rows in _of_bytes(missing):
            MemberSet.objects.bulk_create(rows)
        for some in chunks([row.digest for row in missing], CHUNK_SETS):
            self._look_up(some)
        return [self._keys[digest] for digest in digests]

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
        if size > CHUNK_BYTES or len(some) == CHUNK_SETS:
            yield some
            some, size = [], 0
    if some:
        yield some


def write_snapshots(
    run: RecomputeRun, kpi: Kpi, figures: Iterable[Row], *, dimension: str = ""
) -> int:
    """Write one figure's windows, with the sets of people behind them; return how many.

    dimension: that of all of these figures.
    """
    rows = list(figures)
    for chunk in chunks(rows, CHUNK_ROWS[connection.vendor]):
        with transaction.atomic():
            _insert(Snapshot, _FIELDS, [_line(run, figure, window) for figure, window, _s in chunk])
            names = [figure.period for figure, _window, _sets in chunk]
            found = Snapshot.objects.filter(
                run=run, kpi=kpi.key, dimension=dimension, period__in=names
            )
            keys = dict(found.values_list("period", "pk"))
            links = [
                [keys[figure.period], name, key]
                for figure, _window, sets in chunk
                for name, key in sets
            ]
            _insert(SnapshotSet, ("snapshot_id", "name", "members_id"), links)
    return len(rows)


def write_sliced(run: RecomputeRun, figures: Iterable[tuple[Figure, Window]]) -> int:
    """Write figures of slices, which have no sets; return how many there were."""
    count = 0
    for chunk in chunks(figures, CHUNK_ROWS[connection.vendor]):
        with transaction.atomic():
            _insert(Snapshot, _FIELDS, [_line(run, figure, window) for figure, window in chunk])
        count += len(chunk)
    return count


def _insert(model: type[models.Model], fields: Sequence[str], lines: list[list[Any]]) -> None:
    """Write rows as the database likes it best. lines: values by column, as it takes them."""
    if not lines:
        return
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(name) for name in fields)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for line in lines:
                    copy.write_row(line)
        else:
            marks = ", ".join(["%s"] * len(fields))
            cursor.executemany(
                f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
                [[_plain(value) for value in line] for line in lines],
            )


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


def _line(run: RecomputeRun, figure: Figure, window: Window) -> list[Any]:
    return [
        run.pk,
        figure.kpi.key,
        figure.period,
        figure.unit,
        figure.dimension,
        local_date(window.start) if figure.period else None,
        figure.value,
        to_units(Decimal(figure.numerator)),
        _kept(figure.denominator),
        figure.low,
        figure.high,
        figure.is_complete,
        json.dumps(figure.flags),
        figure.kpi.definition_hash,
    ]


def _plain(value: Any) -> Any:
    """A value as Django's fields write it into SQLite."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if hasattr(value, "isoformat") else value


def _kept(number: int | Decimal) -> int:
    """A denominator as it is kept: amounts in 1/10,000."""
    return to_units(number) if isinstance(number, Decimal) else number


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut into lists of ``size``, the last one shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
