"""The search box: ids, addresses, numbers and cards by their beginning, names by any part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from common.refs import REF_LENGTH
from common.validators import clean_email, clean_line, clean_phone
from crm.models import ContactPoint, Customer, SearchTerm

LIMIT = 50
SHORTEST_PART = 3  # a name is searched inside from this length on, by its beginning below
CONTACT_KINDS = ("email", "phone")


def search_customers(
    text: str,
    *,
    within: Mapping[str, Any] | None = None,
    people: QuerySet[Customer] | None = None,
    may_see_contacts: bool = True,
) -> list[Customer]:
    """Return at most 50 people, best matches first; at most four queries.

    Whatever record a term belongs to, the person is found.

    within: field → value that the customers must have, such as a stage.
    people: whom to choose from, where that says more; the best 50 matches are looked up in it.
    may_see_contacts: False leaves addresses and numbers out of the search, so that nobody can
        guess hidden ones letter by letter.
    """
    try:
        wanted = clean_line(text, max_length=254).casefold()
    except ValidationError:
        return []
    if not wanted:
        return []
    if people is None:
        people = Customer.objects.filter(erased_at__isnull=True).select_related("location")
    people = people.filter(**(within or {}))
    terms = SearchTerm.objects.all()
    for field, value in (within or {}).items():
        terms = terms.filter(
            Q(**{f"customer__{field}": value}) | Q(**{f"customer__person__{field}": value})
        )
    if not may_see_contacts:
        terms = terms.exclude(kind__in=CONTACT_KINDS)
    if len(wanted) == REF_LENGTH:  # words of that length are found by their beginning as well
        whose = Customer.objects.filter(ref=wanted)
        found = list(whose.values_list(Coalesce("person_id", "pk"), flat=True))
    else:
        found = _ids(terms.filter(term=wanted))
    if len(found) < LIMIT:
        found += _ids(terms.filter(_begins_with(wanted)))
    if len(set(found)) < LIMIT and len(wanted) >= SHORTEST_PART:
        # In order of id, so that a common part needs no sorting of everybody who has it.
        found += _ids(terms.filter(kind="name", term__contains=wanted).order_by("id"))
    best_first = list(dict.fromkeys(found))[:LIMIT]
    by_id = people.in_bulk(best_first)
    return [by_id[customer_id] for customer_id in best_first if customer_id in by_id]


def find_customers(text: str) -> list[Customer]:
    """Return whom a ref, external id, email or phone means exactly: nobody, one, or several.

    At most two of several are returned, in at most two queries. An address or number means the
    person, whichever record has it.
    """
    try:
        text = clean_line(text)
    except ValidationError:
        return []
    if not text:
        return []
    customers = Customer.objects.filter(erased_at__isnull=True)
    found = list(customers.filter(Q(ref=text.casefold()) | Q(external_id=text))[:2])
    if found:
        return found
    points = Q()
    for kind, clean in (
        (ContactPoint.Kind.EMAIL, clean_email),
        (ContactPoint.Kind.PHONE, clean_phone),
    ):
        try:
            points |= Q(kind=kind, normalized=clean(text))
        except ValidationError:
            continue
    if not points:
        return []
    holders = ContactPoint.objects.filter(points, is_primary=True).values(
        person=Coalesce("customer__person_id", "customer_id")
    )
    return list(customers.filter(pk__in=holders).order_by("id")[:2])


def _begins_with(wanted: str) -> Q:
    condition = _beginning(wanted)
    digits = re.sub(r"[\s().\-/+]", "", wanted)
    if digits.isdecimal() and digits.isascii() and len(digits) >= SHORTEST_PART:
        condition |= Q(kind="phone") & _beginning(digits)
        if digits.startswith("8") and not wanted.startswith("+"):
            condition |= Q(kind="phone") & _beginning(f"7{digits[1:]}")  # Russian trunk 8
    return condition


def _beginning(text: str) -> Q:
    """Return the condition by which each database walks its index of terms."""
    if connection.vendor == "sqlite":
        return Q(term__gte=text, term__lt=f"{text}\U0010ffff")
    return Q(term__startswith=text)


def _ids(terms: QuerySet[SearchTerm]) -> list[int]:
    people = Coalesce("customer__person_id", "customer_id")
    return list(terms.values_list(people, flat=True)[:LIMIT])
