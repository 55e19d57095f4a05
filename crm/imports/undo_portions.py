"""Undoing a portion of an import, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import Any

from django.db import connection

from common.services import SYSTEM
from crm.imports.bulk import MOST_PARAMETERS, fetch_rows, insert_rows, portions, update_rows
from crm.imports.customer_rows import known_customers, write_terms
from crm.imports.undo_queries import (
    Batch,
    chains_of,
    from_span,
    part_chains_of,
    root_column,
)
from crm.imports.undoing import (
    Model,
    Reversal,
    has_column,
    is_shared,
    model_of,
    references_to,
    refreshes,
    reversal_of,
)
from crm.models import ImportBatch, ImportChange, ImportRange
from crm.selectors.import_undo import altered
from crm.services.contacts import search_terms
from crm.services.customer_figures import refresh_consents, refresh_figures

FOUND_BY = {"crm.Customer", "crm.ContactPoint"}  # what search terms are made of
ADDED, REMOVED, CHANGED = "added", "removed", "changed"


def restore_changes(batch: ImportBatch, most: int) -> int | None:
    """Restore the last ``most`` changes noted; return how many rows had to be left as they are.

    None where no change is left. Restored backwards: what was added goes before what gave way to
    it takes its place again. Search terms, totals and consents of the customers follow.
    """
    changes = list(ImportChange.objects.filter(batch=batch).order_by("-id")[:most])
    if not changes:
        return None
    left = 0
    for (label, done, _names), run in groupby(changes, key=_manner):
        left += _restore(batch, model_of(label), done, list(run))
    customers = {change.customer_id for change in changes}
    customers |= {held.get("customer_id") for one in changes for held in (one.before, one.after)}
    found_by = {
        change.customer_id for change in changes if change.customer_id and change.table in FOUND_BY
    }
    _refresh(customers - {None}, found_by)
    ImportChange.objects.filter(pk__in=[change.pk for change in changes]).delete()
    return left


def _manner(change: ImportChange) -> tuple[str, str, tuple[str, ...]]:
    """What has to be done for a change; those that follow each other are done as one."""
    if change.after:
        return change.table, CHANGED, tuple(change.after)
    return change.table, REMOVED if change.before else ADDED, tuple(change.before)


def _restore(batch: ImportBatch, model: Model, done: str, changes: list[ImportChange]) -> int:
    if done == ADDED:
        return _take_out(batch, model, [change.object_id for change in changes])
    names = list(changes[0].before)
    rows = [([change.before[name] for name in names], change.object_id) for change in changes]
    if done == REMOVED:
        insert_rows(model, ("id", *names), [(row_id, *values) for values, row_id in rows])
        return 0
    away = altered(changes, lock=True)
    kept = {change.object_id for change in changes if change.pk in away}
    # Of a row that was changed several times the first change counts, the last one here.
    restored = {row_id: (*values, row_id) for values, row_id in rows if row_id not in kept}
    update_rows(model, names, list(restored.values()))
    return len(kept)


def take_out_made(batch: ImportBatch, most: int) -> int | None:
    """Delete the last ``most`` rows of a table that the import made, and what belongs to them.

    Returns how many had to stay because somebody refers to them; None where no range is left.
    """
    own = Batch(batch.pk)
    if not own.made:
        return None
    label = _last_of_all(own.made)
    ranges = ImportRange.objects.filter(batch=batch, table=label)
    span = ranges.order_by("-first_id")[0]
    first_id = max(span.first_id, span.last_id - most + 1)
    ids = range(first_id, span.last_id + 1)
    if reversal := reversal_of(label):
        left = _reverse(batch, reversal, ids)
    else:
        left = _take_out(batch, model_of(label), ids)
    if first_id == span.first_id:
        span.delete()
    else:
        ranges.filter(pk=span.pk).update(last_id=first_id - 1)
    return left


def _reverse(batch: ImportBatch, reversal: Reversal, ids: Collection[int]) -> int:
    """Take rows back that are never deleted; return how many stay as they are."""
    used = set(reversal.used(ids))
    actor = str(batch.checked.get("undone_by", SYSTEM))
    reversal.take_back([row_id for row_id in ids if row_id not in used], actor)
    return len(used)


def _last_of_all(labels: Iterable[str]) -> str:
    """Return the table that none of the others refers to."""
    rest = sorted(labels)
    for label in rest:
        users = {one.model._meta.label for one in references_to(model_of(label))}
        if not users & (set(rest) - {label}):
            return label
    return rest[0]  # tables that refer to each other: either will do, or the database says no


def _take_out(batch: ImportBatch, model: Model, ids: Collection[int]) -> int:
    """Delete rows and what belongs to them; return how many stay because they are referred to."""
    present = [row_id for (row_id,) in fetch_rows(model, ("id",), where="id", among=ids, lock=True)]
    if not present:
        return 0
    used = _used(batch, model, present)
    gone = [row_id for row_id in present if row_id not in used]
    customers: set[int] = set()
    if has_column(model, "customer_id"):
        rows = fetch_rows(model, ("customer_id",), where="id", among=gone)
        customers = {customer_id for (customer_id,) in rows if customer_id}
    for some in portions(gone, MOST_PARAMETERS):
        _delete(model, some)
    if model._meta.label not in FOUND_BY:
        _refresh(customers, set())
    return 0 if is_shared(model._meta.label) else len(used)


def _used(batch: ImportBatch, model: Model, ids: list[int]) -> set[int]:
    """Return those of the rows that others refer to, but for the import's own."""
    own = Batch(batch.pk)
    found: set[int] = set()
    questions = []
    for chain in chains_of(model):
        mine = own.is_own(chain[-1], "last")
        span = from_span(ids[0], ids[-1], chain)
        questions.append(f"SELECT {root_column(chain)} {span} AND NOT ({mine})")
    if questions:
        with connection.cursor() as cursor:
            cursor.execute(" UNION ".join(questions))
            found = {row[0] for row in cursor.fetchall()}
    return found


def _delete(model: Model, ids: list[int]) -> None:
    """Delete rows, and before them everything that belongs to them."""
    quote = connection.ops.quote_name
    places = ", ".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        for chain in part_chains_of(model):
            among = places
            for part in chain[:-1]:
                among = (
                    f"SELECT {quote(part.key)} FROM {quote(part.table)} "  # noqa: S608
                    f"WHERE {quote(part.column)} IN ({among})"
                )
            last = chain[-1]
            cursor.execute(
                f"DELETE FROM {quote(last.table)} WHERE {quote(last.column)} IN ({among})",  # noqa: S608
                ids,
            )
        cursor.execute(
            f"DELETE FROM {quote(model._meta.db_table)} WHERE id IN ({places})",  # noqa: S608
            ids,
        )


def _refresh(customers: set[Any], found_by: set[int]) -> None:
    """Compute anew what follows from customers' rows."""
    if found_by:
        known = known_customers("id", sorted(found_by))
        write_terms(
            {
                customer.id: search_terms(
                    name=customer.plain[0],
                    contacts=customer.contacts,
                    external_id=customer.external_id,
                )
                for customer in known.values()
            },
            found_by,
        )
    if customers:
        ids = sorted(customers)
        refresh_figures(ids)
        refresh_consents(ids)
        for refresh in refreshes:
            refresh(ids)
