"""The list of customers: who fits, and in which order; every filter and order has an index."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from crm.models import ConsentState, Customer, CustomerTag, CustomFieldValue
from crm.models.profiles import NEVER
from crm.selectors.custom_fields import column_of

COUNTED = 10_000  # beyond, a list says "more than"
FEW = 1_000  # so many are sorted in no time

# What a list may be sorted by → the fields of the keyset; a minus turns it round.
SORTS: dict[str, list[str]] = {
    "newest": ["-id"],
    "-newest": ["id"],
    "name": ["name", "id"],
    "-name": ["-name", "-id"],
    "value": ["-figures__revenue", "-id"],
    "-value": ["figures__revenue", "id"],
    "seen": ["-figures__seen_order", "-id"],
    "-seen": ["figures__seen_order", "id"],
}
NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class OwnFieldFilter:
    """What a field of the business's own has to be: a value, or within ``[low, high]``."""

    field_id: int
    kind: str
    value: str | bool | None = None
    low: Decimal | date | None = None
    high: Decimal | date | None = None


@dataclass(frozen=True, slots=True)
class CustomerFilters:
    """Whom a list shows. What is empty filters nothing.

    stages, tag_ids: any of them; all of the tags with ``all_tags``.
    purpose: consent for it by email is in force, or, with ``is_granted`` off, is not.
    revenue_from, revenue_to: both inclusive, in the organisation's currency.
    seen_from, seen_until: the latest purchase or contact is in ``[from, until)``, aware instants.
    """

    stages: tuple[str, ...] = ()
    tag_ids: tuple[int, ...] = ()
    all_tags: bool = False
    location_id: int | None = None
    purpose: str = ""
    is_granted: bool = True
    revenue_from: Decimal | None = None
    revenue_to: Decimal | None = None
    seen_from: datetime | None = None
    seen_until: datetime | None = None
    is_never_seen: bool = False
    country: str = ""
    source: str = ""
    industry: str = ""
    own_fields: tuple[OwnFieldFilter, ...] = ()


def filter_customers(asked: CustomerFilters) -> QuerySet[Customer]:
    """Return the persons who fit, with shop and figures; neither merged records nor the erased."""
    customers = _everybody().filter(_plain(asked), _figures(asked))
    if asked.tag_ids:
        worn = CustomerTag.objects.filter(customer=OuterRef("pk"))
        if asked.all_tags:
            for tag_id in asked.tag_ids:
                customers = customers.filter(Exists(worn.filter(tag_id=tag_id)))
        else:
            customers = customers.filter(Exists(worn.filter(tag_id__in=asked.tag_ids)))
    if asked.purpose:
        granted = Exists(
            ConsentState.objects.filter(
                customer=OuterRef("pk"), purpose=asked.purpose, channel="email", is_granted=True
            )
        )
        customers = customers.filter(granted if asked.is_granted else ~granted)
    for own in asked.own_fields:
        values = CustomFieldValue.objects.filter(_own(own), customer=OuterRef("pk"))
        customers = customers.filter(Exists(values))
    return customers


def quick_to_sort(asked: CustomerFilters) -> QuerySet[Customer]:
    """Return those who fit, so that the first ones in any order are found quickly.

    Where only few fit, they are looked up first (one query): the database can't know that they
    are few, and would otherwise walk through everybody in order to find them.
    """
    if asked == CustomerFilters():
        return filter_customers(asked)
    ids = matching_ids(asked, most=FEW + 1)
    return filter_customers(asked) if len(ids) > FEW else _everybody().filter(pk__in=ids)


def order_of(asked: CustomerFilters, sort: str) -> list[str]:
    """Return the fields of the keyset for a name in :data:`SORTS`.

    Who was never seen bought nothing either, so that neither tells them apart.
    """
    if asked.is_never_seen and sort.lstrip("-") in ("value", "seen"):
        return SORTS[NEWEST]
    return SORTS[sort]


def count_customers(asked: CustomerFilters) -> int:
    """Return how many fit, at most one more than :data:`COUNTED`; one query."""
    return len(matching_ids(asked, most=COUNTED + 1))


def matching_ids(asked: CustomerFilters, *, most: int) -> list[int]:
    """Return the ids of at most so many who fit, in no order; one query."""
    customers = filter_customers(asked).select_related(None).order_by()
    return list(customers.values_list("pk", flat=True)[:most])


def ids_of_refs(refs: list[str]) -> list[int]:
    """Return the ids of the persons with these refs; who is not there any more lacks."""
    customers = Customer.objects.filter(
        ref__in=refs, erased_at__isnull=True, person__isnull=True
    ).order_by("pk")
    return list(customers.values_list("pk", flat=True))


def _everybody() -> QuerySet[Customer]:
    # Everybody has figures; said so, the database may begin with them and needs no sorting.
    return Customer.objects.filter(
        erased_at__isnull=True, person__isnull=True, figures__isnull=False
    ).select_related("location", "figures")


def _plain(asked: CustomerFilters) -> Q:
    wanted: dict[str, Any] = {
        "location_id": asked.location_id,
        "country": asked.country,
        "source": asked.source,
        "industry": asked.industry,
    }
    condition = Q(**{name: value for name, value in wanted.items() if value})
    if len(asked.stages) == 1:  # an equality, so that the index also gives the order
        condition &= Q(stage=asked.stages[0])
    elif asked.stages:
        condition &= Q(stage__in=asked.stages)
    return condition


def _figures(asked: CustomerFilters) -> Q:
    condition = Q()
    if asked.revenue_from is not None:
        condition &= Q(figures__revenue__gte=asked.revenue_from)
    if asked.revenue_to is not None:
        condition &= Q(figures__revenue__lte=asked.revenue_to)
    if asked.is_never_seen:
        return condition & Q(figures__seen_order=NEVER)
    if asked.seen_from:
        condition &= Q(figures__seen_order__gte=asked.seen_from)
    if asked.seen_until:
        condition &= Q(figures__seen_order__gt=NEVER, figures__seen_order__lt=asked.seen_until)
    return condition


def _own(own: OwnFieldFilter) -> Q:
    column = column_of(own.kind)
    condition = Q(field_id=own.field_id)
    if own.value is not None:
        condition &= Q(**{column: own.value})
    if own.low is not None:
        condition &= Q(**{f"{column}__gte": own.low})
    if own.high is not None:
        condition &= Q(**{f"{column}__lte": own.high})
    return condition
