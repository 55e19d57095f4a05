"""Complaints, standards, requests to leave: definitions against oracles, and examples by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.compute import IBIS_DUCKDB, computing
from metrics.kpis import KPIS
from tests.metrics.histories import History, store_of
from tests.metrics.histories.care import Care
from tests.metrics.histories.comparing import agree, compare
from tests.metrics.histories.facts import (
    AskedToLeave,
    Bought,
    Complained,
    Followed,
    Line,
    Stepped,
)
from tests.metrics.histories.strategies import (
    AS_OF,
    CUT,
    KNOWN_AT,
    ended,
    examples,
    instants,
    known_people,
    lines,
    links,
    orders,
    people,
    recorded,
    windows,
)

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]
DAY = timedelta(days=1)
JANUARY = windows()[2]


@st.composite
def requests(draw: st.DrawFn) -> AskedToLeave:
    at = draw(instants)
    outcome = draw(st.sampled_from(["open", "stayed", "left"]))
    return AskedToLeave(
        draw(known_people),
        at,
        recorded_at=draw(recorded),
        outcome=outcome,
        decided_at=None if outcome == "open" else at + draw(st.integers(0, 120)) * DAY,
        valid_from=draw(recorded),
        valid_until=draw(ended),
    )


@st.composite
def runs(draw: st.DrawFn) -> tuple[Followed, list[Stepped]]:
    number, started_at = draw(st.integers(1, 10**6)), draw(instants)
    due_at = started_at + 5 * DAY
    wait = draw(st.sampled_from([None, 4 * DAY, 5 * DAY, 6 * DAY]))
    run = Followed(
        draw(known_people),
        started_at,
        due_at,
        ended_at=None if wait is None else started_at + wait,
        status="open" if wait is None else draw(st.sampled_from(["completed", "abandoned"])),
        run_id=number,
    )
    steps = []
    for step_id in range(draw(st.integers(0, 2))):
        status = draw(st.sampled_from(["done", "done", "open", "skipped"]))
        is_over = status != "open"
        steps.append(
            Stepped(
                number,
                step_id + 1,
                due_at,
                status=status,
                done_at=started_at + DAY if is_over else None,
                recorded_at=draw(recorded) if is_over else None,
                is_required=draw(st.booleans()),
            )
        )
    return run, steps


def about_purchases(
    said: list[Complained], bought: list[Bought], contents: list[Line]
) -> list[Complained]:
    """Complaints, of which all but every third are about something that arrived before."""
    waits = [timedelta(0), DAY, 90 * DAY - timedelta.resolution, 90 * DAY]
    found = []
    for number, (row, line) in enumerate(zip(said, cycle(contents), strict=False)):
        order = bought[line.order_id - 1] if line.order_id <= len(bought) else bought[0]
        if order.delivered_at and number % 3:
            at = order.delivered_at + waits[number % 4]
            row = replace(row, customer_id=order.customer_id, at=at, product_id=line.product_id)
        found.append(row)
    return found


histories = st.builds(
    lambda asked, followed, said, bought, linked, contents: History(
        cancel_requests=asked,
        runs=[run for run, _steps in followed],
        run_steps=[step for _run, steps in followed for step in steps],
        complaints=about_purchases(said, bought, contents),
        orders=bought,
        links=linked,
        lines=contents,
    ),
    st.lists(requests(), min_size=1, max_size=10),
    st.lists(runs(), min_size=1, max_size=6, unique_by=lambda pair: pair[0].run_id),
    st.lists(
        st.builds(Complained, people, instants, recorded, ended, st.sampled_from([None, 1, 1, 2])),
        min_size=3,
        max_size=8,
    ),
    st.lists(orders(), min_size=3, max_size=8),
    links,
    st.lists(lines(6), min_size=3, max_size=8),
)


@examples(16)
@given(history=histories)
def test_the_figures_of_care_are_what_a_plain_count_finds(history: History) -> None:
    care = Care(history, AS_OF, KNOWN_AT)
    oracles = {
        "complaints": care.opened,
        "complaints_per_1000_orders": care.per_1000,
        "playbook_completion": care.standards,
        "save_rate": care.saved,
    }
    compare(history, oracles)
    of_definitions = {"complaints_per_1000_orders": care.per_1000}
    compare(history, of_definitions, engine=IBIS_DUCKDB)


@examples(6)
@given(history=histories)
def test_every_product_has_the_figures_of_its_own_complaints(history: History) -> None:
    oracles = {
        "complaints": Care.opened,
        "complaints_per_1000_orders": Care.per_1000,
        "complaint_rate": Care.rate,
    }
    seen = {window.name: window for window in windows()}
    with computing(store_of(history), **CUT) as computation:
        for key, oracle in oracles.items():
            found = computation.measures_of_products(KPIS[key], windows(), [1, 2])
            for product_id, measures in found.items():
                care = Care(history, AS_OF, KNOWN_AT, product_id)
                for name, measure in measures.items():
                    agree(measure, oracle(care, seen[name]), (key, product_id, name))


def test_requests_within_ninety_days_are_one_attempt_with_the_last_outcome() -> None:
    at = JANUARY.start
    history = History(
        cancel_requests=[
            AskedToLeave(1, at, 1, outcome="left", decided_at=at + DAY),
            AskedToLeave(1, at + 30 * DAY, 2, outcome="stayed", decided_at=at + 31 * DAY),
            AskedToLeave(2, at, 3, outcome="stayed", decided_at=at + DAY),
            AskedToLeave(3, at, 4, outcome="left", decided_at=at + DAY),
            AskedToLeave(4, at, 5),
        ]
    )
    with computing(store_of(history), **CUT) as computation:
        (figure,) = computation.figures(KPIS["save_rate"], [JANUARY])
    assert (figure.numerator, figure.denominator) == (2, 4)
    assert list(figure.sets["numerator"]) == [1, 2]
    assert list(figure.sets["undecided"]) == [4]


def test_fifty_complaints_for_two_thousand_purchases_are_25_per_1000() -> None:
    at = JANUARY.start
    history = History(
        orders=[Bought(who, at, delivered_at=at) for who in range(1, 2001)],
        complaints=[Complained(None, at) for _number in range(50)],
    )
    with computing(store_of(history), **CUT) as computation:
        (figure,) = computation.figures(KPIS["complaints_per_1000_orders"], [JANUARY])
        (count,) = computation.figures(KPIS["complaints"], [JANUARY])
    assert (figure.numerator, figure.denominator, figure.value) == (50, 2000, 25)
    assert count.value == 50
