"""What the counter asks: who is this, what is this, and which shop are we."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Right

from crm.models import Customer, Location, LocationMembership, Product, SearchTerm
from crm.selectors.lists import list_locations, list_products
from crm.selectors.search import find_customers, search_customers

FEW = 6
TAIL = 4  # digits by which the index finds a number's or card's end
TAIL_KINDS = ("card", "phone")


def find_buyers(text: str) -> list[Customer]:
    """Return at most six customers: by number, email, phone or card, its last digits, or name.

    Who is meant exactly comes alone; a few queries.
    """
    exact = find_customers(text)
    if len(exact) == 1:
        return exact
    found = {customer.pk: customer for customer in exact}
    digits = re.sub(r"\D", "", text) if re.fullmatch(r"[\d\s().\-]{4,}", text.strip()) else ""
    if len(digits) >= TAIL:
        found |= {customer.pk: customer for customer in _by_last_digits(digits)}
    if len(found) < FEW:
        found |= {customer.pk: customer for customer in search_customers(text)[:FEW]}
    return list(found.values())[:FEW]


def find_products(text: str) -> list[Product]:
    """Return at most eight products whose SKU begins with, or whose name contains, the text.

    The product with exactly this SKU comes alone.
    """
    text = text.strip()
    if not text:
        return []
    exact = Product.objects.filter(sku=text).first()
    return [exact] if exact else list(list_products(text=text).order_by("name", "id")[:8])


def shops_for(user: Any) -> tuple[list[Location], Location | None]:
    """Return all shops and the user's own first one; two queries."""
    own = (
        LocationMembership.objects.filter(user_id=user.pk)
        .select_related("location")
        .order_by("id")
        .first()
    )
    shops: QuerySet[Location] = list_locations()
    return list(shops), own.location if own else None


def _by_last_digits(digits: str) -> list[Customer]:
    terms = (
        SearchTerm.objects.filter(kind__in=TAIL_KINDS, customer__erased_at__isnull=True)
        .alias(tail=Right("term", TAIL))
        .filter(tail=digits[-TAIL:])
        .select_related("customer")
    )
    if len(digits) > TAIL:
        terms = terms.filter(term__endswith=digits)
    return [term.customer for term in terms.order_by("-id")[:FEW]]
