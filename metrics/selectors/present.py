"""Who of a set is still there."""

from __future__ import annotations

from itertools import islice

from crm.models import Customer
from metrics.models import MemberSet
from metrics.selectors.people import bitmap_of

PORTION = 500


def present_ids(members: MemberSet | None) -> list[int]:
    """Return the ids of a set's customers who were neither erased nor merged since, ascending.

    A query for every 500.
    """
    rest = iter(bitmap_of(members))
    found: list[int] = []
    while portion := list(islice(rest, PORTION)):
        there = Customer.objects.filter(pk__in=portion, erased_at__isnull=True, person__isnull=True)
        found += sorted(there.values_list("pk", flat=True))
    return found
