"""Columns of the own fields: ``custom.<key>``, or the key where no column has that name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from common.money import to_units
from common.validators import parse_decimal
from crm.imports import columns as read
from crm.imports.bulk import fetch_rows
from crm.imports.columns import Column, Stored
from crm.imports.mapping import Mapping
from crm.imports.scratch import Row
from crm.models import CustomField, CustomFieldValue
from crm.selectors.custom_fields import column_of, list_custom_fields
from crm.services.custom_fields import MOST_TEXT, clean_value

PREFIX = "custom."
HELD = ("text", "number", "date", "boolean")
NOTHING: dict[str, Any] = {"text": "", "number": None, "date": None, "boolean": None}
Present = dict[tuple[int, int], tuple[int, Stored]]
Change = tuple[int, int, Row, Row]  # row id, customer, cells before and after


class CustomColumns:
    """The own fields in use while a file is imported."""

    def __init__(self, mapping: Mapping) -> None:
        self.fields = list(list_custom_fields())
        self.columns = [
            Column(PREFIX + field.key, _parser(field, mapping)) for field in self.fields
        ]
        self.names = tuple(column.name for column in self.columns)

    def aliases(self, taken: Iterable[str]) -> dict[str, str]:
        """Return bare key → column, for keys that are no column's name."""
        others = set(taken)
        return {field.key: PREFIX + field.key for field in self.fields if field.key not in others}

    def present(self, customer_ids: list[int]) -> Present:
        """Return (customer, field) → row id and stored value, of customers that are there."""
        if not self.fields:
            return {}
        columns = {field.pk: column_of(field.kind) for field in self.fields}
        rows = fetch_rows(
            CustomFieldValue,
            ("id", "customer_id", "field_id", *HELD),
            where="customer_id",
            among=customer_ids,
        )
        found: Present = {}
        for row_id, customer_id, field_id, *held in rows:
            if field_id in columns:
                value = held[HELD.index(columns[field_id])]
                found[customer_id, field_id] = (
                    row_id,
                    int(value) if value is not None and columns[field_id] == "boolean" else value,
                )
        return found

    def changes(
        self,
        customer_id: int,
        values: Row,
        present: Present,
        *,
        takes: Callable[[str, Any], bool],
    ) -> tuple[list[Row], list[Change]]:
        """Return rows to insert and rows to update; an empty cell leaves what is there.

        values: as stored, in the order of :attr:`fields`.
        takes: whether the file's value of a column goes before the one held.
        """
        new: list[Row] = []
        changed: list[Change] = []
        for field, value in zip(self.fields, values, strict=True):
            if value is None:
                continue
            row_id, old = present.get((customer_id, field.pk), (0, None))
            if (row_id and old == value) or not takes(PREFIX + field.key, old):
                continue
            cells = _cells(field, value)
            if row_id:
                changed.append((row_id, customer_id, _cells(field, old), cells))
            else:
                new.append((customer_id, field.pk, *cells))
        return new, changed


def _cells(field: CustomField, value: Stored) -> Row:
    """Return a value as its row holds it, in the order of ``HELD``."""
    held: Any = value
    if field.kind == CustomField.Kind.BOOLEAN and value is not None:
        held = bool(value)
    cells = NOTHING | {column_of(field.kind): held}
    return tuple(cells[name] for name in HELD)


def _parser(field: CustomField, mapping: Mapping) -> Callable[[str], Stored]:
    if field.kind == CustomField.Kind.NUMBER:
        return lambda text: to_units(parse_decimal(mapping.number(text)))
    if field.kind == CustomField.Kind.DATE:
        return read.day(mapping)
    if field.kind == CustomField.Kind.BOOLEAN:
        return read.boolean
    if field.kind == CustomField.Kind.CHOICE:
        return lambda text: str(clean_value(field, text))
    return read.line(MOST_TEXT)
