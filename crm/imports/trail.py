"""What an import made and changed, so that the whole of it can be undone.

Rows made are kept as ranges of database ids, rows changed with what they held before and after.
Rows that belong to a new record (its contacts, lines, search terms) are not noted: they go with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import models

from crm.models import ImportBatch, ImportChange, ImportRange


class Trail:
    """Gathers what one portion of an import did; written in the portion's transaction."""

    def __init__(self) -> None:
        self._made: dict[str, list[int]] = {}
        self._changes: list[ImportChange] = []

    def made(self, model: type[models.Model], ids: Iterable[int]) -> None:
        """Note rows that stand by themselves and are new."""
        self._made.setdefault(model._meta.label, []).extend(ids)

    def added(
        self, model: type[models.Model], row_id: int, *, customer_id: int | None = None
    ) -> None:
        """Note a row that was added to a record that was there already."""
        self.changed(model, row_id, before={}, after={}, customer_id=customer_id)

    def removed(
        self,
        model: type[models.Model],
        row_id: int,
        *,
        before: Mapping[str, Any],
        customer_id: int | None = None,
    ) -> None:
        """Note a row that was taken out of a record. before: all its columns but the id."""
        self.changed(model, row_id, before=before, after={}, customer_id=customer_id)

    def compared(
        self,
        model: type[models.Model],
        row_id: int,
        names: Sequence[str],
        held: Sequence[Any],
        wanted: Sequence[Any],
        *,
        customer_id: int | None = None,
    ) -> None:
        """Note those columns that differ between what a row held and what it holds from now on."""
        differ = [place for place in range(len(names)) if held[place] != wanted[place]]
        if differ:
            self.changed(
                model,
                row_id,
                before={names[place]: held[place] for place in differ},
                after={names[place]: wanted[place] for place in differ},
                customer_id=customer_id,
            )

    def changed(
        self,
        model: type[models.Model],
        row_id: int,
        *,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        customer_id: int | None = None,
    ) -> None:
        """Note columns of a row as stored, before and after; only those that differ.

        Columns bear the names they have in the table (``customer_id``), values what
        :func:`crm.imports.bulk.fetch_rows` returns: instants as text, money in 1/10,000.
        customer_id: whose data they are, so that erasure takes them along.
        """
        self._changes.append(
            ImportChange(
                table=model._meta.label,
                object_id=row_id,
                customer_id=customer_id,
                before=dict(before),
                after=dict(after),
            )
        )

    def write(self, batch: ImportBatch) -> None:
        """Write what was noted, and begin anew."""
        ImportRange.objects.bulk_create(
            ImportRange(batch=batch, table=table, first_id=first, last_id=last)
            for table, ids in self._made.items()
            for first, last in id_ranges(ids)
        )
        for change in self._changes:
            change.batch = batch
        ImportChange.objects.bulk_create(self._changes, batch_size=500)
        self.forget()

    def forget(self) -> None:
        """Let go of what was noted: a portion that is tried again, or a dry run."""
        self._made, self._changes = {}, []


def id_ranges(ids: Iterable[int]) -> list[tuple[int, int]]:
    """Return the ids as (first, last) of runs without gaps, in order."""
    found: list[tuple[int, int]] = []
    for one in sorted(ids):
        if found and one == found[-1][1] + 1:
            found[-1] = (found[-1][0], one)
        else:
            found.append((one, one))
    return found
