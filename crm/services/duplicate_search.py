"""Looking through all customers for those who look alike; never every pair.

Customers who share a key (an address, a number, name and city, birth date and initials) form a
block, and only within blocks pairs are compared. A number that many share is one finding, not a
finding for each two of them; a name that many share in one city is none. Blocks are made in a
scratch database beside the real one, so that memory does not grow with the customers.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date
from itertools import combinations, groupby, islice
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from crm.models import ContactPoint, Customer, SearchTerm
from crm.selectors.identity import persons_of
from crm.selectors.likeness import name_key, name_orders, name_tokens

Pair = tuple[int, int]
Item = TypeVar("Item")
MOST_IN_BLOCK = 8
AT_ONCE = 5_000  # rows
CHANGED_AT_ONCE = 50  # customers, each with a few orders of the words of the name
CONTACT, WORDS = "contact", "words"


def pairs_among_all() -> Iterator[Pair]:
    """Yield pairs of people worth comparing, each once; the smaller id first."""
    with closing(sqlite3.connect("")) as scratch:  # a file of its own, gone when closed
        scratch.execute("PRAGMA synchronous=OFF")
        scratch.execute("CREATE TABLE block (kind TEXT, key INTEGER, person INTEGER)")
        scratch.execute(
            "CREATE TABLE pair (first INTEGER, second INTEGER, PRIMARY KEY (first, second))"
            " WITHOUT ROWID"
        )
        for keys in _chunks(_all_keys(), AT_ONCE):
            scratch.executemany("INSERT INTO block VALUES (?, ?, ?)", keys)
        rows = scratch.execute("SELECT DISTINCT kind, key, person FROM block ORDER BY 1, 2, 3")
        for (kind, _key), block in groupby(rows, key=lambda row: row[:2]):
            people = [person for _kind, _key, person in block]
            if len(people) > 1:
                scratch.executemany(
                    "INSERT OR IGNORE INTO pair VALUES (?, ?)", _pairs_of(kind, people)
                )
        yield from scratch.execute("SELECT first, second FROM pair ORDER BY first, second")


def pairs_with(customer_ids: Iterable[int]) -> Iterator[Pair]:
    """Yield pairs of these customers' people and others worth comparing; some more than once.

    Shared addresses and numbers, and names of the same words; the rest the full pass finds.
    """
    for some in _chunks(sorted(set(customer_ids)), CHANGED_AT_ONCE):
        points = ContactPoint.objects.filter(customer_id__in=some)
        wanted = {(kind, value) for kind, value in points.values_list("kind", "normalized")}
        values = {value for _kind, value in wanted}
        shared = ContactPoint.objects.filter(
            kind__in=ContactPoint.Kind.values, normalized__in=values
        )
        blocks: dict[tuple[str, str], set[int]] = {}
        for kind, value, person in _of_persons(shared, "kind", "normalized"):
            if (kind, value) in wanted:
                blocks.setdefault((CONTACT, f"{kind}:{value}"), set()).add(person)
        names = Customer.objects.filter(pk__in=some).values_list("name", flat=True)
        orders = {order for name in names for order in name_orders(name)}
        terms = SearchTerm.objects.filter(kind="name", term__in=orders)
        for term, person in _of_persons(terms, "term"):
            blocks.setdefault((WORDS, name_key(term)), set()).add(person)
        concerned = set(persons_of(some).values())
        for (kind, _key), people in blocks.items():
            if kind == WORDS and len(people) > MOST_IN_BLOCK:
                continue
            for pair in _pairs_of(kind, sorted(people)):
                if concerned.intersection(pair):
                    yield pair


def _all_keys() -> Iterator[tuple[str, int, int]]:
    points = ContactPoint.objects.filter(customer__erased_at__isnull=True)
    for kind, value, person in _of_persons(points, "kind", "normalized"):
        yield CONTACT, _digest(f"{kind}:{value}"), person
    people = Customer.objects.filter(erased_at__isnull=True).exclude(name="")
    person_id = Coalesce("person_id", "pk")
    for name, city, born, person in people.values_list(
        "name", "city", "birth_date", person_id
    ).iterator(chunk_size=AT_ONCE):
        if key := _name_and_city(name, city):
            yield WORDS, _digest(key), person
        if key := _birth_and_initials(name, born):
            yield WORDS, _digest(key), person


def _of_persons(rows: QuerySet[Any], *fields: str) -> Iterator[tuple[Any, ...]]:
    """Yield the fields of rows about customers, and the person whose record each is about."""
    person_id = Coalesce("customer__person_id", "customer_id")
    values = rows.filter(customer__erased_at__isnull=True).values_list(*fields, person_id)
    return iter(values.iterator(chunk_size=AT_ONCE))


def _pairs_of(kind: str, people: list[int]) -> list[Pair]:
    """Return the pairs of a block. people: ids, ascending."""
    if len(people) <= MOST_IN_BLOCK:
        return list(combinations(people, 2))
    if kind != CONTACT:
        return []
    by_name: dict[str, list[int]] = {}
    for pk, name in (
        Customer.objects.filter(pk__in=people[:AT_ONCE]).order_by("pk").values_list("pk", "name")
    ):
        by_name.setdefault(name_key(name), []).append(pk)
    alike = [group for name, group in by_name.items() if name and len(group) > 1]
    same_name = [pair for group in alike for pair in combinations(group[:MOST_IN_BLOCK], 2)]
    return [(people[0], people[1]), *same_name]


def _name_and_city(name: str, city: str) -> str:
    key = name_key(name)
    return f"city:{key}|{city.casefold()}" if key and city else ""


def _birth_and_initials(name: str, born: date | None) -> str:
    initials = "".join(word[0] for word in name_tokens(name))
    return f"born:{born}|{initials}" if born and initials else ""


def _digest(key: str) -> int:
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
