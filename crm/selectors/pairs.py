"""Pairs of customers who look alike, and what each of two has, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.models import (
    ConsentEvent,
    ContactPoint,
    Customer,
    CustomerFigures,
    CustomerTag,
    DuplicatePair,
    Interaction,
    Merge,
    Note,
)
from crm.selectors.identity import records_of_all
from crm.selectors.likeness import CERTAIN, is_certain

State = DuplicatePair.State
MOST_CERTAIN = 200  # merged by one click; so many are counted
REASONS: dict[str, str | Promise] = {
    "email": _("same email"),
    "phone": _("same phone"),
    "name": _("same name"),
    "name_similar": _("similar name"),
    "city": _("same city"),
    "birth_date": _("same birth date"),
}


@dataclass(slots=True)
class Side:
    """One of two customers, with everything that all their records have.

    contacts: kind → values.  consents: purpose → the event in force.  notes, interactions: how
    many.
    """

    customer: Customer
    records: int = 1
    external_ids: list[str] = field(default_factory=list)
    contacts: dict[str, list[str]] = field(default_factory=dict)
    consents: dict[str, ConsentEvent] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    notes: int = 0
    interactions: int = 0

    @property
    def orders(self) -> int:
        """How many purchases count, of all records."""
        figures: CustomerFigures | None = getattr(self.customer, "figures", None)
        return figures.orders if figures else 0


def list_open_pairs() -> QuerySet[DuplicatePair]:
    """Return pairs to review, with both customers; those with a merged or erased one are left out.

    The caller orders them by ``-score, id``.
    """
    return DuplicatePair.objects.filter(
        state=State.OPEN,
        first__person_id__isnull=True,
        second__person_id__isnull=True,
        first__erased_at__isnull=True,
        second__erased_at__isnull=True,
    ).select_related("first__figures", "second__figures", "first__location", "second__location")


def certain_pairs() -> list[DuplicatePair]:
    """Return at most 200 pairs that may be merged without a look; one query."""
    likely = list_open_pairs().filter(score__gte=CERTAIN).order_by("-score", "id")
    found = [pair for pair in likely[: 5 * MOST_CERTAIN] if is_certain(pair.score, pair.reasons)]
    return found[:MOST_CERTAIN]


def pairs_of(customer_id: int) -> list[DuplicatePair]:
    """Return at most five pairs to review with a person in them, likest first; one query."""
    concerned = Q(first_id=customer_id) | Q(second_id=customer_id)
    return list(list_open_pairs().filter(concerned).order_by("-score", "id")[:5])


def merges_of(person_id: int) -> list[Merge]:
    """Return the merges in force by which other records are this person's, newest first."""
    return list(
        Merge.objects.filter(
            Q(person_id=person_id) | Q(person__person_id=person_id), undone_at__isnull=True
        )
        .select_related("record", "person")
        .order_by("-merged_at", "-id")[:20]
    )


def list_merges() -> QuerySet[Merge]:
    """Return all merges, those undone included, with both customers; the caller orders them."""
    return Merge.objects.select_related("person", "record")


def find_pair(one: int, other: int) -> DuplicatePair | None:
    """Return what was found about two customers, whatever was decided."""
    first, second = sorted((one, other))
    return DuplicatePair.objects.filter(first=first, second=second).first()


def reasons_of(codes: Collection[str]) -> list[str | Promise]:
    """Return reasons in words."""
    return [REASONS[code] for code in codes if code in REASONS]


def sides_of(person_ids: Collection[int]) -> list[Side]:
    """Return what the people have, in the order given; seven queries."""
    records = records_of_all(person_ids)
    persons = {record_id: person for person, ids in records.items() for record_id in ids}
    customers = Customer.objects.select_related("location", "figures").in_bulk(persons)
    sides = {person: Side(customers[person], len(ids)) for person, ids in records.items()}
    for record_id, person in persons.items():
        if external_id := customers[record_id].external_id:
            sides[person].external_ids.append(external_id)
    contacts: dict[int, dict[str, list[str]]] = {p: defaultdict(list) for p in sides}
    points = ContactPoint.objects.filter(customer_id__in=persons).order_by("-is_primary", "pk")
    for record_id, kind, value in points.values_list("customer_id", "kind", "normalized"):
        if value not in contacts[persons[record_id]][kind]:
            contacts[persons[record_id]][kind].append(value)
    events = ConsentEvent.objects.filter(customer_id__in=persons, channel="email")
    for event in events.order_by("occurred_at", "id"):
        sides[persons[event.customer_id]].consents[event.purpose] = event
    labels = CustomerTag.objects.filter(customer_id__in=persons).order_by("tag__name")
    for record_id, name in labels.values_list("customer_id", "tag__name"):
        if name not in sides[persons[record_id]].tags:
            sides[persons[record_id]].tags.append(name)
    for model, name in ((Note, "notes"), (Interaction, "interactions")):
        counts = model._default_manager.filter(customer_id__in=persons).values_list("customer_id")
        for record_id, number in counts.annotate(number=Count("pk")).order_by("customer_id"):
            side = sides[persons[record_id]]
            setattr(side, name, getattr(side, name) + number)
    for person, side in sides.items():
        side.contacts = dict(contacts[person])
    return [sides[person] for person in person_ids]
