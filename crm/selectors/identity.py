"""Whose record is whose: a person is the set of records that were linked.

A record that was merged stands for another one, the *person*, who stands for themselves. Facts
keep their record, so whoever shows or counts a person asks for all of that person's records.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Count, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from common.statements import FixedQuery, Told
from crm.models import Customer, IdentityLink


def records_of(person_id: int) -> list[int]:
    """Return the ids of a person's records, their own first; one indexed query."""
    linked = Customer.objects.filter(person_id=person_id).order_by("pk")
    return [person_id, *linked.values_list("pk", flat=True)]


def records_of_all(person_ids: Collection[int]) -> dict[int, list[int]]:
    """Return person id → ids of their records, their own first; one query."""
    records = {person_id: [person_id] for person_id in person_ids}
    linked = Customer.objects.filter(person_id__in=records).order_by("pk")
    for record_id, person_id in linked.values_list("pk", "person_id"):
        records[person_id or record_id].append(record_id)
    return records


def person_of(customer_id: int) -> int:
    """Return the id of the person whose record this is at present, often the same; one query."""
    return persons_of([customer_id]).get(customer_id, customer_id)


def persons_of(customer_ids: Collection[int]) -> dict[int, int]:
    """Return record id → person id at present, for all given; one query."""
    persons = {customer_id: customer_id for customer_id in customer_ids}
    merged = Customer.objects.filter(pk__in=persons, person_id__isnull=False)
    persons.update(
        (record_id, person_id or record_id)
        for record_id, person_id in merged.values_list("pk", "person_id")
    )
    return persons


def siblings_of(customer_id: int) -> list[int]:
    """Return all records of the person whose record this is, the person's own first."""
    return records_of(person_of(customer_id))


def every_record_of(customer_id: int) -> QuerySet[Customer, Any]:
    """Return the ids of all records of the person whose record this is, for use in a query.

    Costs no query of its own: ``filter(customer_id__in=every_record_of(customer_id))``.
    """
    own = Customer.objects.filter(pk=customer_id).values("person_id")[:1]
    person_id = Coalesce(own, Value(customer_id), output_field=BigIntegerField())
    return Customer.objects.filter(Q(pk=person_id) | Q(person_id=person_id)).values("pk")


def count_people(*, filter: Q | None = None) -> Count:  # noqa: A002 - as Count has it
    """Return an aggregate: how many persons rows with a ``customer`` belong to."""
    return Count(_PERSON, distinct=True, filter=filter)


def people_ids(rows: QuerySet[Any]) -> list[int]:
    """Return the ids of the persons whom rows with a ``customer`` belong to, ascending; one query.

    Rows of nobody known are left out.
    """
    known = rows.order_by().filter(customer__isnull=False).annotate(person_id=_PERSON)
    return sorted(known.values_list("person_id", flat=True).distinct())


_PERSON = Coalesce("customer__person_id", "customer_id")
_GROUPS = FixedQuery(
    lambda: Customer.objects.filter(
        Q(pk__among=Told("ids")) | Q(person_id__among=Told("ids"))
    ).values_list("pk", "person_id")
)


def groups_of(customer_ids: Collection[int]) -> dict[int, list[int]]:
    """Return record id → all records of its person, the person's own first, for all given.

    One query; two if any of them is merged into somebody who is not among them.
    """
    wanted = set(customer_ids)
    persons: dict[int, int] = {}
    while wanted:
        persons |= {pk: person_id or pk for pk, person_id in _GROUPS.rows(ids=wanted)}
        wanted = set(persons.values()) - persons.keys()
    records: dict[int, list[int]] = {}
    for record_id, person_id in sorted(persons.items()):
        if record_id != person_id:
            records.setdefault(person_id, [person_id]).append(record_id)
    return {
        customer_id: records.get(persons.get(customer_id, customer_id))
        or [persons.get(customer_id, customer_id)]
        for customer_id in customer_ids
    }


def links_at(known_at: datetime, *, customer_ids: Collection[int] | None = None) -> dict[int, int]:
    """Return record id → person id as known at an instant, for linked records only; one query.

    customer_ids: only these records; everybody's by default.
    """
    links = IdentityLink.objects.filter(
        Q(until__isnull=True) | Q(until__gt=known_at), linked_at__lte=known_at
    )
    if customer_ids is not None:
        links = links.filter(record_id__in=customer_ids)
    return dict(links.values_list("record_id", "person_id"))


def records_at(person_id: int, known_at: datetime) -> list[int]:
    """Return the ids of a person's records as known at an instant, their own first."""
    links = IdentityLink.objects.filter(
        Q(until__isnull=True) | Q(until__gt=known_at),
        linked_at__lte=known_at,
        person_id=person_id,
    )
    return [person_id, *sorted(links.values_list("record_id", flat=True))]
