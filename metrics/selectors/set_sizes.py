"""How many people stand behind many figures at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metrics.models import Snapshot, SnapshotSet
from metrics.selectors.people import bitmap_of, find_slice_set
from metrics.slices import has_own_sets

Sizes = dict[str, dict[str, int]]


def sizes_of(snapshots: Sequence[Snapshot]) -> Sizes:
    """Return the figure's key → name of a set → how many customers, of snapshots of one run.

    They are all of everybody or all of the same slice, and of each figure there is one. One query;
    of a slice two, since who is in it has to be counted.
    """
    if not snapshots:
        return {}
    first = snapshots[0]
    links = SnapshotSet.objects.filter(
        snapshot__run=first.run_id,
        snapshot__kpi__in={one.kpi for one in snapshots},
        snapshot__period__in={one.period for one in snapshots},
        snapshot__dimension=first.dimension if has_own_sets(first.dimension) else "",
    ).select_related("snapshot")
    wanted = {(one.kpi, one.period) for one in snapshots}
    found: Sizes = {one.kpi: {} for one in snapshots}
    cut: Any = None
    if not has_own_sets(first.dimension):
        cut = bitmap_of(find_slice_set(first.run_id, first.dimension))
        links = links.select_related("snapshot", "members")
        rows = [(one.snapshot.kpi, one.snapshot.period, one.name, one.members) for one in links]
        for key, period, name, members in rows:
            if (key, period) in wanted:
                found[key][name] = bitmap_of(members).intersection_cardinality(cut)
        return found
    for key, period, name, size in links.values_list(
        "snapshot__kpi", "snapshot__period", "name", "members__size"
    ):
        if (key, period) in wanted:
            found[key][name] = size
    return found
