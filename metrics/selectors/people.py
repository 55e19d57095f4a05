"""The customers behind a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from common.errors import NotFound
from crm.models import Customer
from metrics.models import CohortCell, MemberSet, SliceSet, Snapshot, SnapshotSet
from metrics.slices import has_own_sets

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
    """Return a figure's set of that name; None when nobody is in it.

    Of a slice: those of everybody's set who are in the slice.
    """
    return _sets(snapshot, [name]).get(name)


def set_sizes(snapshot: Snapshot) -> dict[str, int]:
    """Return name → how many customers, of the sets behind a figure; one query, two of a slice."""
    if has_own_sets(snapshot.dimension):
        return dict(snapshot.sets.values_list("name", "members__size"))
    return {name: found.size for name, found in _sets(snapshot).items()}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A set at two periods, person by person. stayed: in both; came: only later; left: before."""

    stayed: MemberSet
    came: MemberSet
    left: MemberSet

    def find(self, part: str) -> MemberSet:
        """Return one of the three parts by its name.

        :raises NotFound: there is none.
        """
        if part not in ("stayed", "came", "left"):
            raise NotFound
        found: MemberSet = getattr(self, part)
        return found


def compare_people(before: Snapshot, after: Snapshot, name: str) -> Comparison:
    """Return who stayed in a figure's set from one period to another, who came, who left.

    before, after: of one run, figure and group. One query, two of a slice, whatever the sizes.
    """
    is_cut = not has_own_sets(after.dimension)
    links = SnapshotSet.objects.filter(
        name=name,
        snapshot__run=after.run_id,
        snapshot__kpi=after.kpi,
        snapshot__period__in=[before.period, after.period],
        snapshot__dimension="" if is_cut else after.dimension,
    ).select_related("members", "snapshot")
    found = {link.snapshot.period: _ids(link.members) for link in links}
    old, new = (found.get(one.period) or bitmap_of(None) for one in (before, after))
    if is_cut:
        cut = bitmap_of(find_slice_set(after.run_id, after.dimension))
        old, new = old & cut, new & cut
    return Comparison(stayed=_kept(old & new), came=_kept(new - old), left=_kept(old - new))


def _sets(snapshot: Snapshot, names: list[str] | None = None) -> dict[str, MemberSet]:
    """A figure's sets by name, those without anybody left out."""
    links = snapshot.sets.all()
    if not has_own_sets(snapshot.dimension):
        links = SnapshotSet.objects.filter(
            snapshot__run=snapshot.run_id,
            snapshot__kpi=snapshot.kpi,
            snapshot__period=snapshot.period,
            snapshot__dimension="",
        )
    links = links.select_related("members")
    if names is not None:
        links = links.filter(name__in=names)
    found = {link.name: link.members for link in links}
    if has_own_sets(snapshot.dimension):
        return found
    cut = bitmap_of(find_slice_set(snapshot.run_id, snapshot.dimension))
    parts = {name: _kept(bitmap_of(members) & cut) for name, members in found.items()}
    return {name: members for name, members in parts.items() if members.size}


def find_slice_set(run_id: int, dimension: str) -> MemberSet | None:
    """Return who is in a slice of a run; None when it has no such slice; one query."""
    return MemberSet.objects.filter(
        pk__in=SliceSet.objects.filter(run_id=run_id, dimension=dimension).values("members_id")
    ).first()


def find_cell_set(
    run_id: int, cohort: str, offset: int, *, dimension: str = ""
) -> MemberSet | None:
    """Return who stands behind a cell of the cohort matrix; None when nobody does.

    dimension: only customers of a slice of the run. One query, two of a slice.
    """
    cells = CohortCell.objects.filter(run_id=run_id, cohort=cohort, offset=offset)
    found = MemberSet.objects.filter(pk__in=cells.values("members_id")).first()
    return within(found, find_slice_set(run_id, dimension)) if dimension else found


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


def bitmap_of(members: MemberSet | None) -> Any:
    """Return a set's customer ids as a roaring bitmap; an empty one for nobody."""
    from pyroaring import BitMap

    return BitMap() if members is None else _ids(members)


def union_of(sets: Iterable[MemberSet]) -> MemberSet:
    """Return everybody who is in any of the sets; it is not in the database."""
    from pyroaring import BitMap

    return _kept(BitMap.union(BitMap(), *[_ids(members) for members in sets]))


def within(members: MemberSet | None, others: MemberSet | None) -> MemberSet:
    """Return who is in both sets; it is not in the database."""
    return _kept(bitmap_of(members) & bitmap_of(others))


def set_of(ids: Iterable[int]) -> MemberSet:
    """Return these customers as a set; it is not in the database."""
    from pyroaring import BitMap

    return _kept(BitMap(ids))


def _kept(bitmap: Any) -> MemberSet:
    """A set that is not in the database."""
    return MemberSet(size=len(bitmap), members=bitmap.serialize())


def _ids(members: MemberSet) -> Any:
    from pyroaring import BitMap  # light, but still nothing a web process needs to start

    return BitMap.deserialize(bytes(members.members))
