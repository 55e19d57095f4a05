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
from tests.metrics.histories import Bought, History, store_of
from tests.metrics.histories.strategies import (
    AS_OF,
    CUT,
    KNOWN_AT,
    examples,
    months,
    priced_histories,
)
from tests.metrics.worlds import retention_example

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("berlin")]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def plain_profits(history: History) -> dict[tuple[int, int], int]:
    bought: dict[int, list[Bought]] = defaultdict(list)
    for one in history.counted(AS_OF, KNOWN_AT):
        if one.customer_id is not None:
            bought[one.customer_id].append(one)
    all_months = months()

    def place(moment: datetime) -> int | None:
        inside = (at for at, m in enumerate(all_months) if m.start <= moment < m.until)
        return next(inside, None)

    found: dict[tuple[int, int], int] = defaultdict(int)
    for who, theirs in bought.items():
        ours = [one for one in theirs if one.currency == "USD"]
        if any(one.cost is None for one in ours):
            continue
        flows = [(one.at, one.amount - (one.cost or 0)) for one in ours] + [
            (refund.refunded_at, -refund.amount)
            for refund, order in history.counted_refunds(AS_OF, KNOWN_AT)
            if order.customer_id == who and refund.currency == "USD"
        ]
        cohort = place(min(one.at for one in theirs))
        for at, amount in flows:
            month = place(at)
            if cohort is not None and month is not None and month >= cohort:
                found[cohort, month] += amount
    return dict(found)


@examples(8)
@given(priced_histories, st.sampled_from([AUTO, IBIS_DUCKDB]))
def test_the_profit_of_a_cohort_is_that_of_a_plain_count(history: History, engine: str) -> None:
    with computing(store_of(history), engine=engine, **CUT) as computation:
        assert computation.cohort_profits(months()) == plain_profits(history)


def test_the_profit_of_a_cohort_without_costs_is_not_known() -> None:
    retention_example()
    recompute(now=NOW)
    assert set(CohortCell.objects.values_list("profit", flat=True)) == {None}
    assert Decimal("60.00") in CohortCell.objects.values_list("amount", flat=True)
