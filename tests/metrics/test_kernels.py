"""Kernels over files as a sync leaves them, one for each month, and over one file in no order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from metrics.compute import AUTO, computing
from metrics.engines import kernels_customers
from metrics.facts import store
from metrics.facts.columns import ORDER_STATES
from metrics.facts.months import _SORTED_BY, _by_month
from metrics.facts.store import Store
from metrics.kpis import KPIS, engaged
from tests.metrics.histories import History, oracles, store_of
from tests.metrics.histories.strategies import AS_OF, KNOWN_AT, examples, months, windows
from tests.metrics.oracles.engaged import engaged_ratio
from tests.metrics.oracles.made_up import engaged_histories, money_histories, question
from tests.metrics.oracles.rows import Question, day_of
from tests.metrics.test_money_figures import OF_MONEY, check

pytestmark = pytest.mark.usefixtures("berlin")

CUT = {"as_of": AS_OF, "known_at": KNOWN_AT}
WITH_KERNEL = [(kpi, oracle) for kpi, oracle in OF_MONEY if kpi.kernel]


def by_month(made: Store) -> Store:
    """Put the orders into a file for each month, sorted, as a sync does."""
    states = made.read(ORDER_STATES)
    files = [file for file in made.manifest.files if file.table != ORDER_STATES]
    for month, rows in _by_month(states, states.column("ordered_at")):
        rows = rows.sort_by([(name, "ascending") for name in _SORTED_BY[ORDER_STATES]])
        files.append(store.write_file(ORDER_STATES, month, made.manifest.generation, rows))
    return Store(replace(made.manifest, files=tuple(files)))


def both_stores(history: History) -> list[Store]:
    made = store_of(history)
    return [made, by_month(made)]


@examples(40)
@given(money_histories())
def test_kernels_of_money_agree_with_a_plain_count(history: History) -> None:
    for made in both_stores(history):
        with computing(made, engine=AUTO, **CUT) as computation:
            for kpi, oracle in WITH_KERNEL:
                check(computation, kpi, oracle, history)


@examples(20)
@given(engaged_histories())
def test_the_kernel_of_the_engaged_agrees_with_a_plain_count(history: History) -> None:
    for made in both_stores(history):
        with computing(made, engine=AUTO, **CUT) as computation:
            check(computation, engaged.ENGAGED_RATIO, engaged_ratio, history)


@examples(40)
@given(money_histories())
def test_kernels_of_people_agree_with_a_plain_count_over_files_of_months(history: History) -> None:
    counted, seen = history.counted(AS_OF, KNOWN_AT), windows()
    with computing(by_month(store_of(history)), engine=AUTO, **CUT) as computation:
        for key, oracle in oracles.SET_ORACLES.items():
            measures = computation.measures(KPIS[key], seen)
            for window in seen:
                found = {n: list(ids) for n, ids in measures[window.name].sets.items() if len(ids)}
                expected = {n: sorted(ids) for n, ids in oracle(counted, window).items() if ids}
                assert found == expected, (key, window.name)
        cells = computation.cohort_cells(months())
    found_cells = {(c.cohort, c.month): (set(c.members.tolist()), c.amount) for c in cells}
    assert found_cells == oracles.cohort_cells(counted, months())


@examples(40)
@given(money_histories())
def test_what_is_known_of_each_customer_agrees_with_a_plain_count(history: History) -> None:
    expected = customers(question(history, windows()[0]))
    for made in both_stores(history):
        with computing(made, engine=AUTO, **CUT) as computation:
            found = kernels_customers.summary(computation.orders, AS_OF)
            scored = kernels_customers.rfm(found)
        columns = (
            found.ids, found.orders, found.revenue, found.repeats, found.recency, found.age,
            scored.days_since, scored.recency, scored.frequency, scored.monetary,
        )  # fmt: skip
        rows = [tuple(row) for row in zip(*(column.tolist() for column in columns), strict=True)]
        assert rows == expected
        segments = [kernels_customers.SEGMENTS[place] for place in scored.segment.tolist()]
        assert segments == [segment(row[7], row[8]) for row in expected]


def customers(asked: Question) -> list[tuple[Any, ...]]:
    """Each customer's row, by hand."""
    rows, today = {}, day_of(AS_OF)
    for person, orders in asked.orders_of().items():
        days = sorted({day_of(order.at) for order in orders})
        back = sum(
            refund.amount
            for refund, order in asked.refunds()
            if order.customer_id == person and refund.currency == "USD"
        )
        paid = sum(order.amount for order in orders if order.currency == "USD")
        rows[person] = (
            len(orders),
            paid - back,
            len(days) - 1,
            (days[-1] - days[0]).days / 7,
            (today - days[0]).days / 7,
            (today - days[-1]).days,
        )

    def score(value: float, values: list[float]) -> int:
        rank = 1 + sum(other < value for other in values)
        return min(5, 5 * (rank - 1) // len(values) + 1)

    recent, often, much = (
        [sign * row[at] for row in rows.values()] for sign, at in ((-1, 5), (1, 0), (1, 1))
    )
    return [
        (person, *row, score(-row[5], recent), score(row[0], often), score(row[1], much))
        for person, row in sorted(rows.items())
    ]


def segment(recency: int, frequency: int) -> str:
    """The first rule that fits, as the definitions read."""
    rules: list[tuple[str, set[int], set[int]]] = [
        ("hibernating", {1, 2}, {1, 2}),
        ("at_risk", {1, 2}, {3, 4}),
        ("cant_lose", {1, 2}, {5}),
        ("about_to_sleep", {3}, {1, 2}),
        ("need_attention", {3}, {3}),
        ("loyal", {3, 4}, {4, 5}),
        ("promising", {4}, {1}),
        ("new_customers", {5}, {1}),
        ("potential_loyalists", {4, 5}, {2, 3}),
        ("champions", {5}, {4, 5}),
    ]
    return next(name for name, r, f in rules if recency in r and frequency in f)
