"""Which append-only rows may go when an import is undone; see ADR 0018.

The database lets a DELETE pass only for a row that an import made which is just being undone: its
trail says so. Whatever else wants to delete it is refused as ever.
"""

from __future__ import annotations

from django.db import models

from common.append_only import license_delete
from crm.models import ImportBatch

_UNDOING = f"batch.status = '{ImportBatch.Status.UNDOING.value}'"


def undoable(
    model: type[models.Model], *, parent: type[models.Model] | None = None, column: str = "id"
) -> None:
    """Let rows of an append-only table go with the import that made them.

    parent, column: let rows go with the row they belong to as well, the one ``column`` names.
    To be called while the apps get ready. Never for a ledger: what was booked is booked.
    """
    license_delete(model, _made(model, "id"))
    license_delete(model, _added(model))
    if parent:
        license_delete(model, _made(parent, column))


def _made(model: type[models.Model], column: str) -> str:
    """Condition: the row that ``column`` names was made by an import that is being undone.

    Ranges of a table don't overlap, so the last one that begins before the row is the only one.
    """
    return (
        "EXISTS (SELECT 1 FROM (SELECT batch_id, last_id FROM crm_importrange "  # noqa: S608
        f'WHERE "table" = \'{model._meta.label}\' AND first_id <= OLD."{column}" '
        "ORDER BY first_id DESC LIMIT 1) AS made "
        "JOIN crm_importbatch AS batch ON batch.id = made.batch_id "
        f'WHERE made.last_id >= OLD."{column}" AND {_UNDOING})'
    )


def _added(model: type[models.Model]) -> str:
    """Condition: an import that is being undone added the row to a record that was there."""
    return (
        "EXISTS (SELECT 1 FROM crm_importchange AS change "  # noqa: S608
        "JOIN crm_importbatch AS batch ON batch.id = change.batch_id "
        f'WHERE change."table" = \'{model._meta.label}\' AND change.object_id = OLD."id" '
        f"AND change.\"before\" = '{{}}' AND change.\"after\" = '{{}}' AND {_UNDOING})"
    )
