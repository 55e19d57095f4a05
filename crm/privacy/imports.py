"""What imports changed about customers: exported and erased with them."""

from __future__ import annotations

from typing import Any

from crm.models import ImportChange

Rows = list[dict[str, Any]]


def export_changes(customer_ids: list[int]) -> Rows:
    """Return what imports changed: the table, what it held before and after."""
    changes = ImportChange.objects.filter(customer_id__in=customer_ids).order_by("id")
    return [dict(row) for row in changes.values("batch__ref", "table", "before", "after")]


def erase_changes(customer_ids: list[int]) -> int:
    """Delete them; the import can then be undone but for these rows."""
    return ImportChange.objects.filter(customer_id__in=customer_ids).delete()[0]
