"""Rows of customers, contacts, tags, consent and search terms as the tables hold them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from crm.imports.bulk import fetch_rows, insert_rows, update_rows
from crm.imports.custom_columns import write_custom_values
from crm.imports.scratch import Row
from crm.models import (
    ConsentEvent,
    ContactPoint,
    Customer,
    CustomerFigures,
    CustomerTag,
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
    plain: tuple[Any, ...]
    contacts: dict[tuple[str, str], tuple[int, bool]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Writes:
    """Rows to write for one portion of customers."""

    customers: list[Row] = field(default_factory=list)
    plain: list[Row] = field(default_factory=list)
    demoted: list[Row] = field(default_factory=list)  # contacts that are no longer primary
    promoted: list[Row] = field(default_factory=list)
    contacts: list[Row] = field(default_factory=list)
    tags: list[tuple[int, str]] = field(default_factory=list)
    consents: list[Row] = field(default_factory=list)
    terms: dict[int, set[tuple[str, str]]] = field(default_factory=dict)
    custom_new: list[Row] = field(default_factory=list)
    custom_changed: list[Row] = field(default_factory=list)


def known_customers(keys: list[str]) -> dict[str, Known]:
    """Return what the database holds of these customers, by external id."""
    rows = fetch_rows(
        Customer, ("external_id", "id", *PLAIN), where="external_id", among=keys, lock=True
    )
    known = {row[0]: Known(row[1], row[2:]) for row in rows}
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


def write_customers(writes: Writes, known_ids: set[int]) -> None:
    """Write the rows; contacts first give up, then take, the place of the primary one."""
    insert_rows(
        Customer,
        ("id", "ref", "external_id", *PLAIN, "kind", "stage", "is_invented", "recorded_at"),
        writes.customers,
    )
    insert_rows(
        CustomerFigures,
        ("customer_id", "orders", "revenue"),
        [(row[0], 0, 0) for row in writes.customers],
    )
    update_rows(Customer, PLAIN, writes.plain)
    update_rows(ContactPoint, ("is_primary",), writes.demoted)
    update_rows(ContactPoint, ("is_primary",), writes.promoted)
    insert_rows(
        ContactPoint,
        ("customer_id", "kind", "value", "normalized", "is_primary", "recorded_at"),
        writes.contacts,
    )
    _write_tags(writes.tags)
    write_custom_values(writes.custom_new, writes.custom_changed)
    insert_rows(
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
    _write_terms(writes.terms, known_ids)


def _write_tags(tags: list[tuple[int, str]]) -> None:
    if not tags:
        return
    names = {name for _customer_id, name in tags}
    Tag.objects.bulk_create([Tag(name=name) for name in sorted(names)], ignore_conflicts=True)
    ids = dict(Tag.objects.filter(name__in=names).values_list("name", "id"))
    insert_rows(
        CustomerTag,
        ("customer_id", "tag_id"),
        [(customer_id, ids[name]) for customer_id, name in tags],
    )


def _write_terms(wanted: dict[int, set[tuple[str, str]]], known_ids: set[int]) -> None:
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
