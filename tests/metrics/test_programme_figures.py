"""Figures of the loyalty programme: definitions against an oracle, and an example by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.time import Period
from metrics.compute import computing
from metrics.kpis import KPIS
from metrics.words import show
from tests.metrics.histories import History, store_of
from tests.metrics.histories.comparing import compare
from tests.metrics.histories.facts import Bought, Joined, Owed, Scored
from tests.metrics.histories.lift import Lift
from tests.metrics.histories.programme import Programme
from tests.metrics.histories.strategies import (
    AS_OF,
    CUT,
    KNOWN_AT,
    examples,
    instants,
    known_people,
    links,
    mostly,
    orders,
    recorded,
    windows,
)

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]
DAY = timedelta(days=1)
JANUARY = windows()[2]


@st.composite
def lots(draw: st.DrawFn) -> list[Scored]:
    """The entries of a lot: issued, and then used, given back or expired in part."""
    lot_id, who, at = draw(st.integers(1, 10**6)), draw(known_people), draw(instants)
    known = draw(recorded)
    entries = [Scored(who, 100, at, transaction_id=lot_id * 10, lot_id=lot_id, issued_at=at,
                      recorded_at=known)]  # fmt: skip
    moves = [("redeem", -40), ("restore", 10), ("redeem", -20), ("expire", -50), ("reversal", -100)]
    made = draw(st.lists(st.sampled_from(moves), max_size=3))
    left = 100 + sum(points for _kind, points in made)
    if draw(mostly(True, st.just(False))):
        made.append(("expire", -left))  # a month of which none are left is over
    for number, (kind, points) in enumerate(made, 1):
        entries.append(
            Scored(
                who,
                points,
                at + draw(st.sampled_from([0, 1, 30, 90, 364, 365])) * DAY,
                kind=kind,
                transaction_id=lot_id * 10 + number,
                lot_id=lot_id,
                issued_at=at,
                recorded_at=known,
            )
        )
    return entries


members = st.builds(
    lambda who, at, wait, known: Joined(
        who, at, recorded_at=known, closed_at=None if wait is None else at + wait * DAY
    ),
    known_people,
    instants,
    st.sampled_from([None, 10, 200]),
    recorded,
)
closed_months = st.builds(
    lambda month, amount, points, known, currency: Owed(
        Period.parse(month).start, amount, points, recorded_at=known, currency=currency
    ),
    st.sampled_from(["2025-09", "2025-12", "2026-02", "2026-03", "2026-04", "2026-05"]),
    st.sampled_from([0, 1, 7_777_777]),
    st.sampled_from([-3, 0, 1, 40_000]),
    recorded,
    mostly("USD", st.just("EUR")),
)
histories = st.builds(
    lambda found, joined, bought, linked, owed: History(
        points=[entry for lot in found for entry in lot],
        memberships=joined,
        orders=bought,
        links=linked,
        liabilities=owed,
    ),
    st.lists(lots(), min_size=1, max_size=6, unique_by=lambda lot: lot[0].lot_id),
    st.lists(members, min_size=1, max_size=6),
    st.lists(orders(), max_size=6),
    links,
    st.lists(closed_months, max_size=8),
)


# Around the begin of a month that is over by more than 90 days, before which people buy alike.
begins = st.sampled_from([Period.parse(name).start for name in ("2025-11", "2025-12", "2026-01")])
bought_around = st.builds(
    lambda begin, days, order: replace(order, at=begin + days * DAY),
    begins,
    st.sampled_from([-100, -90, -80, -31, -30, -20, -1, -1, 5, 31, 40, 60, 119, 121]),
    orders(),
)
joined_around = st.builds(
    lambda begin, days, member: replace(member, joined_at=begin + days * DAY, closed_at=None),
    begins,
    st.sampled_from([-1, 0, 1, 20, 31, 119, 121]),
    members,
)
lifts = st.builds(
    lambda bought, joined, linked: History(orders=bought, memberships=joined, links=linked),
    st.lists(bought_around, min_size=6, max_size=20),
    st.lists(joined_around, min_size=1, max_size=3),
    links,
)


@examples(16)
@given(history=histories)
def test_the_programme_s_figures_are_what_a_plain_count_finds(history: History) -> None:
    programme = Programme(history, AS_OF, KNOWN_AT)
    oracles = {
        "loyalty_enrolment_rate": programme.enrolment,
        "loyalty_active_rate": programme.active,
        "loyalty_redemption_rate": programme.redemption,
        "loyalty_breakage_rate": programme.breakage,
        "loyalty_liability": programme.liability,
    }
    compare(history, oracles)


@examples(12)
@given(history=lifts)
def test_what_members_buy_more_is_what_a_plain_count_finds(history: History) -> None:
    compare(history, {"member_lift": Lift(history, AS_OF, KNOWN_AT).lift})


def test_joiners_spent_20_more_and_customers_like_them_5_less() -> None:
    before, after = JANUARY.start - DAY, JANUARY.end + DAY

    def spent(who: int, was: int, became: int) -> list[Bought]:
        return [
            Bought(who, before, amount=was * 10_000),
            Bought(who, after, amount=became * 10_000),
        ]

    history = History(
        orders=[
            Bought(None, JANUARY.start - 91 * DAY),  # so long have purchases been known
            *spent(1, 50, 70),
            *spent(2, 10, 30),
            *spent(3, 40, 35),
            *spent(4, 20, 15),
        ],
        memberships=[Joined(1, JANUARY.start), Joined(2, JANUARY.start + DAY)],
    )
    with computing(store_of(history), **CUT) as computation:
        (figure,) = computation.figures(KPIS["member_lift"], [JANUARY])
    assert (figure.numerator, figure.denominator, figure.value) == (50, 2, 25)
    assert list(figure.sets["compared"]) == [3, 4]
    assert figure.flags == ["few", "observational"]


@pytest.mark.parametrize(("days", "flags"), [(91, []), (89, ["left_truncated"])])
def test_what_was_spent_before_is_told_only_where_all_of_it_is_known(
    days: int, flags: list[str]
) -> None:
    history = History(
        orders=[
            Bought(None, JANUARY.start - days * DAY),
            *[Bought(who, JANUARY.start - DAY) for who in range(1, 13)],
        ],
        memberships=[Joined(who, JANUARY.start) for who in range(1, 7)],
    )
    with computing(store_of(history), **CUT) as computation:
        figures = computation.figures(KPIS["member_lift"], windows())
    by_period = {figure.period: figure for figure in figures}
    figure = by_period[JANUARY.name]
    assert figure.flags == [*flags, "observational"]
    assert figure.is_complete is not bool(flags)
    assert (figure.value is None) is bool(flags)
    assert (figure.numerator, figure.denominator) == (0, 6)
    assert "left_truncated" not in by_period[""].flags


def test_of_a_month_s_points_a_third_is_used_and_the_rest_expires() -> None:
    at = JANUARY.start

    def entry(kind: str, points: int, days: int, number: int) -> Scored:
        return Scored(1, points, at + days * DAY, kind=kind, transaction_id=number, lot_id=1,
                      issued_at=at)  # fmt: skip

    history = History(
        points=[entry("earn", 300, 0, 1), entry("redeem", -150, 3, 2), entry("restore", 50, 4, 3),
                entry("expire", -200, 40, 4)]
    )  # fmt: skip
    with computing(store_of(history), **CUT) as computation:
        (used,) = computation.figures(KPIS["loyalty_redemption_rate"], [JANUARY])
        lost = computation.figures(KPIS["loyalty_breakage_rate"], windows())
    assert (used.numerator, used.denominator) == (100, 300)
    by_period = {figure.period: (figure.numerator, figure.denominator) for figure in lost}
    assert by_period["2026-01"] == (0, 0)  # some were left then
    assert by_period[""] == (200, 300)


def test_what_is_owed_is_that_of_the_month_which_ended_last() -> None:
    def month(name: str, owed: int, points: int) -> list[Owed]:
        start = Period.parse(name).start
        return [Owed(start, owed * 10_000, points), Owed(start, owed * 10_000, points)]

    history = History(
        liabilities=[*month("2025-12", 100, 5_000), *month("2026-03", 360, 50_000)],
        points=[Scored(1, 7, JANUARY.start - DAY, transaction_id=1, lot_id=1)],
    )
    with computing(store_of(history), **CUT) as computation:
        found = computation.figures(KPIS["loyalty_liability"], windows())
    by_period = {figure.period: figure for figure in found}
    quarter = by_period["2026-Q1"]
    assert (quarter.value, quarter.numerator, quarter.denominator) == (720, 720, 100_000)
    assert list(quarter.sets["denominator"]) == [1]
    assert (show(quarter, None).value, show(quarter, None).words) == (
        "$720.00",
        "For 100,000 points.",
    )
    assert by_period["2025"].value == 200
    # January is over and not closed; April neither, but this is the latest that is known.
    assert (by_period["2026-01"].value, by_period["2026-01"].numerator) == (None, 0)
    assert by_period[""].value == 720
