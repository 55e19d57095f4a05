"""Purchases, revenue, value and costs: each definition agrees with a plain count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given

from metrics.compute import IBIS_DUCKDB, Computation, computing
from metrics.kpis import costs, engaged, frequency, purchases, retention, revenue, value
from metrics.kpis.base import Kpi, Measure
from tests.metrics.histories import History, store_of
from tests.metrics.histories.strategies import AS_OF, KNOWN_AT, examples, windows
from tests.metrics.oracles import costs as cost_oracles
from tests.metrics.oracles import engaged as engaged_oracles
from tests.metrics.oracles import purchases as purchase_oracles
from tests.metrics.oracles import revenue as revenue_oracles
from tests.metrics.oracles import value as value_oracles
from tests.metrics.oracles.made_up import engaged_histories, money_histories, question
from tests.metrics.oracles.rows import Answer, Question

pytestmark = pytest.mark.usefixtures("berlin")

Oracle = Callable[[Question], Answer]
OF_MONEY: list[tuple[Kpi, Oracle]] = [
    (retention.RETENTION_RATE_AVERAGE, purchase_oracles.retention_average),
    (purchases.REPEAT_PURCHASE_RATE_365D, purchase_oracles.repeat_365d),
    (purchases.AVERAGE_ORDER_VALUE, purchase_oracles.average_order),
    (frequency.PURCHASE_FREQUENCY, purchase_oracles.frequency),
    (frequency.DAYS_BETWEEN_ORDERS, purchase_oracles.days_between),
    (frequency.IDENTIFIED_SALES_SHARE, purchase_oracles.identified_share),
    (revenue.REVENUE_CHURN_GROSS, revenue_oracles.gross),
    (revenue.REVENUE_CHURN_NET, revenue_oracles.net),
    (revenue.NET_REVENUE_RETENTION, revenue_oracles.kept),
    (revenue.REVENUE_LAPSED, revenue_oracles.lapsed),
    (value.CLV_HISTORIC, value_oracles.clv),
    (value.UNPROFITABLE_SHARE, value_oracles.unprofitable),
    (costs.COST_TO_ACQUIRE, cost_oracles.to_acquire),
    (costs.COST_TO_RETAIN, cost_oracles.to_retain),
    (costs.ACQUISITION_COST, cost_oracles.acquisition),
]


def check(computation: Computation, kpi: Kpi, oracle: Oracle, history: History) -> None:
    measures = computation.measures(kpi, windows())
    for window in windows():
        answer = oracle(question(history, window))
        measure, at = measures[window.name], (kpi.key, window.name)
        found = {name: np.asarray(ids).tolist() for name, ids in measure.sets.items() if len(ids)}
        assert found == {name: sorted(ids) for name, ids in answer.sets.items() if ids}, at
        if answer.values is not None:
            assert values_of(measure) == sorted(answer.values), at
        elif answer.amounts is None:
            sizes = len(answer.sets["numerator"]), len(answer.sets["denominator"])
            assert (measure.numerator, measure.denominator) == sizes, at
        else:
            wanted = {person: both for person, both in answer.amounts.items() if any(both)}
            assert amounts_of(measure) == wanted, at
            sums = [sum(both[part] for both in wanted.values()) for part in (0, 1)]
            assert [measure.numerator, measure.denominator] == sums, at


def amounts_of(measure: Measure) -> dict[int | None, tuple[int, int]]:
    if measure.amounts is None:
        return {}
    rows = measure.amounts
    columns = [
        np.asarray(column).tolist() for column in (rows.ids, rows.numerator, rows.denominator)
    ]
    assert len(set(columns[0])) == len(columns[0])
    return {person or None: (a, b) for person, a, b in zip(*columns, strict=True) if a or b}


def values_of(measure: Measure) -> list[tuple[int, float]]:
    if measure.values is None:
        return []
    columns = measure.values.ids, measure.values.values
    return sorted(zip(*(np.asarray(column).tolist() for column in columns), strict=True))


@examples(5)
@given(money_histories())
def test_figures_of_money_agree_with_a_plain_count(history: History) -> None:
    store = store_of(history)
    with computing(store, as_of=AS_OF, known_at=KNOWN_AT, engine=IBIS_DUCKDB) as computation:
        for kpi, oracle in OF_MONEY:
            check(computation, kpi, oracle, history)


@examples(5)
@given(engaged_histories())
def test_the_engaged_agree_with_a_plain_count(history: History) -> None:
    store = store_of(history)
    with computing(store, as_of=AS_OF, known_at=KNOWN_AT, engine=IBIS_DUCKDB) as computation:
        check(computation, engaged.ENGAGED_RATIO, engaged_oracles.engaged_ratio, history)
