"""How members moved between tiers from one day to another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from django.core.cache import cache
from django.db.models import Max, Q

from common.time import start_of_day
from loyalty.models import Membership, Tier, TierAssignment

KEPT_SECONDS = 3600  # two past days don't change often, and counting a million members is felt


@dataclass(frozen=True, slots=True)
class TierMigration:
    """Members by tier at the end of two local days. A rank of 0: no tier, or no member yet.

    moves: (rank then, rank after) → members.  names: rank → name.
    """

    since: date
    until: date
    moves: dict[tuple[int, int], int]
    names: dict[int, str]

    @property
    def climbed(self) -> int:
        """Members who are higher now."""
        return sum(members for (then, after), members in self.moves.items() if after > then)

    @property
    def fell(self) -> int:
        """Members who are lower now."""
        return sum(members for (then, after), members in self.moves.items() if after < then)

    @property
    def stayed(self) -> int:
        """Members who are where they were, in a tier."""
        return sum(
            members for (then, after), members in self.moves.items() if then == after and then
        )


def tier_migration(since: date, until: date) -> TierMigration:
    """Return the moves from the end of one local day to that of another. Three queries.

    What is known now of then: a tier that was set later for an earlier time counts from then.
    """
    tiers = Tier.objects.filter(programme__is_running=True).order_by("rank")
    names = dict(tiers.values_list("rank", "name"))
    key = f"loyalty.tiers.{since}.{until}"
    moves: dict[tuple[int, int], int] | None = cache.get(key)
    if moves is None:
        moves = _moves(since, until)
        cache.set(key, moves, KEPT_SECONDS)
    return TierMigration(since, until, moves, names)


def _moves(since: date, until: date) -> dict[tuple[int, int], int]:
    then, after = _holds_after(since), _holds_after(until)
    rows = (
        TierAssignment.objects.filter(then | after)
        .values("account")
        .annotate(
            then=Max("tier__rank", filter=then),
            after=Max("tier__rank", filter=after),
        )
        .order_by()
    )
    moves: Counter[tuple[int, int]] = Counter()
    for before, now in rows.values_list("then", "after").iterator():
        moves[before or 0, now or 0] += 1
    members = Membership.objects.filter(joined_at__lt=start_of_day(until + timedelta(days=1)))
    moves[0, 0] += members.count() - moves.total()
    return {move: count for move, count in moves.items() if count > 0}


def _holds_after(day: date) -> Q:
    end = start_of_day(day + timedelta(days=1))
    return Q(since__lt=end) & (Q(until__isnull=True) | Q(until__gte=end))
