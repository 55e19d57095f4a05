"""Rows of customers, contacts, tags, consent and search terms as the tables hold them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import connection, models

from crm.imports.bulk import fetch_rows, insert_rows, next_ids, update_rows
from crm.imports.custom_columns import HELD
from crm.imports.scratch import Row
from crm.imports.trail import Trail
from crm.models import (
    ConsentEvent,
    ContactPoint,
    Customer,
    CustomerFigures,
    CustomerTag,
    CustomFieldValue,
    SearchTerm,
    Tag,
)
from crm.services.customer_figures import add_consents

PLAIN = (
    "name",
    "language",
    "country",
    "city",
    "birth_date",
    "acquired_at",
    "source",
    "industry",
    "location_id",
    "acquisition_cost",
)


@dataclass(slots=True)
class Known:
    """What the database holds of one customer."""

    id: int
    external_id: str | None
    plain: tuple[Any, ...]
    is_known: bool = False  # rather than just being made
    contacts: dict[tuple[str, str], tuple[int, bool]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Writes:
    """Rows to write for one portion of customers."""

    customers: list[Row] = field(default_factory=list)
    external_ids: list[Row] = field(default_factory=list)  # id, customer
    plain: list[tuple[int, Row, Row]] = field(default_factory=list)  # customer, before, after
    primary: list[tuple[int, int, bool]] = field(default_factory=list)  # contact, customer, whether
    contacts: list[Row] = field(default_factory=list)
    tags: list[tuple[int, str]] = field(default_factory=list)
    consents: list[Row] = field(default_factory=list)
    terms: dict[int, set[tuple[str, str]]] = field(default_factory=dict)
    custom_new: list[Row] = field(default_factory=list)
    custom_changed: list[tuple[int, int, Row, Row]] = field(default_factory=list)


def known_customers(column: str, among: Collection[Any]) -> dict[Any, Known]:
    """Return what the database holds of customers, locked, by ``external_id`` or ``id``."""
    rows = fetch_rows(
        Customer, (column, "id", "external_id", *PLAIN), where=column, among=among, lock=True
    )
    known = {row[0]: Known(row[1], row[2], row[3:], is_known=True) for row in rows}
    by_id = {customer.id: customer for customer in known.values()}
    for customer_id, kind, normalized, row_id, is_primary in fetch_rows(
        ContactPoint,
        ("customer_id", "kind", "normalized", "id", "is_primary"),
        where="customer_id",
        among=list(by_id),
    ):
        by_id[customer_id].contacts[kind, normalized] = (row_id, bool(is_primary))
    for customer_id, name in CustomerTag.objects.filter(customer_id__in=by_id).values_list(
        "customer_id", "tag__name"
    ):
        by_id[customer_id].tags.add(name)
    return known


def consent_answers(customer_ids: list[int]) -> defaultdict[int, dict[str, tuple[bool, str]]]:
    """Return, per customer and purpose, whether email consent is in force and who said so last."""
    answers: defaultdict[int, dict[str, tuple[bool, str]]] = defaultdict(dict)
    rows = fetch_rows(
        ConsentEvent,
        ("customer_id", "purpose", "channel", "is_granted", "source", "occurred_at", "id"),
        where="customer_id",
        among=customer_ids,
    )
    for customer_id, purpose, channel, is_granted, source, *_when in sorted(
        rows, key=lambda row: (row[5], row[6])
    ):
        if channel == "email":
            answers[customer_id][purpose] = (bool(is_granted), source)
    return answers


def write_customers(writes: Writes, known_ids: set[int], trail: Trail) -> None:
    """Write the rows, and note what can be taken back.

    Contacts first give up, then take, the place of the primary one.
    """
    insert_rows(
        Customer,
        ("id", "ref", "external_id", *PLAIN, "kind", "stage", "is_invented", "recorded_at"),
        writes.customers,
    )
    trail.made(Customer, [row[0] for row in writes.customers])
    insert_rows(
        CustomerFigures,
        ("customer_id", "orders", "revenue"),
        [(row[0], 0, 0) for row in writes.customers],
    )
    _write_changes(writes, trail)
    add = partial(_insert, known_ids=known_ids, trail=trail)
    add(
        ContactPoint,
        ("customer_id", "kind", "value", "normalized", "is_primary", "recorded_at"),
        writes.contacts,
    )
    add(CustomerTag, ("customer_id", "tag_id"), _tag_rows(writes.tags, trail))
    add(CustomFieldValue, ("customer_id", "field_id", *HELD), writes.custom_new)
    add(
        ConsentEvent,
        (
            "customer_id",
            "purpose",
            "channel",
            "is_granted",
            "source",
            "text_version",
            "actor",
            "occurred_at",
            "recorded_at",
        ),
        writes.consents,
    )
    add_consents([(*row[:4], row[7]) for row in writes.consents])
    write_terms(writes.terms, known_ids)


def _write_changes(writes: Writes, trail: Trail) -> None:
    update_rows(Customer, ("external_id",), writes.external_ids)
    for external_id, customer_id in writes.external_ids:
        trail.compared(
            Customer,
            customer_id,
            ("external_id",),
            (None,),
            (external_id,),
            customer_id=customer_id,
        )
    update_rows(Customer, PLAIN, [(*after, row_id) for row_id, _before, after in writes.plain])
    for customer_id, before, after in writes.plain:
        trail.compared(Customer, customer_id, PLAIN, before, after, customer_id=customer_id)
    for is_primary in (False, True):
        rows = [row for row in writes.primary if row[2] == is_primary]
        update_rows(ContactPoint, ("is_primary",), [(is_primary, row_id) for row_id, *_row in rows])
        for row_id, customer_id, _is_primary in rows:
            trail.changed(
                ContactPoint,
                row_id,
                before={"is_primary": not is_primary},
                after={"is_primary": is_primary},
                customer_id=customer_id,
            )
    update_rows(CustomFieldValue, HELD, [(*row[3], row[0]) for row in writes.custom_changed])
    for row_id, customer_id, before, after in writes.custom_changed:
        trail.compared(CustomFieldValue, row_id, HELD, before, after, customer_id=customer_id)


def _insert(
    model: type[models.Model],
    names: Sequence[str],
    rows: list[Row],
    *,
    known_ids: set[int],
    trail: Trail,
) -> None:
    """Insert rows that begin with their customer; those of known customers are noted as added."""
    if not known_ids:
        insert_rows(model, names, rows)
        return
    insert_rows(model, names, [row for row in rows if row[0] not in known_ids])
    added = [row for row in rows if row[0] in known_ids]
    ids = next_ids(model, len(added)) if added else []
    insert_rows(
        model, ("id", *names), [(row_id, *row) for row_id, row in zip(ids, added, strict=True)]
    )
    for row_id, row in zip(ids, added, strict=True):
        trail.added(model, row_id, customer_id=row[0])


def _tag_rows(tags: list[tuple[int, str]], trail: Trail) -> list[Row]:
    """Return (customer, tag), making tags that are not there yet."""
    if not tags:
        return []
    names = {name for _customer_id, name in tags}
    ids = dict(Tag.objects.filter(name__in=names).values_list("name", "id"))
    if new := names - ids.keys():
        Tag.objects.bulk_create([Tag(name=name) for name in sorted(new)], ignore_conflicts=True)
        made = dict(Tag.objects.filter(name__in=new).values_list("name", "id"))
        trail.made(Tag, made.values())
        ids |= made
    return [(customer_id, ids[name]) for customer_id, name in tags]


def write_terms(wanted: dict[int, set[tuple[str, str]]], known_ids: set[int]) -> None:
    """Make these the words by which customers are found; other kinds than crm's own stay.

    known_ids: who may have some already.
    """
    present: defaultdict[int, dict[tuple[str, str], int]] = defaultdict(dict)
    for customer_id, kind, term, row_id in fetch_rows(
        SearchTerm,
        ("customer_id", "kind", "term", "id"),
        where="customer_id",
        among=[customer_id for customer_id in wanted if customer_id in known_ids],
    ):
        if kind in ("name", "email", "phone", "id"):
            present[customer_id][kind, term] = row_id
    gone = [
        (row_id,)
        for customer_id, terms in wanted.items()
        for term, row_id in present[customer_id].items()
        if term not in terms
    ]
    if gone:
        with connection.cursor() as cursor:
            cursor.executemany("DELETE FROM crm_searchterm WHERE id = %s", gone)
    insert_rows(
        SearchTerm,
        ("customer_id", "kind", "term"),
        [
            (customer_id, kind, term)
            for customer_id, terms in wanted.items()
            for kind, term in sorted(terms - present[customer_id].keys())
        ],
    )
