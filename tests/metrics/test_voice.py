"""What customers say: definitions against an oracle, and worked examples by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.compute import computing
from metrics.kpis import KPIS
from tests.metrics.histories import History, store_of
from tests.metrics.histories.comparing import compare
from tests.metrics.histories.facts import Answered, Bought, Invited
from tests.metrics.histories.strategies import (
    AS_OF,
    CUT,
    KNOWN_AT,
    ended,
    examples,
    instants,
    known_people,
    links,
    orders,
    people,
    recorded,
    windows,
)
from tests.metrics.histories.voice import Voice

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]
DAY = timedelta(days=1)
JANUARY = windows()[2]


@st.composite
def answers(draw: st.DrawFn) -> Answered:
    kind, scale = draw(st.sampled_from([("csat", 5), ("csat", 5), ("csat", 10), ("ces", 7)]))
    return Answered(
        draw(people),
        draw(instants),
        draw(st.integers(1, scale)),
        draw(recorded),
        draw(ended),
        kind=kind,
        scale=scale,
    )


@st.composite
def invitations(draw: st.DrawFn) -> Invited:
    sent_at = draw(instants)
    wait = draw(st.sampled_from([None, timedelta(0), timedelta(days=3), timedelta(days=100)]))
    return Invited(
        draw(known_people),
        sent_at,
        responded_at=None if wait is None else sent_at + wait,
        response_recorded_at=None if wait is None else draw(recorded),
    )


histories = st.builds(
    lambda said, asked, bought, linked: History(
        responses=said, invitations=asked, orders=bought, links=linked
    ),
    st.lists(answers(), min_size=3, max_size=14),
    st.lists(invitations(), min_size=1, max_size=6),
    st.lists(orders(), min_size=3, max_size=8),
    links,
)


@examples(16)
@given(history=histories)
def test_what_customers_say_is_what_a_plain_count_finds(history: History) -> None:
    voice = Voice(history, AS_OF, KNOWN_AT)
    oracles = {
        "csat": voice.csat,
        "ces": voice.ces,
        "survey_response_rate": voice.response_rate,
        "satisfaction_retention": voice.satisfaction,
    }
    compare(history, oracles)


def test_satisfied_customers_stay_by_forty_points() -> None:
    at = JANUARY.start + DAY
    said = [
        (1, 5),
        (2, 4),
        (3, 4),
        (4, 5),
        (5, 4),
        (6, 1),
        (7, 2),
        (8, 2),
        (9, 1),
        (10, 2),
        (11, 3),
    ]
    history = History(
        responses=[Answered(who, at, score, kind="csat", scale=5) for who, score in said],
        orders=[Bought(who, at + 89 * DAY) for who in (1, 2, 3, 4, 6, 7)]
        + [Bought(8, at + 90 * DAY)],  # a moment too late
    )
    with computing(store_of(history), **CUT) as computation:
        (figure,) = computation.figures(KPIS["satisfaction_retention"], [JANUARY])
    # 4 of 5 satisfied customers bought again, 2 of 5 dissatisfied.
    assert (figure.numerator, figure.denominator) == (4, 5)
    assert figure.value == 40
    assert (figure.low or 0) < 0 < (figure.high or 0)
    assert "observational" in figure.flags


def test_the_mean_effort_has_an_interval_and_who_found_it_easy() -> None:
    said = [(1, 7), (2, 6), (3, 2)]
    history = History(
        responses=[Answered(who, JANUARY.start, n, kind="ces", scale=7) for who, n in said]
    )
    with computing(store_of(history), **CUT) as computation:
        (figure,) = computation.figures(KPIS["ces"], [JANUARY])
    assert (figure.numerator, figure.denominator, figure.value) == (15, 3, 5)
    assert [list(figure.sets[name]) for name in ("easy", "hard")] == [[1, 2], [3]]
    # Student's interval of 7, 6, 2: 5 ± 4.302653 × 2.645751 / √3
    assert figure.low
    assert abs(float(figure.low) - (5 - 6.572411)) < 1e-6
