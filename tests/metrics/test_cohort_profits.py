"""What cohorts brought after costs."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.compute import AUTO, IBIS_DUCKDB, computing
from metrics.models import CohortCell
from metrics.services import recompute
from tests.metrics.histories import History, store_of
from tests.metrics.histories.strategies import CUT, examples, months, windows
from tests.metrics.oracles.made_up import money_histories, question
from tests.metrics.oracles.rows import CURRENCY
from tests.metrics.oracles.value import flows_of
from tests.metrics.worlds import retention_example

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("berlin")]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def plain_profits(history: History) -> dict[tuple[int, int], int]:
    asked, all_months = question(history, windows()[0]), months()
    flows = flows_of(asked)

    def place(moment: datetime) -> int | None:
        inside = (at for at, m in enumerate(all_months) if m.start <= moment < m.until)
        return next(inside, None)

    found: dict[tuple[int, int], int] = defaultdict(int)
    for who, theirs in asked.orders_of().items():
        if any(one.currency == CURRENCY and one.cost is None for one in theirs):
            continue
        cohort = place(theirs[0].at)
        for at, _month, amount in flows[who]:
            month = place(at)
            if cohort is not None and month is not None and month >= cohort:
                found[cohort, month] += amount
    return dict(found)


@examples(8)
@given(money_histories(), st.sampled_from([AUTO, IBIS_DUCKDB]))
def test_the_profit_of_a_cohort_is_that_of_a_plain_count(history: History, engine: str) -> None:
    with computing(store_of(history), engine=engine, **CUT) as computation:
        assert computation.cohort_profits(months()) == plain_profits(history)


def test_the_profit_of_a_cohort_without_costs_is_not_known() -> None:
    retention_example()
    recompute(now=NOW)
    assert set(CohortCell.objects.values_list("profit", flat=True)) == {None}
    assert Decimal("60.00") in CohortCell.objects.values_list("amount", flat=True)
