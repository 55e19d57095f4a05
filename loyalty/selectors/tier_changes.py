"""Which members' tiers changed by a moment: what is to be written, for many at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from loyalty.models import Membership, PointsAccount, Programme, TierAssignment
from loyalty.selectors.programme import conditions_of
from loyalty.selectors.tier_course import Ladder, Measure, Policy, Spell, course_of
from loyalty.selectors.tier_measures import measures_of
from loyalty.selectors.tiers import spell_of


class Changes(NamedTuple):
    """courses: account id → the present spell and what followed, where that is news.

    measures: account id → what was reached, for all that were looked at.
    """

    courses: dict[int, list[Spell]]
    measures: dict[int, Measure]


def present_of(account_ids: Collection[int]) -> dict[int, TierAssignment]:
    """Return account id → the assignment a member is in, with its tier; one query."""
    rows = TierAssignment.objects.filter(account__in=account_ids, until__isnull=True)
    return {one.account_id: one for one in rows.select_related("tier")}


def changes_of(
    programme: Programme,
    account_ids: Collection[int],
    present: Mapping[int, TierAssignment],
    *,
    ladder: Ladder,
    clock: datetime,
) -> Changes:
    """Return what became of members' tiers up to the clock; at most seven queries."""
    ends = [one.grace_until for one in present.values() if one.grace_until is not None]
    terms = conditions_of(programme, clock)
    since = min([clock, *ends])
    measures = measures_of(account_ids, programme=programme, terms=terms, since=since)
    policy = Policy.of(terms)
    courses = {}
    for account_id, measure in measures.items():
        spell = spell_of(present.get(account_id), ladder, clock)
        course = course_of(spell, measure, ladder=ladder, policy=policy, clock=clock)
        if course != [spell]:
            courses[account_id] = course
    return Changes(courses, measures)


def members_to_move(
    programme: Programme, account_ids: Collection[int], clock: datetime
) -> list[int]:
    """Return those of the accounts whose tier, or its end, is another by now; nothing is locked.

    Closed memberships are left out. At most ten queries, whatever the number of accounts.
    """
    taking_part = PointsAccount.objects.filter(pk__in=account_ids).exclude(
        membership__status=Membership.Status.CLOSED
    )
    ids = list(taking_part.order_by("pk").values_list("pk", flat=True))
    ladder = Ladder(programme.tiers.all())
    changes = changes_of(programme, ids, present_of(ids), ladder=ladder, clock=clock)
    return list(changes.courses)
