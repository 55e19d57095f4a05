"""A row in every table about a customer, with a marker in every text that is not a code."""

from __future__ import annotations

from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models

from common.append_only import append_only_tables
from crm.models import Customer
from loyalty.models import Membership
from tests.architecture.test_personal_data import about_customers
from tests.cast import NOON

MARKER = "zqxj"
# Texts that hold ids and codes; everything else in a table about customers must be erased.
CODES = {
    "ref", "actor", "source_key", "trigger_key", "trigger", "state", "status", "kind", "channel",
    "purpose", "currency", "created_by", "finished_by", "started_by", "ended_by", "undone_by",
    "decided_by", "subject_kind", "subject_ref", "evidence_kind", "evidence_ref", "origin",
    "content_type", "sha256", "file", "message_id", "address_hash", "claim", "occasion", "digest",
    "rule_key", "arm", "number", "password", "role", "entry", "stage", "text_version",
    "external_id", "thread", "source", "request_hash", "key",
}  # fmt: skip
# Texts of some tables that are codes there, or stay by design, and why.
KEPT = {
    "crm.Customer.country": "past figures by country",
    "crm.Customer.industry": "past figures by industry",
    "crm.DuplicatePair.reasons": "codes",
    "mailing.Message.reason": "a code",
    "mailing.DeliveryAttempt.reason": "a code",
    "outreach.Enrolment.reason": "a code",
}


def label(field: models.Field[Any, Any]) -> str:
    return f"{field.model._meta.label}.{field.name}"


def texts_of(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    """Columns of free text: no codes, no choices, long enough for a marker."""
    if model._meta.db_table in append_only_tables():
        return []
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField | models.JSONField)
        and field.name not in CODES
        and label(field) not in KEPT
        and not field.choices
        and (field.max_length is None or field.max_length >= 9)
    ]


class Filler:
    """Makes one row per table for a customer, and marks its texts."""

    def __init__(self, customer: Customer, other: Customer) -> None:
        self.customer, self.other = customer, other
        self.numbers = count(1)
        self.rows: dict[type[models.Model], models.Model] = {Customer: customer}
        self.marked: dict[str, str] = {}

    def fill(self) -> list[str]:
        """Make and mark everything; return the labels of the tables with marks."""
        wanted = sorted(about_customers() | {"common.ChangeDetail"})
        for name in wanted:
            self.row(apps.get_model(name))
        for name in wanted:
            self.mark(apps.get_model(name))
        return sorted({label.rpartition(".")[0] for label in self.marked.values()})

    def row(self, model: type[models.Model]) -> models.Model:
        """Return the row of a table, made if need be."""
        if model in self.rows:
            return self.rows[model]
        if model._meta.label == "accounts.User":
            made = self.customer.user
            assert made is not None
        else:
            values = {
                field.name: self.value(field)
                for field in model._meta.concrete_fields
                if not self.is_left(field)
            }
            made = self.present(model, values) or model._base_manager.create(
                **values | self.special(model)
            )
        self.rows[model] = made
        return made

    def present(self, model: type[models.Model], values: dict[str, Any]) -> models.Model | None:
        """A row that is there already where there can be one only."""
        for field in model._meta.concrete_fields:
            if isinstance(field, models.OneToOneField) and field.name in values:
                found = model._base_manager.filter(**{field.name: values[field.name]}).first()
                if found:
                    return found
        return None

    def is_left(self, field: models.Field[Any, Any]) -> bool:
        if isinstance(field, models.AutoField):
            return True
        if field.is_relation:
            about = field.related_model in {apps.get_model(name) for name in about_customers()}
            is_own = field.related_model is field.model  # a chain of its own kind
            return is_own or (field.null and not (about and field.related_model is not None
                              and field.related_model._meta.label != "accounts.User"))  # fmt: skip
        return field.null or field.has_default()

    def value(self, field: models.Field[Any, Any]) -> Any:
        if field.is_relation:
            related = field.related_model
            if related is Customer:
                return self.other if field.name in ("person", "second") else self.customer
            assert isinstance(related, type)
            return self.row(related)
        if field.choices:
            return field.choices[0][0]
        if isinstance(field, models.DateTimeField):
            return NOON
        if isinstance(field, models.DateField):
            return date(2026, 3, 2)
        if isinstance(field, models.BooleanField):
            return False
        if isinstance(field, models.BinaryField):
            return b""
        if isinstance(field, models.JSONField):
            return {}
        if isinstance(field, models.CharField | models.TextField):
            return f"v{next(self.numbers)}"[: field.max_length or 20]
        return 1

    def special(self, model: type[models.Model]) -> dict[str, Any]:
        """Values that constraints ask for."""
        return {
            "common.Event": {"customer_id": self.customer.pk},
            "crm.Interaction": {"direction": "inbound"},
            "loyalty.Adjustment": {"transaction": None},  # it waits for approval
            "loyalty.Hold": {"transaction": None},  # it is open
            "mailing.Message": {"task": None},  # that would be a reminder for a colleague
            "crm.Attachment": {"file": self.file()}
            if model._meta.label == "crm.Attachment"
            else {},
            "loyalty.Referral": {"friend": self.friend()}
            if model._meta.label == "loyalty.Referral"
            else {},
        }.get(model._meta.label, {})

    def friend(self) -> models.Model:
        """The other customer as a member, brought by this one."""
        return Membership.objects.create(
            programme=self.rows[Membership].programme,  # type: ignore[attr-defined]
            customer=self.other,
            joined_at=NOON,
            recorded_at=NOON,
        )

    def file(self) -> str:
        """A real file on disk with a marker in it."""
        name = "attachments/zz/zztest"
        path = Path(settings.MEDIA_ROOT) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{MARKER}file")
        return name

    def mark(self, model: type[models.Model]) -> None:
        """Write a marker of its own into every text."""
        made = self.rows[model]
        marks: dict[str, Any] = {}
        for field in texts_of(model):
            mark = f"{MARKER}{next(self.numbers):04}"
            self.marked[mark] = label(field)
            marks[field.name] = {"words": [mark]} if isinstance(field, models.JSONField) else mark
        if marks:
            model._base_manager.filter(pk=made.pk).update(**marks)


def dump() -> str:
    """The whole database as text."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        return "\n".join(connection.connection.iterdump())
    parts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            with cursor.cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
                parts += [f"{table}: {bytes(row).decode()}" for row in copy]
    return "\n".join(parts)


def lines_with(words: list[str], text: str) -> list[str]:
    """Lines of a dump in which one of the words stands, in any case and as JSON escapes it."""
    return [
        line[:300]
        for line in text.split("\n")
        if any(word.casefold() in line.casefold() for word in words)
    ]
