"""Fields of the business's own: defining them, and setting a customer's values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.validators import clean_line, parse_boolean, parse_date, parse_decimal
from crm.models import Customer, CustomField, CustomFieldValue
from crm.selectors.custom_fields import Value, column_of, list_custom_fields, value_of
from crm.services.uniqueness import refusing_doubles

KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_FIELDS = 100
MOST_CHOICES = 100
MOST_TEXT = 255
NO_VALUES: dict[str, Any] = {"text": "", "number": None, "date": None, "boolean": None}


class KeyTaken(Conflict):
    """Another field has this key."""

    code = "key_taken"
    message = gettext_lazy("Another field has this key.")


class TooManyFields(Conflict):
    """Lists and forms stay usable only up to some number of fields."""

    code = "too_many_fields"
    message = gettext_lazy("There are a hundred fields already; archive one first.")


@transaction.atomic
def record_custom_field(
    *,
    key: str,
    label: str,
    kind: str,
    happened_at: datetime,
    actor: str,
    choices: Iterable[str] = (),
    position: int | None = None,
) -> CustomField:
    """Return a new field for every customer.

    key: its name in files and the API; a small letter, then small letters, digits, underscores.
    kind: cannot be changed later.  choices: for kind ``choice`` only.
    position: place among the fields; the last one by default.

    :raises KeyTaken: also by an archived one; nothing is written.
    :raises InvalidInput: a value can't be used; nothing is written.
    """
    if not KEY.fullmatch(key):
        raise InvalidInput(
            fields={"key": [_("Use small letters, digits and underscores, a letter first.")]}
        )
    if kind not in CustomField.Kind.values:
        raise InvalidInput(fields={"kind": [_("Unknown kind of field.")]})
    fields = {"label": _labelled(label), "choices": _chosen(kind, choices)}

    def refuse_taken() -> None:
        if CustomField.objects.filter(key=key).exists():
            raise KeyTaken(fields={"key": [str(KeyTaken.message)]})

    refuse_taken()
    present = list_custom_fields()
    if len(present) >= MOST_FIELDS:
        raise TooManyFields
    if position is None:
        position = max((one.position for one in present), default=0) + 1
    with refusing_doubles(refuse_taken):
        field = CustomField.objects.create(key=key, kind=kind, position=position, **fields)
    _record(field, "custom_field.recorded", happened_at=happened_at, actor=actor)
    return field


@transaction.atomic
def change_custom_field(
    *,
    field_id: int,
    label: str,
    happened_at: datetime,
    actor: str,
    choices: Iterable[str] = (),
    position: int = 0,
) -> CustomField:
    """Change a field's label, choices and place, and return it.

    Customers keep a value that is no choice any more until somebody gives them another.

    :raises InvalidInput: a value can't be used; nothing is written.
    """
    field = CustomField.objects.select_for_update().get(pk=field_id)
    wanted = {
        "label": _labelled(label),
        "choices": _chosen(field.kind, choices),
        "position": position,
    }
    changed = sorted(name for name, value in wanted.items() if getattr(field, name) != value)
    if changed:
        for name in changed:
            setattr(field, name, wanted[name])
        field.save(update_fields=changed)
        _record(field, "custom_field.changed", happened_at=happened_at, actor=actor)
    return field


@transaction.atomic
def archive_custom_field(*, field_id: int, happened_at: datetime, actor: str) -> CustomField:
    """Show a field nowhere any more; its values are kept. Again changes nothing."""
    field = CustomField.objects.select_for_update().get(pk=field_id)
    if field.archived_at is None:
        field.archived_at = happened_at
        field.save(update_fields=["archived_at"])
        _record(field, "custom_field.archived", happened_at=happened_at, actor=actor)
    return field


@transaction.atomic
def restore_custom_field(*, field_id: int, happened_at: datetime, actor: str) -> CustomField:
    """Bring an archived field back with its values. Again changes nothing."""
    field = CustomField.objects.select_for_update().get(pk=field_id)
    if field.archived_at is not None:
        field.archived_at = None
        field.save(update_fields=["archived_at"])
        _record(field, "custom_field.restored", happened_at=happened_at, actor=actor)
    return field


def clean_value(field: CustomField, raw: object) -> Value | None:
    """Return a value of the field's kind from text or an already typed value; None is no value.

    :raises ValidationError: it is not of this kind, or none of the choices.
    """
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None
    if field.kind == CustomField.Kind.NUMBER:
        return parse_decimal(raw)
    if field.kind == CustomField.Kind.DATE:
        return parse_date(raw)
    if field.kind == CustomField.Kind.BOOLEAN:
        return parse_boolean(raw)
    text = clean_line(raw, max_length=MOST_TEXT)
    if field.kind == CustomField.Kind.CHOICE and text not in field.choices:
        raise ValidationError(
            _("Enter one of: %(allowed)s.") % {"allowed": ", ".join(field.choices)}, code="choice"
        )
    return text


@transaction.atomic
def set_custom_values(
    *, customer_id: int, values: Mapping[str, object], happened_at: datetime, actor: str
) -> list[str]:
    """Set a customer's values by key; None or an empty text takes one away. Return what changed.

    A value that is there already may be said again even if it is no choice any more.

    :raises InvalidInput: unknown key, or not a value of the field's kind, by ``custom.<key>``;
        nothing is written.
    """
    if not values:
        return []
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    fields = {field.key: field for field in list_custom_fields()}
    rows = {
        row.field.key: row
        for row in CustomFieldValue.objects.filter(customer_id=customer_id).select_related("field")
    }
    before = {key: value_of(row) for key, row in rows.items()}
    wanted = _checked(values, fields, before)
    changed = sorted(key for key, value in wanted.items() if value != before.get(key))
    for key in changed:
        value, field = wanted[key], fields[key]
        if value is None:
            rows[key].delete()
            continue
        CustomFieldValue.objects.update_or_create(
            customer_id=customer_id,
            field=field,
            defaults=NO_VALUES | {column_of(field.kind): value},
        )
    if changed:
        record_event(
            kind="customer.changed",
            subject_kind="customer",
            subject_ref=customer.ref,
            customer_id=customer_id,
            occurred_at=happened_at,
            actor=actor,
            codes={"fields": [f"custom.{key}" for key in changed]},
            detail={
                f"custom.{key}": [_plain(before.get(key)), _plain(wanted[key])] for key in changed
            },
        )
    return changed


def _checked(
    values: Mapping[str, object],
    fields: Mapping[str, CustomField],
    before: Mapping[str, Value | None],
) -> dict[str, Value | None]:
    wanted: dict[str, Value | None] = {}
    wrong: dict[str, list[str]] = {}
    for key, raw in values.items():
        if key not in fields:
            wrong[f"custom.{key[:60]}"] = [_("There is no such field.")]
        elif isinstance(raw, str) and raw == before.get(key):
            wanted[key] = raw
        else:
            try:
                wanted[key] = clean_value(fields[key], raw)
            except ValidationError as error:
                wrong[f"custom.{key}"] = error.messages
    if wrong:
        raise InvalidInput(fields=wrong)
    return wanted


def _plain(value: Value | None) -> str | bool | None:
    if isinstance(value, Decimal | date):
        return str(value)
    return value


def _labelled(label: str) -> str:
    clean = clean_line(label, max_length=80)
    if not clean:
        raise InvalidInput(fields={"label": [_("Fill this in.")]})
    return clean


def _chosen(kind: str, choices: Iterable[str]) -> list[str]:
    cleaned = (clean_line(choice, max_length=MOST_TEXT) for choice in choices)
    clean = list(dict.fromkeys(choice for choice in cleaned if choice))
    if kind != CustomField.Kind.CHOICE:
        return []
    if not clean:
        raise InvalidInput(fields={"choices": [_("Give at least one choice.")]})
    if len(clean) > MOST_CHOICES:
        raise InvalidInput(fields={"choices": [_("At most a hundred choices are allowed.")]})
    return clean


def _record(field: CustomField, kind: str, *, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="custom_field",
        subject_ref=field.key,
        occurred_at=happened_at,
        actor=actor,
        codes={"kind": field.kind},
    )
