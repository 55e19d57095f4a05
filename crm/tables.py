"""Rows of the lists: a page of records with what is shown beside each, in a few queries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.templatetags.keepwell import local_filter, money_filter, number_filter
from crm.models import Customer, CustomField
from crm.roles import reads_texts, sees_contacts
from crm.selectors.contacts import Contact, contacts_of
from crm.selectors.custom_fields import custom_values
from crm.selectors.tags import tags_of_each

OWN = "own_"  # begins the key of a column of the business's own


@dataclass(frozen=True, slots=True)
class Column:
    """A column somebody may choose. sort: what its head sorts by; kind: how cells are drawn."""

    key: str
    label: str | Promise
    kind: str = "text"
    sort: str = ""
    is_number: bool = False


CUSTOMER_COLUMNS = [
    Column("stage", _("Stage"), "stage"),
    Column("contact", _("Contact"), "contact"),
    Column("location", _("Shop")),
    Column("orders", _("Purchases"), "number", is_number=True),
    Column("revenue", _("Bought for"), "money", "value", is_number=True),
    Column("last_order_at", _("Last purchase"), "date", is_number=True),
    Column("last_seen_at", _("Last seen"), "date", "seen", is_number=True),
    Column("tags", _("Tags"), "tags"),
    Column("country", _("Country")),
    Column("city", _("City")),
    Column("language", _("Language")),
    Column("source", _("Source")),
    Column("industry", _("Industry")),
    Column("acquired_at", _("Acquired"), "date", is_number=True),
    Column("external_id", _("Number")),
]
USUAL_COLUMNS = ("stage", "contact", "location", "orders", "revenue", "last_seen_at")
FIGURES = ("orders", "revenue", "last_order_at", "last_seen_at")


STAGE_COLOURS = {
    Customer.Stage.LOYAL: "green",
    Customer.Stage.WON_BACK: "green",
    Customer.Stage.FIRST: "azure",
    Customer.Stage.REPEAT: "azure",
    Customer.Stage.AT_RISK: "orange",
}


def stage_badge(stage: str) -> str:
    """Return where a customer stands on the journey, as the lists show it."""
    return format_html(
        '<span class="badge bg-{}-lt">{}</span>',
        STAGE_COLOURS.get(Customer.Stage(stage), "secondary"),
        Customer.Stage(stage).label,
    )


def contact_lines(contact: Contact) -> str:
    """Return number and address, one under the other."""
    phone = format_html('<div class="tabular text-nowrap">{}</div>', contact.phone)
    email = format_html('<div class="text-secondary small">{}</div>', contact.email)
    return (phone if contact.phone else SafeString()) + (email if contact.email else SafeString())


DRAWN: dict[str, Callable[[Any], str]] = {
    "stage": stage_badge,
    "contact": contact_lines,
    "money": money_filter,
    "number": number_filter,
    "date": partial(local_filter, style="date"),
    "boolean": lambda value: gettext("Yes") if value else gettext("No"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one column of a row."""

    column: Column
    value: Any

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known; zero is something."""
        return self.value is None or self.value in ("", [])

    @property
    def css(self) -> str:
        """Classes of the cell."""
        number = "text-md-end text-nowrap tabular" if self.column.is_number else ""
        return f"{number} cell-empty".strip() if self.is_empty else number

    @property
    def shown(self) -> str:
        """The value as the reader's language writes it; three hundred of a page are quick so."""
        if draw := DRAWN.get(self.column.kind):
            return draw(self.value)
        return str(self.value)


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer in a list, with the cells of the chosen columns."""

    customer: Customer
    cells: list[Cell]


def customer_columns(own_fields: Sequence[CustomField], user: Any) -> list[Column]:
    """Return the columns this user may choose; words in fields of one's own are personal."""
    kinds = {"number": "number", "date": "date", "boolean": "boolean"}
    return CUSTOMER_COLUMNS + [
        Column(
            f"{OWN}{field.key}",
            field.label,
            kinds.get(field.kind, "text"),
            is_number=field.kind in ("number", "date"),
        )
        for field in own_fields
        if field.kind != CustomField.Kind.TEXT or reads_texts(user)
    ]


def chosen_columns(columns: Sequence[Column], keys: Collection[str]) -> list[Column]:
    """Return the columns with these keys in their usual order; the usual ones without keys."""
    wanted = set(keys) & {column.key for column in columns} or set(USUAL_COLUMNS)
    # Each label stands beside every row on a phone: translated once.
    return [replace(column, label=str(column.label)) for column in columns if column.key in wanted]


def customer_rows(
    customers: Sequence[Customer], columns: Sequence[Column], user: Any
) -> list[CustomerRow]:
    """Return a row per customer (with figures and shop read); at most one query per three kinds.

    Contacts, tags and fields of one's own are read where a column shows them; contacts are masked
    as the user's role demands.
    """
    ids = [customer.pk for customer in customers]
    shown = {column.key for column in columns}
    beside: dict[str, dict[int, Any]] = {}
    if ids and "contact" in shown:
        contacts = contacts_of(ids)
        beside["contact"] = {pk: shown_contact(one, user) for pk, one in contacts.items()}
    if ids and "tags" in shown:
        beside["tags"] = dict(tags_of_each(ids))
    if ids and any(key.startswith(OWN) for key in shown):
        for pk, values in custom_values(ids).items():
            for own in values:
                beside.setdefault(f"{OWN}{own.field.key}", {})[pk] = own.value
    return [
        CustomerRow(
            customer, [Cell(column, _value(customer, column.key, beside)) for column in columns]
        )
        for customer in customers
    ]


def shown_contact(contact: Contact, user: Any) -> Contact:
    """Return the contact as this user may see it."""
    return contact if sees_contacts(user) else contact.masked()


def plain_number(value: Decimal) -> Decimal:
    """Return a number without zeros behind the point."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def _value(customer: Customer, key: str, beside: dict[str, dict[int, Any]]) -> Any:
    if key in FIGURES:
        return getattr(customer.figures, key)
    if key in ("contact", "tags") or key.startswith(OWN):
        value = beside.get(key, {}).get(customer.pk)
        # Somebody's shoe size is 42, not 42.00.
        return plain_number(value) if isinstance(value, Decimal) else value
    return getattr(customer, key)
