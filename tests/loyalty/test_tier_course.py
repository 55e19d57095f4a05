"""How a tier goes on: worked by hand, and against an oracle that looks at every single day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.time import local_date, start_of_day
from loyalty.models import Tier
from loyalty.selectors.tier_course import (
    GROUND,
    Ladder,
    Measure,
    Policy,
    Reason,
    Spell,
    course_of,
)
from tests.requirements import tries

UNIT = 10_000
SILVER, GOLD = 1, 2
LADDER = Ladder(
    [Tier(pk=SILVER, rank=1, threshold=Decimal(100)), Tier(pk=GOLD, rank=2, threshold=Decimal(300))]
)
NAMES = {None: "-", SILVER: "silver", GOLD: "gold"}


def policy(window="rolling", months=12, grace=0, downgrade="requalify"):
    return Policy(window == "rolling", months, timedelta(days=grace), downgrade)


def noon(day: date) -> datetime:
    return start_of_day(day) + timedelta(hours=12)


def followed(bought, until, rules, sweeps=None):
    """The spells of somebody whose tier was swept at noon of these days (by default each)."""
    bought = {date.fromisoformat(day): points for day, points in bought.items()}
    last = date.fromisoformat(until)
    days = sweeps or [
        min(bought) + timedelta(days=number) for number in range((last - min(bought)).days + 1)
    ]
    spells = [Spell(GROUND, noon(days[0]), None, Reason.MISSED)]
    for day in days:
        known = {one: points * UNIT for one, points in bought.items() if one <= day}
        measure = Measure(known, rules)
        spells[-1:] = course_of(spells[-1], measure, ladder=LADDER, policy=rules, clock=noon(day))
    return spells


def told(spells):
    return [
        (NAMES[spell.rung.tier_id], str(local_date(spell.since)), str(spell.reason))
        for spell in spells[1:]
    ]


def test_a_tier_over_the_last_twelve_months_ends_when_the_purchase_is_a_year_old() -> None:
    spells = followed({"2025-03-15": 120}, "2026-04-01", policy())
    assert told(spells) == [("silver", "2025-03-15", "reached"), ("-", "2026-03-15", "missed")]
    assert spells[1].ends_at == start_of_day(date(2026, 3, 15))


def test_what_was_reached_in_a_calendar_year_holds_until_the_end_of_the_next() -> None:
    spells = followed({"2024-11-30": 120}, "2026-02-01", policy("calendar"))
    assert told(spells) == [("silver", "2024-11-30", "reached"), ("-", "2026-01-01", "missed")]


def test_purchases_of_two_calendar_years_are_not_added_up() -> None:
    spells = followed({"2024-12-31": 99, "2025-01-01": 99}, "2025-02-01", policy("calendar"))
    assert told(spells) == []


def test_a_purchase_on_the_leap_day_counts_for_a_full_year() -> None:
    spells = followed({"2024-02-29": 120}, "2025-03-05", policy())
    assert told(spells)[1] == ("-", "2025-03-01", "missed")


def test_a_month_from_the_31st_ends_with_the_next_month() -> None:
    spells = followed({"2026-01-31": 120}, "2026-03-05", policy(months=1))
    assert told(spells)[1] == ("-", "2026-03-01", "missed")


def test_the_end_of_a_tier_is_the_start_of_a_local_day_on_either_side_of_a_clock_change(
    settings,
) -> None:
    settings.KEEPWELL_TIMEZONE = "Europe/Berlin"  # clocks go on at 2026-03-29 01:00 UTC
    before = followed({"2026-02-28": 120}, "2026-03-28", policy(months=1))
    after = followed({"2026-03-01": 120}, "2026-04-02", policy(months=1))
    assert before[-1].since == datetime(2026, 3, 27, 23, 0, tzinfo=UTC)
    assert after[-1].since == datetime(2026, 3, 31, 22, 0, tzinfo=UTC)


def test_in_the_days_of_grace_a_tier_is_kept_and_can_be_reached_again() -> None:
    rules = policy(months=1, grace=10)
    lost = followed({"2026-01-10": 120}, "2026-03-01", rules)
    assert told(lost) == [
        ("silver", "2026-01-10", "reached"),
        ("silver", "2026-02-10", "kept"),
        ("-", "2026-02-20", "missed"),
    ]
    saved = followed({"2026-01-10": 120, "2026-02-19": 100}, "2026-03-01", rules)
    assert told(saved) == [
        ("silver", "2026-01-10", "reached"),
        ("silver", "2026-02-10", "kept"),
        ("silver", "2026-02-19", "reached"),
    ]


def test_who_requalifies_falls_to_the_tier_that_was_reached_one_down_to_the_next_lower() -> None:
    bought = {"2026-01-10": 400}
    straight = followed(bought, "2026-04-20", policy(months=1))
    assert told(straight)[1:] == [("-", "2026-02-10", "missed")]
    by_steps = followed(bought, "2026-04-20", policy(months=1, downgrade="one_down"))
    assert told(by_steps)[1:] == [("silver", "2026-02-10", "missed"), ("-", "2026-03-10", "missed")]
    for_good = followed(bought, "2026-04-20", policy(months=1, downgrade="never"))
    assert told(for_good)[1:] == []


def test_one_down_is_no_lower_than_what_was_reached() -> None:
    bought = {"2026-01-10": 200, "2026-01-20": 150}
    spells = followed(bought, "2026-02-15", policy(months=1, downgrade="one_down"))
    assert told(spells) == [
        ("silver", "2026-01-10", "reached"),
        ("gold", "2026-01-20", "reached"),
        ("silver", "2026-02-10", "missed"),
    ]


def test_a_tier_climbs_at_once_over_several_steps() -> None:
    assert told(followed({"2026-01-10": 1000}, "2026-01-10", policy())) == [
        ("gold", "2026-01-10", "reached")
    ]


def test_who_returns_goods_leaves_the_tier_from_then_on_not_before() -> None:
    rules = policy()
    clock = noon(date(2026, 5, 1))
    silver = Spell(LADDER.rungs[1], noon(date(2026, 3, 1)), noon(date(2027, 3, 1)), Reason.REACHED)
    nothing = Measure({date(2026, 3, 1): 0}, rules)
    [first, then] = course_of(silver, nothing, ladder=LADDER, policy=rules, clock=clock)
    assert (first.ends_at, then.rung, then.since) == (clock, GROUND, clock)


def test_who_returns_goods_and_buys_as_much_on_the_same_day_never_leaves_the_tier() -> None:
    rules = policy(grace=30)
    clock = noon(date(2026, 5, 1))
    silver = Spell(LADDER.rungs[1], noon(date(2026, 3, 1)), noon(date(2027, 3, 1)), Reason.REACHED)
    measure = Measure({date(2026, 3, 1): 0, date(2026, 5, 1): 120 * UNIT}, rules)
    spells = course_of(silver, measure, ladder=LADDER, policy=rules, clock=clock)
    assert told(spells) == [("silver", "2026-05-01", "reached")]


def test_what_was_given_by_hand_lasts_until_its_day_and_then_counts_what_was_reached() -> None:
    rules = policy(grace=30, downgrade="one_down")
    until = start_of_day(date(2026, 5, 1))
    gold = Spell(LADDER.rungs[2], noon(date(2026, 3, 1)), until, Reason.GRANTED)
    measure = Measure({date(2026, 3, 1): 120 * UNIT}, rules)
    before = course_of(gold, measure, ladder=LADDER, policy=rules, clock=noon(date(2026, 4, 30)))
    assert before == [gold]
    after = course_of(gold, measure, ladder=LADDER, policy=rules, clock=noon(date(2026, 5, 1)))
    assert told(after) == [("silver", "2026-05-01", "missed")]


BEGIN = date(2025, 1, 1)
days = st.integers(0, 500).map(lambda number: BEGIN + timedelta(days=number))


class Oracle:
    """A member's tier at the start of every day and at its noon, from the definitions alone."""

    def __init__(self, bought, rules):
        self.bought, self.rules = bought, rules

    def counted(self, day, known_until):
        """What counts on ``day`` of what was bought up to ``known_until`` (inclusive)."""

        def total(counts):
            return sum(
                points for one, points in self.bought.items() if one <= known_until and counts(one)
            )

        if not self.rules.is_rolling:
            return max(
                total(lambda one, y=year: one.year == y) for year in (day.year, day.year - 1)
            )
        index = day.year * 12 + day.month - 1 - self.rules.months
        year, month = index // 12, index % 12 + 1
        first = date(year, month, 1)
        length = ((first + timedelta(days=31)).replace(day=1) - first).days
        border = date(year, month, min(day.day, length))
        return total(lambda one: one > border)

    def rank(self, reached):
        return 2 if reached >= 300 * UNIT else 1 if reached >= 100 * UNIT else 0

    def run(self, last):
        """Return day → rank at noon."""
        rank, since, grace_until, floor = 0, None, None, None
        ranks = {}
        day = BEGIN
        while day <= last:
            yesterday = day - timedelta(days=1)
            best = self.rank(self.counted(day, yesterday))
            if rank and day != since and self.rules.downgrade != "never":
                short = best < rank and (floor is None or day >= floor)
                if grace_until is None and short and self.rules.grace:
                    grace_until = day + self.rules.grace
                elif short and (grace_until is None or day >= grace_until):
                    lower = rank - 1
                    grace_until, floor = None, None
                    if self.rules.downgrade == "one_down" and best < lower:
                        rank, floor = lower, self.rules.next_window(day)
                    else:
                        rank = best
            best = self.rank(self.counted(day, day))
            if best > rank or (best == rank and grace_until is not None):
                rank, since, grace_until, floor = best, day, None, None
            ranks[day] = rank
            day += timedelta(days=1)
        return ranks


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=tries(200), deadline=None)
@given(
    bought=st.dictionaries(
        days, st.integers(1, 350).map(lambda points: points * UNIT), min_size=1, max_size=8
    ),
    window=st.sampled_from(["rolling", "calendar"]),
    months=st.sampled_from([1, 2, 3, 6]),
    grace=st.sampled_from([0, 1, 20]),
    downgrade=st.sampled_from(["requalify", "one_down", "never"]),
    late=st.sets(st.integers(0, 560), max_size=6),
)
def test_the_course_is_that_of_an_oracle_that_looks_at_every_day_however_late_the_sweep(
    bought, window, months, grace, downgrade, late
) -> None:
    rules = policy(window, months, grace, downgrade)
    last = BEGIN + timedelta(days=560)
    ranks = Oracle(bought, rules).run(last)
    # Climbing is noticed by the sweep that follows each purchase; between them it may be late.
    swept = sorted({BEGIN, last, *bought, *(BEGIN + timedelta(days=number) for number in late)})
    spells = [Spell(GROUND, noon(BEGIN), None, Reason.MISSED)]
    for day in swept:
        known = {one: points for one, points in bought.items() if one <= day}
        spells[-1:] = course_of(
            spells[-1], Measure(known, rules), ladder=LADDER, policy=rules, clock=noon(day)
        )
    for day, rank in ranks.items():
        at = noon(day)
        now = [spell for spell in spells if spell.since <= at][-1]
        assert now.rung.rank == rank, (day, told(spells))
    assume(len(spells) > 1)
