"""Fields of the business's own, and customers' values of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import QuerySet

from common.errors import NotFound
from crm.models import CustomField, CustomFieldValue

Value = str | Decimal | date | bool


@dataclass(frozen=True, slots=True)
class OwnValue:
    """A customer's value of one field."""

    field: CustomField
    value: Value


def list_custom_fields(*, with_archived: bool = False) -> QuerySet[CustomField]:
    """Return the fields in the order in which forms and pages show them; there are few."""
    fields = CustomField.objects.order_by("position", "id")
    return fields if with_archived else fields.filter(archived_at__isnull=True)


def get_custom_field(key: str) -> CustomField:
    """Return the field with this key, archived ones included.

    :raises NotFound: there is none.
    """
    field = CustomField.objects.filter(key=key).first()
    if field is None:
        raise NotFound
    return field


def value_of(row: CustomFieldValue) -> Value | None:
    """Return what a row holds, from the column of its field's kind; no query if field is there."""
    held: Value | None = getattr(row, column_of(row.field.kind))
    return None if held == "" else held


def column_of(kind: str) -> str:
    """Return the name of the column that holds values of this kind."""
    return "text" if kind == CustomField.Kind.CHOICE else kind


def custom_values(customer_ids: Collection[int]) -> dict[int, list[OwnValue]]:
    """Return customer id → values of fields in use, in their order; one query."""
    found: dict[int, list[OwnValue]] = {customer_id: [] for customer_id in customer_ids}
    rows = (
        CustomFieldValue.objects.filter(customer_id__in=found, field__archived_at__isnull=True)
        .select_related("field")
        .order_by("field__position", "field_id")
    )
    for row in rows:
        if (value := value_of(row)) is not None:
            found[row.customer_id].append(OwnValue(row.field, value))
    return found


def custom_values_of(records: list[int]) -> list[OwnValue]:
    """Return a person's values: their own record's, else what their other records say; one query.

    records: ids, the person's own first.
    """
    by_field: dict[int, OwnValue] = {}
    found = custom_values(records)
    for record_id in records:
        for own in found[record_id]:
            by_field.setdefault(own.field.pk, own)
    return sorted(by_field.values(), key=lambda own: (own.field.position, own.field.pk))
