"""Which tier members had when, for many at once, whether or not the sweep was there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q

from loyalty.models import Programme, TierAssignment
from loyalty.selectors.programme import conditions_of
from loyalty.selectors.tier_course import Ladder, Policy, course_of
from loyalty.selectors.tier_measures import measures_of
from loyalty.selectors.tiers import list_tiers, spell_of


class TierSpell(NamedTuple):
    """A member has a tier in ``[since, until)``; ``tier_id`` None: below the lowest."""

    tier_id: int | None
    since: datetime
    until: datetime | None


def tier_spells(
    programme: Programme,
    account_ids: Collection[int],
    *,
    first: datetime,
    last: datetime,
    clock: datetime,
) -> dict[int, list[TierSpell]]:
    """Return account id → the tiers had between two moments, latest first.

    One query, whatever the number of accounts; where time ended a tier that no sweep has ended
    yet, the few more that a course takes.
    """
    spells: dict[int, list[TierSpell]] = defaultdict(list)
    over = []
    rows = TierAssignment.objects.filter(
        Q(until__isnull=True) | Q(until__gt=first), account__in=account_ids, since__lte=last
    ).order_by("-since", "-pk")
    for row in rows:
        if row.until is None and row.grace_until is not None and row.grace_until <= last:
            over.append(row)
        else:
            spells[row.account_id].append(TierSpell(row.tier_id, row.since, row.until))
    for account_id, course in (_courses(programme, over, clock) if over else {}).items():
        spells[account_id] = [*course, *spells[account_id]]
    return dict(spells)


def tier_at(spells: Sequence[TierSpell], at: datetime) -> int | None:
    """Return which tier some spells mean at a moment."""
    for spell in spells:
        if spell.since <= at and (spell.until is None or at < spell.until):
            return spell.tier_id
    return None


def _courses(
    programme: Programme, over: Sequence[TierAssignment], clock: datetime
) -> Mapping[int, list[TierSpell]]:
    """Return what followed assignments that are over by ``clock``, latest first."""
    terms = conditions_of(programme, clock)
    ladder, policy = Ladder(list_tiers()), Policy.of(terms)
    present = {row.account_id: spell_of(row, ladder, clock) for row in over}
    since = min(clock, *(spell.ends_at or clock for spell in present.values()))
    measures = measures_of(list(present), programme=programme, terms=terms, since=since)
    courses = {}
    for account_id, spell in present.items():
        if account_id in measures:
            measure = measures[account_id]
            course = course_of(spell, measure, ladder=ladder, policy=policy, clock=clock)
        else:
            course = [spell]
        ends = [*(one.since for one in course[1:]), None]
        told = [
            TierSpell(one.rung.tier_id, one.since, until)
            for one, until in zip(course, ends, strict=True)
        ]
        courses[account_id] = told[::-1]
    return courses
