"""Kernels, definitions and a plain count over the same histories agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.time import Period
from metrics.compute import AUTO, IBIS_DUCKDB, computing
from metrics.kpis import KPIS
from metrics.windows import Window, window_of
from tests.metrics import histories
from tests.metrics.histories import Answered, Bought, Complained, History, Linked, store_of
from tests.requirements import tries

BERLIN = ZoneInfo("Europe/Berlin")
# Instants that break naive code: year ends, both clock changes, midnights, repeats of themselves.
EDGES = [
    datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=BERLIN),
    datetime(2026, 1, 1, tzinfo=BERLIN),
    datetime(2026, 3, 29, 1, 59, tzinfo=BERLIN),
    datetime(2026, 3, 29, 3, 0, tzinfo=BERLIN),
    datetime(2026, 4, 1, tzinfo=BERLIN),
    datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=0),
    datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2026, 1, 1, tzinfo=BERLIN) - timedelta(days=90),
]
FIRST, LAST = datetime(2025, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
AS_OF, KNOWN_AT = datetime(2026, 5, 10, 9, 30, tzinfo=UTC), datetime(2026, 5, 20, tzinfo=UTC)

instants = st.one_of(
    st.sampled_from([edge.astimezone(UTC) for edge in EDGES]),
    st.datetimes(min_value=FIRST.replace(tzinfo=None), max_value=LAST.replace(tzinfo=None)).map(
        lambda moment: moment.replace(tzinfo=UTC)
    ),
)
people = st.one_of(st.none(), st.integers(1, 6), st.sampled_from([4_000_000_000]))
recorded = st.sampled_from([LAST - timedelta(days=300), KNOWN_AT, KNOWN_AT + timedelta(days=1)])
ended = st.sampled_from([None, KNOWN_AT, KNOWN_AT + timedelta(days=1)])


@st.composite
def orders(draw: st.DrawFn) -> Bought:
    at = draw(instants)
    wait = draw(st.sampled_from([None, timedelta(0), timedelta(days=3), timedelta(days=80)]))
    return Bought(
        customer_id=draw(people),
        at=at,
        amount=draw(st.sampled_from([0, 1, 9_999, 123_456_789])),
        status=draw(st.sampled_from(["placed", "delivered", "delivered", "cancelled"])),
        currency=draw(st.sampled_from(["USD", "USD", "EUR"])),
        delivered_at=None if wait is None else at + wait,
        valid_from=draw(recorded),
        valid_until=draw(ended),
    )


links = st.lists(
    st.builds(
        Linked,
        st.sampled_from([4, 5, 6, 4_000_000_000]),
        st.sampled_from([1, 2, 7]),  # 7 has no facts of their own
        recorded,
        ended,
    ),
    max_size=3,
    unique_by=lambda link: link.record_id,
)
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
PERIODS = ["2025-10", "2026-01", "2026-03", "2026-Q1", "2026-W13", "2025", "2026", "2026-05"]


def windows() -> list[Window]:
    cut = {"as_of": AS_OF, "known_at": KNOWN_AT}
    return [window_of(None, **cut), *(window_of(Period.parse(p), **cut) for p in PERIODS)]


def months() -> list[Window]:
    first = Period.parse("2025-06")
    return [window_of(first.shifted(step), as_of=AS_OF, known_at=KNOWN_AT) for step in range(12)]


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


@pytest.fixture(autouse=True)
def _berlin() -> object:
    with override_settings(KEEPWELL_TIMEZONE="Europe/Berlin", KEEPWELL_CURRENCY="USD"):
        yield


examples = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=tries(40),
)
few_examples = settings(examples, max_examples=tries(5))


@examples
@given(order_histories)
def test_the_kernels_agree_with_a_plain_count(history: History) -> None:
    check_sets(history, AUTO)


@few_examples
@given(order_histories)
def test_the_definitions_agree_with_a_plain_count(history: History) -> None:
    check_sets(history, IBIS_DUCKDB)


@examples
@given(order_histories)
def test_the_cohort_kernel_agrees_with_a_plain_count(history: History) -> None:
    check_cohorts(history, AUTO)


@few_examples
@given(order_histories)
def test_the_cohort_definition_agrees_with_a_plain_count(history: History) -> None:
    check_cohorts(history, IBIS_DUCKDB)


@few_examples
@given(full_histories)
def test_values_complaints_and_scores_agree_with_a_plain_count(history: History) -> None:
    found_windows = windows()
    counted = history.counted(AS_OF, KNOWN_AT)
    with computing(store_of(history), as_of=AS_OF, known_at=KNOWN_AT) as computation:
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
