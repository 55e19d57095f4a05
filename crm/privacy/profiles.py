"""Notes, fields of the business's own and files beside customers: exported, erased."""

from __future__ import annotations

from typing import Any

from crm.models import CustomFieldValue, Note
from crm.selectors.custom_fields import value_of

Rows = list[dict[str, Any]]


def export_notes(customer_ids: list[int]) -> Rows:
    """What was noted, archived notes included."""
    notes = Note.objects.filter(customer_id__in=customer_ids).order_by("occurred_at", "pk")
    return [dict(row) for row in notes.values("kind", "text", "occurred_at", "archived_at")]


def erase_notes(customer_ids: list[int]) -> int:
    """Forget the notes; that they were written stays in the event log."""
    return Note.objects.filter(customer_id__in=customer_ids).delete()[0]


def export_custom_values(customer_ids: list[int]) -> Rows:
    """Values of the business's own fields, of archived ones too."""
    rows = CustomFieldValue.objects.filter(customer_id__in=customer_ids).select_related("field")
    return [
        {"key": row.field.key, "label": row.field.label, "value": _plain(value_of(row))}
        for row in rows.order_by("pk")
    ]


def erase_custom_values(customer_ids: list[int]) -> int:
    """Forget them; nobody knows what the business put there."""
    return CustomFieldValue.objects.filter(customer_id__in=customer_ids).delete()[0]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | str) else str(value)
