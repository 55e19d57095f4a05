"""Customers who look alike: for somebody about to be recorded, and in what is recorded already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.db.models import Q

from common.validators import clean_email, clean_phone
from crm.models import ContactPoint, Customer, SearchTerm
from crm.selectors.identity import records_of_all
from crm.selectors.likeness import Features, likeness, looks_alike, name_orders

MOST_CANDIDATES = 200  # a phone shared by more is a switchboard, a name a common one
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Alike:
    """Somebody who looks like another. score: 0 to 100. reasons: codes of ``DuplicatePair``."""

    customer: Customer
    score: int
    reasons: list[str]


def find_alike(
    *,
    name: str = "",
    email: str = "",
    phone: str = "",
    city: str = "",
    birth_date: date | None = None,
    exclude: Collection[int] = (),
) -> list[Alike]:
    """Return at most ten people who look like somebody with these details, likest first.

    Merged records count for their person. Text that is no address or number is ignored.
    exclude: ids that are left out, such as one's own. At most six queries.
    """
    wanted = Features(
        name=name,
        emails=_clean(clean_email, email),
        phones=_clean(clean_phone, phone),
        city=city,
        birth_date=birth_date,
    )
    candidates = _candidates(wanted)
    if not candidates:
        return []
    people = Customer.objects.select_related("location").filter(
        pk__in=candidates, erased_at__isnull=True, person_id__isnull=True
    )
    found = []
    by_id = {person.pk: person for person in people}
    features = features_of(by_id)
    for person_id, person in by_id.items():
        if person_id in exclude:
            continue
        score, reasons = max(likeness(wanted, one) for one in features[person_id])
        if looks_alike(score, reasons):
            found.append(Alike(person, score, reasons))
    found.sort(key=lambda one: (-one.score, one.customer.pk))
    return found[:MOST_SHOWN]


def features_of(person_ids: Collection[int]) -> dict[int, list[Features]]:
    """Return person id → what is compared, one entry per record of the person; three queries."""
    records = records_of_all(person_ids)
    ids = [record_id for record_ids in records.values() for record_id in record_ids]
    contacts: dict[int, dict[str, set[str]]] = {}
    for customer_id, kind, value in ContactPoint.objects.filter(customer_id__in=ids).values_list(
        "customer_id", "kind", "normalized"
    ):
        contacts.setdefault(customer_id, {}).setdefault(kind, set()).add(value)
    plain: Mapping[int, tuple[str, str, date | None]] = {
        pk: (name, city, birth_date)
        for pk, name, city, birth_date in Customer.objects.filter(pk__in=ids).values_list(
            "pk", "name", "city", "birth_date"
        )
    }
    return {
        person_id: [
            Features(
                name=plain[record_id][0],
                emails=frozenset(contacts.get(record_id, {}).get("email", ())),
                phones=frozenset(contacts.get(record_id, {}).get("phone", ())),
                city=plain[record_id][1],
                birth_date=plain[record_id][2],
            )
            for record_id in record_ids
            if record_id in plain
        ]
        for person_id, record_ids in records.items()
    }


def _candidates(wanted: Features) -> set[int]:
    """Return ids of people who share an address, a number, or the words of the name."""
    points = Q()
    for kind, values in (("email", wanted.emails), ("phone", wanted.phones)):
        if values:
            points |= Q(kind=kind, normalized__in=values)
    found: list[int] = []
    if points:
        contacts = ContactPoint.objects.filter(points)
        found += contacts.values_list("customer_id", flat=True)[:MOST_CANDIDATES]
    if orders := name_orders(wanted.name):
        terms = SearchTerm.objects.filter(kind="name", term__in=orders)
        found += terms.values_list("customer_id", flat=True)[:MOST_CANDIDATES]
    return _people(found)


def _people(record_ids: Iterable[int]) -> set[int]:
    rows = Customer.objects.filter(pk__in=set(record_ids)).values_list("pk", "person_id")
    return {person_id or pk for pk, person_id in rows}


def _clean(clean: Callable[[object], str], text: str) -> frozenset[str]:
    if not text.strip():
        return frozenset()
    try:
        return frozenset({clean(text)})
    except ValidationError:
        return frozenset()
