"""Customers as a file: the columns that the list shows, or every column an import knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from common.exports import Asked, Export, portions, register_export
from crm.exports.names import id_of, shop_code
from crm.exports.roles import LISTS
from crm.models import ConsentState, Customer
from crm.roles import sees_contacts
from crm.selectors.contacts import contacts_of
from crm.selectors.custom_fields import custom_values
from crm.selectors.customer_filters import (
    CustomerFilters,
    filter_customers,
    ids_of_refs,
    order_of,
)
from crm.selectors.tags import tags_of_each

# A column of the list → the columns of the file. Who it is stands in every file.
ALWAYS = ("external_id", "ref", "name")
FILE_COLUMNS: dict[str, tuple[str, ...]] = {
    "stage": ("stage",),
    "contact": ("email", "phone"),
    "location": ("location",),
    "orders": ("orders",),
    "revenue": ("revenue",),
    "last_order_at": ("last_order_at",),
    "last_seen_at": ("last_seen_at",),
    "tags": ("tags",),
    "country": ("country",),
    "city": ("city",),
    "language": ("language",),
    "source": ("source",),
    "industry": ("industry",),
    "acquired_at": ("acquired_at",),
    "external_id": (),
}
FIGURES = ("orders", "revenue", "last_order_at", "last_seen_at")
OWN, OWN_IN_FILES = "own_", "custom."
CONSENT = "marketing_consent"
WITH_EVERYTHING = ("acquisition_cost",)
PERSONAL = ("birth_date",)  # for who sees how to reach somebody


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("customers", roles=LISTS, open=open_customers)


def open_customers(asked: Asked) -> Export:
    """Customers as the list shows them; of the ticked ones only those, if any are ticked."""
    from crm.views.customer_list import asked_list  # which shows the same list on a page

    form, columns, shown = asked_list(asked.request, asked.query)
    names = file_columns(column.key for column in (columns if asked.everything else shown))
    sees = sees_contacts(asked.user)
    if asked.everything:
        names += [*WITH_EVERYTHING, *(PERSONAL if sees else ())]
    filters = form.filters(asked.at)
    customers = filter_customers(filters)
    post = asked.request.POST
    refs = post.getlist("customers")
    is_choice = bool(refs) and not post.get("everybody")
    if is_choice:
        customers = customers.filter(pk__in=ids_of_refs(refs))
    return Export(
        columns=names,
        lines=customer_lines(
            customers, names, order=order_of(filters, form.sorted_by), is_masked=not sees
        ),
        count=customers.select_related(None).order_by().count,
        filters=_codes(filters),
        notes={"is_masked": not sees, "is_choice": is_choice},
    )


def file_columns(keys: Iterable[str]) -> list[str]:
    """Return the file's columns for chosen columns of the list."""
    names = list(ALWAYS)
    for key in keys:
        if key.startswith(OWN):
            names.append(f"{OWN_IN_FILES}{key.removeprefix(OWN)}")
        else:
            names += FILE_COLUMNS[key]
    return [*names, CONSENT]


def customer_lines(
    customers: QuerySet[Customer], names: Sequence[str], *, order: Sequence[str], is_masked: bool
) -> Iterator[list[Any]]:
    """Yield a line per customer, in the list's order; a few queries per thousand.

    is_masked: addresses and numbers as analysts see them.
    """
    for rows in portions(customers, order):
        yield from _lines(rows, names, is_masked)


def _lines(customers: list[Customer], names: Sequence[str], is_masked: bool) -> Iterator[list[Any]]:
    ids = [customer.pk for customer in customers]
    shown = set(names)
    contacts = contacts_of(ids) if {"email", "phone"} & shown else {}
    tags = tags_of_each(ids) if "tags" in shown else {}
    own = custom_values(ids) if any(name.startswith(OWN_IN_FILES) for name in names) else {}
    agreed = dict(
        ConsentState.objects.filter(
            customer_id__in=ids, purpose="marketing", channel="email"
        ).values_list("customer_id", "is_granted")
    )
    for customer in customers:
        values: dict[str, Any] = {
            "external_id": id_of(customer),
            "location": shop_code(customer.location),
            "tags": ";".join(map(_tag, tags.get(customer.pk, ()))),
            CONSENT: {True: "yes", False: "no", None: ""}[agreed.get(customer.pk)],
        }
        if contact := contacts.get(customer.pk):
            seen = contact.masked() if is_masked else contact
            values |= {"email": seen.email, "phone": seen.phone}
        for one in own.get(customer.pk, ()):
            values[f"{OWN_IN_FILES}{one.field.key}"] = one.value
        for name in FIGURES:
            values[name] = getattr(customer.figures, name)
        yield [
            values.get(name, "")
            if name in values or name.startswith(OWN_IN_FILES)
            else getattr(customer, name, "")
            for name in names
        ]


def _tag(name: str) -> str:
    """A label as a cell with several holds it."""
    if any(sign in name for sign in ';,|"'):
        return '"' + name.replace('"', '""') + '"'
    return name


def _codes(asked: CustomerFilters) -> dict[str, object]:
    """Return the filters; of free text only that it is."""
    return {
        "stages": list(asked.stages),
        "tag_ids": list(asked.tag_ids),
        "location_id": asked.location_id,
        "consent": f"{asked.purpose}:{'yes' if asked.is_granted else 'no'}"
        if asked.purpose
        else "",
        "revenue_from": None if asked.revenue_from is None else str(asked.revenue_from),
        "revenue_to": None if asked.revenue_to is None else str(asked.revenue_to),
        "seen_from": asked.seen_from.isoformat() if asked.seen_from else None,
        "seen_until": asked.seen_until.isoformat() if asked.seen_until else None,
        "is_never_seen": asked.is_never_seen,
        "by_words": [name for name in ("country", "source", "industry") if getattr(asked, name)],
        "own_fields": [own.field_id for own in asked.own_fields],
    }
