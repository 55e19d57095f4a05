"""The customers behind a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from crm.models import Customer
from metrics.models import CohortCell, MemberSet, Snapshot

PAGE_SIZE = 50
CHUNK = 500


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some of the customers of a set, in the order of their ids.

    after: the id to go on after, None on the last page.
    """

    total: int
    customers: list[Customer]
    after: int | None


def find_set(snapshot: Snapshot, name: str) -> MemberSet | None:
    """Return a figure's set of that name; None when nobody is in it."""
    return MemberSet.objects.filter(
        pk__in=snapshot.sets.filter(name=name).values("members_id")
    ).first()


def set_sizes(snapshot: Snapshot) -> dict[str, int]:
    """Return name → how many customers, of the sets behind a figure; one query."""
    return dict(snapshot.sets.values_list("name", "members__size"))


def find_cell_set(run_id: int, cohort: str, offset: int) -> MemberSet | None:
    """Return who stands behind a cell of the cohort matrix; None when nobody does."""
    return MemberSet.objects.filter(
        pk__in=CohortCell.objects.filter(run_id=run_id, cohort=cohort, offset=offset).values(
            "members_id"
        )
    ).first()


def members_of(snapshot: Snapshot, name: str) -> Iterator[int]:
    """Yield the customer ids of a figure's set, ascending."""
    found = find_set(snapshot, name)
    return iter(_ids(found)) if found else iter(())


def page_of(members: MemberSet | None, *, after: int = 0, size: int = PAGE_SIZE) -> PeoplePage:
    """Return a page of a set's customers with ids above ``after``; one query."""
    if members is None:
        return PeoplePage(0, [], None)
    ids = list(
        islice(_ids(members).iter_equal_or_larger(max(0, min(after + 1, 2**32 - 1))), size + 1)
    )
    customers = Customer.objects.filter(pk__in=ids[:size]).select_related("location")
    return PeoplePage(
        total=members.size,
        customers=sorted(customers, key=lambda customer: customer.pk),
        after=ids[size - 1] if len(ids) > size else None,
    )


def list_people(ids: Iterable[int]) -> Iterator[Customer]:
    """Yield the customers with these ids, in this order, a few hundred at a time."""
    rest = iter(ids)
    while chunk := list(islice(rest, CHUNK)):
        found = Customer.objects.only("ref", "external_id").in_bulk(chunk)
        yield from (found[customer_id] for customer_id in chunk if customer_id in found)


def _ids(members: MemberSet) -> Any:
    from pyroaring import BitMap  # light, but still nothing a web process needs to start

    return BitMap.deserialize(bytes(members.members))
