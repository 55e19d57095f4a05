"""Kernels, definitions and a plain count over the same histories agree."""

from __future__ import annotations

import pytest
from django.conf import settings as django_settings
from hypothesis import given
from hypothesis import strategies as st

from metrics.compute import AUTO, IBIS_DUCKDB, computing
from metrics.kpis import KPIS
from tests.metrics import histories
from tests.metrics.histories import Answered, Complained, History, store_of
from tests.metrics.histories.strategies import (
    AS_OF,
    KNOWN_AT,
    ended,
    examples,
    instants,
    links,
    months,
    orders,
    people,
    recorded,
    windows,
)

pytestmark = pytest.mark.usefixtures("berlin")

order_histories = st.builds(
    lambda found, links: History(orders=found + found[:3], links=links),
    st.lists(orders(), max_size=25),  # some at the same instant twice
    links,
)
full_histories = st.builds(
    History,
    orders=st.lists(orders(), max_size=12),
    responses=st.lists(
        st.builds(Answered, people, instants, st.integers(0, 10), recorded, ended), max_size=12
    ),
    complaints=st.lists(st.builds(Complained, people, instants, recorded, ended), max_size=8),
    links=links,
)


def check_sets(history: History, engine: str) -> None:
    counted = history.counted(AS_OF, KNOWN_AT)
    found_windows = windows()
    store = store_of(history)
    with computing(store, as_of=AS_OF, known_at=KNOWN_AT, engine=engine) as computation:
        for key, oracle in histories.SET_ORACLES.items():
            figures = computation.figures(KPIS[key], found_windows)
            for window, figure in zip(found_windows, figures, strict=True):
                expected = oracle(counted, window)
                found = {name: list(ids) for name, ids in figure.sets.items() if len(ids)}
                wanted = {name: sorted(ids) for name, ids in expected.items() if ids}
                assert found == wanted, (key, window.name)
                assert figure.numerator == len(expected["numerator"])
                assert figure.denominator == len(expected["denominator"])


def check_cohorts(history: History, engine: str) -> None:
    counted = history.counted(AS_OF, KNOWN_AT)
    store = store_of(history)
    with computing(store, as_of=AS_OF, known_at=KNOWN_AT, engine=engine) as computation:
        cells = computation.cohort_cells(months())
    found = {(c.cohort, c.month): (set(c.members.tolist()), c.amount) for c in cells}
    assert found == histories.cohort_cells(counted, months())


@examples(40)
@given(order_histories)
def test_the_kernels_agree_with_a_plain_count(history: History) -> None:
    check_sets(history, AUTO)


@examples(5)
@given(order_histories)
def test_the_definitions_agree_with_a_plain_count(history: History) -> None:
    check_sets(history, IBIS_DUCKDB)


@examples(40)
@given(order_histories)
def test_the_cohort_kernel_agrees_with_a_plain_count(history: History) -> None:
    check_cohorts(history, AUTO)


@examples(5)
@given(order_histories)
def test_the_cohort_definition_agrees_with_a_plain_count(history: History) -> None:
    check_cohorts(history, IBIS_DUCKDB)


@examples(8)
@given(full_histories, st.sampled_from([AUTO, IBIS_DUCKDB]))
def test_values_complaints_and_scores_agree_with_a_plain_count(
    history: History, engine: str
) -> None:
    found_windows = windows()
    counted = history.counted(AS_OF, KNOWN_AT)
    store = store_of(history)
    with computing(store, as_of=AS_OF, known_at=KNOWN_AT, engine=engine) as computation:
        values = computation.figures(KPIS["average_order_value"], found_windows)
        complaints = computation.figures(KPIS["complaint_rate"], found_windows)
        scores = computation.figures(KPIS["nps"], found_windows)
    for at, window in enumerate(found_windows):
        units, count = histories.order_value(counted, window)
        assert (values[at].numerator * 10_000, values[at].denominator) == (units, count)
        sets = histories.complaint_sets(history, window, AS_OF, KNOWN_AT)
        for name in ("numerator", "denominator"):
            assert set(complaints[at].sets.get(name, ())) == sets[name]
        expected = histories.net_score(history, window, AS_OF, KNOWN_AT)
        assert (scores[at].numerator, scores[at].denominator) == expected


@pytest.mark.parametrize("engine", [AUTO, IBIS_DUCKDB])
def test_without_any_facts_every_figure_is_null_and_nobody_is_in_it(engine: str) -> None:
    with computing(store_of(History()), as_of=AS_OF, known_at=KNOWN_AT, engine=engine) as all_of:
        for kpi in KPIS.values():
            for figure in all_of.figures(kpi, windows()):
                assert (figure.numerator, figure.denominator) == (0, 0)
                # How many there were is known also where there were none.
                assert figure.value is None or (kpi.has_total_value and figure.value == 0)
        assert all_of.cohort_cells(months()) == []


def test_the_tests_run_in_the_timezone_they_mean() -> None:
    assert django_settings.KEEPWELL_TIMEZONE == "Europe/Berlin"
