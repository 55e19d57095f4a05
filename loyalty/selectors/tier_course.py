"""How a member's tier goes on: pure functions of what was reached and of the programme's terms.

A tier is reached at once, and left only when what counts no longer reaches it: days of grace
first, then what the terms say. Going down takes effect at a moment known beforehand, always the
start of a local day, so a late sweep leaves no trace; a purchase counts from the day after it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from common.money import to_units
from common.time import local_date, start_of_day
from loyalty.models import TermsVersion, Tier, TierAssignment
from loyalty.selectors.expiry import add_months

Reason = TierAssignment.Reason
Downgrade, TierWindow = TermsVersion.Downgrade, TermsVersion.TierWindow
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the terms say of tiers. months: of a rolling window."""

    is_rolling: bool
    months: int
    grace: timedelta
    downgrade: str

    @classmethod
    def of(cls, terms: TermsVersion) -> Policy:
        """Return what a version of the terms says."""
        return cls(
            is_rolling=terms.tier_window == TierWindow.ROLLING,
            months=terms.tier_months,
            grace=timedelta(days=terms.tier_grace_days),
            downgrade=terms.tier_downgrade,
        )

    def windows(self, day: date) -> list[tuple[date, date]]:
        """Return the days ``[first, end)`` over which is counted on a day; the best of them holds.

        Rolling: the last months, this day included. Calendar: this year and the one before, so
        that what was reached in a year holds until the end of the next.
        """
        if self.is_rolling:
            return [(add_months(day, -self.months) + ONE_DAY, day + ONE_DAY)]
        return [(date(year, 1, 1), date(year + 1, 1, 1)) for year in (day.year, day.year - 1)]

    def leaves_on(self, day: date) -> date:
        """Return the first day on which what was bought on ``day`` counts no more."""
        if not self.is_rolling:
            return date(day.year + 2, 1, 1)
        same = add_months(day, self.months)
        return same if same.day == day.day else same + ONE_DAY

    def next_window(self, day: date) -> date:
        """Return when a window that begins on ``day`` is over."""
        return add_months(day, self.months) if self.is_rolling else date(day.year + 1, 1, 1)

    def with_grace(self, ends_at: datetime) -> datetime:
        """Return when a tier that is no longer reached from then on is left."""
        return start_of_day(local_date(ends_at) + self.grace) if self.grace else ends_at


class Measure:
    """What a member has reached, day by day. by_day: local day → 1/10,000 of the measure's unit."""

    def __init__(self, by_day: Mapping[date, int], policy: Policy) -> None:
        self._days = sorted(by_day)
        self._sums = [0, *accumulate(by_day[day] for day in self._days)]
        self._policy = policy

    def reached(self, day: date) -> int:
        """Return what counts on a day, purchases of that day included."""
        return max(self._within(first, end) for first, end in self._policy.windows(day))

    def reached_before(self, day: date) -> int:
        """Return what counts at the start of a day, when nothing was bought on it yet."""
        return max(self._within(first, min(end, day)) for first, end in self._policy.windows(day))

    def falls_short(self, threshold: int, after: date) -> date | None:
        """Return the first day after ``after`` at whose start the threshold isn't reached.

        None: never, for a threshold of 0. As far as is known: a later purchase moves it on.
        """
        if threshold <= 0:
            return None
        days = {after + ONE_DAY} | {self._policy.leaves_on(day) for day in self._days}
        later = (day for day in sorted(days) if day > after)
        return next((day for day in later if self.reached_before(day) < threshold), None)

    def _within(self, first: date, end: date) -> int:
        last = bisect_left(self._days, end)
        return self._sums[last] - self._sums[min(bisect_left(self._days, first), last)]


class Rung(NamedTuple):
    """A tier on the ladder. threshold: in 1/10,000 of the measure's unit."""

    tier_id: int | None
    rank: int
    threshold: int


GROUND = Rung(None, 0, 0)


class Ladder:
    """The programme's tiers, lowest first, and the ground below them."""

    def __init__(self, tiers: Iterable[Tier]) -> None:
        rungs = [Rung(tier.pk, tier.rank, to_units(tier.threshold)) for tier in tiers]
        self.rungs: Sequence[Rung] = [GROUND, *sorted(rungs, key=lambda rung: rung.rank)]
        self._thresholds = [rung.threshold for rung in self.rungs]

    def best(self, reached: int) -> Rung:
        """Return the highest tier that was reached, or the ground."""
        return self.rungs[max(0, bisect_right(self._thresholds, reached) - 1)]

    def rung_of(self, tier_id: int | None) -> Rung:
        """Return where a tier stands."""
        return next((rung for rung in self.rungs if rung.tier_id == tier_id), GROUND)

    def below(self, rung: Rung) -> Rung:
        """Return the next lower tier, or the ground."""
        return next((one for one in reversed(self.rungs) if one.rank < rung.rank), GROUND)

    def above(self, rung: Rung) -> Rung | None:
        """Return the next higher tier; None at the top."""
        return next((one for one in self.rungs if one.rank > rung.rank), None)


class Spell(NamedTuple):
    """Time in a tier. ends_at: when time ends it if nothing more is bought; None: it doesn't."""

    rung: Rung
    since: datetime
    ends_at: datetime | None
    reason: str
    measured: int = 0


def course_of(
    present: Spell, measure: Measure, *, ladder: Ladder, policy: Policy, clock: datetime
) -> list[Spell]:
    """Return the present spell, as it is known to end by now, and those that followed by ``clock``.

    Only what was promised already counts: who returns goods loses a tier from now on, not before.
    """
    course = _Course(measure, ladder, policy, clock)
    spells = [course.renewed(present)]
    while (over := spells[-1].ends_at) is not None and over <= clock:
        spells.append(course.after(spells[-1], over))
    reached = measure.reached(local_date(clock))
    best = ladder.best(reached)
    last = spells[-1]
    is_back = last.reason == Reason.KEPT and best.rank >= last.rung.rank
    if best.rank > last.rung.rank or is_back:
        spells.append(course.begin(best, clock, Reason.REACHED, reached))
    return spells


@dataclass(frozen=True, slots=True)
class _Course:
    measure: Measure
    ladder: Ladder
    policy: Policy
    clock: datetime

    def begin(self, rung: Rung, since: datetime, reason: str, measured: int) -> Spell:
        """Return a spell in a tier that was reached."""
        return Spell(rung, since, self._end(rung, local_date(since)), reason, measured)

    def renewed(self, spell: Spell) -> Spell:
        """Return the spell with its end as known by now."""
        if spell.reason == Reason.GRANTED:
            return spell
        if spell.reason == Reason.KEPT:
            stays = self.policy.downgrade == Downgrade.NEVER
            return spell._replace(ends_at=None) if stays else spell
        # It was reached until its end as known before; that may have come or gone on since.
        stored = spell.ends_at
        known = min(self.clock, stored or self.clock)
        end: datetime | None = self._end(
            spell.rung, max(local_date(spell.since), local_date(known) - ONE_DAY)
        )
        if spell.reason == Reason.MOVED or self._keeps_a_window(spell):
            if stored is None or spell.rung == GROUND:
                return spell  # for good, until somebody decides otherwise
            end = None if end is None else max(stored, end)
        elif end is not None and end <= self.clock:
            # Known beforehand, or else something was taken back since.
            is_planned = stored is not None and stored <= self.clock
            end = max(stored, end) if stored is not None and is_planned else self.clock
        return spell._replace(ends_at=end)

    def after(self, spell: Spell, at: datetime) -> Spell:
        """Return what follows a spell that is over: days of grace, or another tier."""
        day = local_date(at)
        is_planned = at == start_of_day(day)
        reached = self.measure.reached_before(day) if is_planned else self.measure.reached(day)
        is_granted = spell.reason == Reason.GRANTED
        best = self.ladder.best(reached)
        if best.rank >= spell.rung.rank:
            return self.begin(best, at, Reason.REACHED, reached)
        if self.policy.grace and spell.reason != Reason.KEPT and not is_granted:
            until = start_of_day(day + self.policy.grace)
            return Spell(spell.rung, at, until, Reason.KEPT, reached)
        lower = self.ladder.below(spell.rung)
        if self.policy.downgrade != Downgrade.ONE_DOWN or is_granted or best.rank >= lower.rank:
            return self.begin(best, at, Reason.MISSED, reached)
        kept = None if lower == GROUND else start_of_day(self.policy.next_window(day))
        return Spell(lower, at, kept, Reason.MISSED, reached)

    def _end(self, rung: Rung, after: date) -> datetime | None:
        if rung == GROUND or self.policy.downgrade == Downgrade.NEVER:
            return None
        day = self.measure.falls_short(rung.threshold, after)
        return None if day is None else start_of_day(day)

    def _keeps_a_window(self, spell: Spell) -> bool:
        """Whether a member who went one tier down keeps that one for a window at least."""
        is_step = spell.reason == Reason.MISSED and spell.ends_at is not None
        return is_step and self.policy.downgrade == Downgrade.ONE_DOWN
